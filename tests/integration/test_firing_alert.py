"""An alert that goes on firing tells of the newest state, under the id that it has, and is news to its training once."""

import math

import foreshock
from harness import until

PLATEAU, LEAVES_AT = 1e-3, 500


def learning_rate(step):
    return PLATEAU * math.exp(0.02 * max(0, step - LEAVES_AT))


def log_steps(run, steps):
    for step in steps:
        run.log(step, loss=2 + 3 / (1 + step / 50), lr=learning_rate(step))
    assert run.flush(timeout=20)


def test_a_learning_rate_that_goes_on_rising(daemon):
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint, wait=20) as run:
        log_steps(run, range(560))
        [first] = until(lambda: d.alerts("r", rule="lr_runaway"), "the alert")
        assert 2 * PLATEAU < first["evidence"][0]["value"] < 4 * PLATEAU
        news = until(run.alerts, "the news")
        for last_step in (600, 650, 700):
            log_steps(run, range(last_step - 50 if last_step > 600 else 560, last_step))
            [alert] = d.alerts("r", rule="lr_runaway")
            told, is_now = alert["evidence"][0]["value"], learning_rate(last_step - 1)
            assert is_now / 1.25 <= told <= is_now
            assert f"{told / PLATEAU:.1f} times" in alert["summary"]
            for key in ("id", "state", "severity", "started_step", "started_at"):
                assert alert[key] == first[key]
            assert alert["last_step"] == alert["evidence"][0]["step"] > last_step - 15
        assert told > 40 * PLATEAU
        assert len(news) == 1 and run.alerts() == []
    d.restart()  # the engine is built anew from the figures
    [alert] = d.alerts("r", rule="lr_runaway")
    assert alert["evidence"][0]["value"] == told and alert["id"] == first["id"]
