"""Alerts on their way to a webhook: outages, refusals, restarts, order. The receiver is a real HTTP server."""

import contextlib
import json
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

import foreshock
from harness import ROOT, foreshockd, until
from receiver import Receiver, free_port

NAN = float("nan")


@pytest.fixture
def receiver():
    """A factory; all are stopped after the test."""
    made = []

    def start(*args, **options):
        made.append(Receiver(*args, **options))
        return made[-1]

    yield start
    for server in made:
        server.stop()


def hook(url, **options):
    """The configuration of one webhook. JSON is YAML."""
    return json.dumps({"notifiers": {"hook": {"type": "webhook", "url": url, **options}}})


def fire(d, run="r"):
    """A run whose loss is not finite; the alert is committed when it returns."""
    training = foreshock.Run(run, endpoint=d.endpoint, wait=20)
    training.log(1, loss=NAN)
    assert training.flush(timeout=20)
    until(lambda: d.alerts(run, rule="nonfinite", state="firing"), "the alert")
    return training


def metric(d, name):
    return d.metric(f"foreshock_notify_{name}", '{notifier="hook"}')


def test_firing_and_resolved(daemon, receiver):
    r = receiver()
    d = daemon(config=hook(r.url))
    training = fire(d)
    until(lambda: len(r.taken()) == 1, "the alert at the receiver")
    (message,) = r.taken()
    assert set(message) == {
        "version", "event", "id", "run", "rule", "severity", "title", "summary", "layers", "evidence", "started_step",
        "started_at", "last_step", "resolved_at", "url",
    }  # fmt: skip
    (alert,) = d.alerts("r")
    same = ("id", "run", "rule", "severity", "title", "summary", "layers", "started_step", "last_step", "resolved_at")
    assert {k: message[k] for k in same} == {k: alert[k] for k in same}
    assert message["version"] == 1 and message["event"] == "firing" and message["url"] is None
    assert message["evidence"][0]["metric"] == "loss"
    training.close()
    until(lambda: len(r.taken()) == 2, "its end at the receiver")
    assert [m["event"] for m in r.taken()] == ["firing", "resolved"]
    assert r.taken()[1]["resolved_at"] >= message["started_at"]
    until(lambda: metric(d, "delivered_total") == 2 and metric(d, "outbox") == 0, "the counters")
    assert len(set(r.keys())) == 2
    headers = r.requests[0][0]
    assert headers["Content-Type"] == "application/json" and headers["User-Agent"].startswith("foreshock/")


def test_secrets_and_a_template(daemon, receiver, folder):
    r = receiver()
    (folder / "token").write_text("s3cret\n")
    (folder / "headers").write_text("X-Team: research\n")
    for name in ("token", "headers"):
        (folder / name).chmod(0o600)
    template = '{"text": "{{severity}} {{title}} {{run}} {{rule}} {{event}} {{id}} {{step}}", "at": "{{url}}"}'
    config = json.loads(hook(r.url, template=template, bearer_file=f"{folder}/token", headers_file=f"{folder}/headers"))
    config["http"] = {"external_url": "https://mon.example"}
    d = daemon(config=json.dumps(config))
    with fire(d):
        until(r.taken, "the alert")
    assert r.taken()[0] == {
        "text": "critical Numbers that are not finite r nonfinite firing 1 1",
        "at": "https://mon.example/#run=r",
    }
    headers = r.requests[0][0]
    assert headers["Authorization"] == "Bearer s3cret" and headers["X-Team"] == "research"
    assert "s3cret" not in d.log()


def test_an_outage_and_its_end(daemon, receiver):
    port = free_port()
    d = daemon(config=hook(f"http://127.0.0.1:{port}/hook"))
    training = fire(d)
    until(lambda: metric(d, "retries_total") >= 1, "a try in vain")
    training.close()
    until(lambda: d.alerts("r", state="resolved"), "the end")
    assert metric(d, "outbox") == 2 and d.request("/readyz")[0] == 200
    r = receiver(port=port)
    until(lambda: len(r.taken()) == 2, "both")
    assert [m["event"] for m in r.taken()] == ["firing", "resolved"]
    assert d.log().count("does not take alerts") == 1 and "answers again" in d.log()


def test_errors_are_tried_again_under_the_same_key(daemon, receiver):
    r = receiver(lambda number, message: 503 if number < 2 else 200)
    d = daemon(config=hook(r.url))
    with fire(d):
        until(r.taken, "the alert")
    assert len(set(r.keys()[:3])) == 1
    until(lambda: metric(d, "retries_total") == 2, "two tries in vain")


def test_the_receiver_says_when(daemon, receiver):
    times = []

    def answer(number, message):
        times.append(time.monotonic())
        return (429, {"Retry-After": "3"}) if number == 0 else 200

    r = receiver(answer)
    d = daemon(config=hook(r.url))
    with fire(d):
        until(r.taken, "the alert")
    assert times[1] - times[0] >= 3


@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_is_believed_in_the_end(daemon, receiver, status):
    r = receiver(lambda number, message: status if message["run"] == "r" else 200)
    d = daemon(config=hook(r.url))
    with fire(d), fire(d, "other"):
        until(lambda: ("firing", "critical", d.alerts("other")[0]["id"]) in r.events(), "the alert of another run")
        until(lambda: metric(d, "failed_total") == 1, "the end of patience", deadline=90)
        assert metric(d, "outbox") == 0
    assert sum(message["run"] == "r" for _, message, _ in r.requests) == 5
    (line,) = [line for line in d.log().splitlines() if "not delivered" in line]
    assert "level=error" in line and "notifier=hook" in line and f"status={status}" in line


@pytest.mark.parametrize("status", [404, *(pytest.param(status, marks=pytest.mark.long) for status in (301, 401))])
def test_what_may_be_mended_at_the_receiver_is_tried_on(daemon, receiver, status):
    """A proxy without a route, a key that is being changed: the alert waits for them."""
    r = receiver(lambda number, message: status if number < 5 else 200)
    d = daemon(config=hook(r.url))
    with fire(d):
        until(r.taken, "the alert", deadline=90)
        assert metric(d, "failed_total") == 0
    assert len(r.requests) >= 6


def test_a_receiver_that_hangs(daemon, receiver):
    """It holds up neither the daemon, nor another receiver, nor the stop."""
    stuck = receiver(lambda number, message: (stuck.released.wait(), 200)[1])
    good = receiver()
    config = {"notifiers": {"stuck": {"type": "webhook", "url": stuck.url, "timeout_seconds": 60},
                            "good": {"type": "webhook", "url": good.url}}}  # fmt: skip
    d = daemon(config=json.dumps(config))
    training = fire(d)
    until(lambda: stuck.requests, "the request that hangs")
    until(good.taken, "the other one")
    for step in range(2, 20):
        training.log(step, loss=1.0)
    assert training.flush(timeout=20)
    assert d.request("/readyz")[0] == 200 and d.request("/healthz")[0] == 200
    assert stuck.taken() == [] and d.metric("foreshock_notify_retries_total", '{notifier="stuck"}') == 0
    begun = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - begun < 15  # the request alone would take up to a minute


def test_half_an_answer_is_none(daemon, receiver):
    r = receiver(lambda number, message: (200, {"Content-Length": "100"}, b"well") if number == 0 else 200)
    d = daemon(config=hook(r.url, timeout_seconds=1))
    with fire(d):
        until(lambda: metric(d, "delivered_total") == 1, "a whole answer")
        assert metric(d, "retries_total") == 1 and len(set(r.keys())) == 1


def test_a_long_answer_is_cut_off(daemon, receiver):
    """No more of it is read than is shown; its status counts."""
    r = receiver(lambda number, message: (200 if message["run"] == "r" else 400, {}, b"x" * (1 << 22)))
    d = daemon(config=hook(r.url))
    with fire(d), fire(d, "other"):
        until(lambda: metric(d, "delivered_total") == 1, "the answer")
        until(lambda: metric(d, "failed_total") == 1, "the end of patience", deadline=90)
    assert all(len(line) < 2000 for line in d.log().splitlines())


def test_killed_before_it_could_tell(daemon, receiver):
    port = free_port()
    d = daemon(config=hook(f"http://127.0.0.1:{port}/hook"))
    fire(d)
    d.kill()
    r = receiver(port=port)
    d.start()
    until(r.taken, "the alert")
    assert r.events()[0] == ("firing", "critical", 1)


def test_killed_while_it_told(daemon, receiver):
    """Whenever it is killed, what was committed gets there: at least once, its beginning before its end."""
    r = receiver(lambda number, message: (time.sleep(0.02), 200)[1])
    d = daemon(config=hook(r.url))
    runs = [f"r{i}" for i in range(6)]
    for run in runs:
        fire(d, run).close()
        until(lambda: d.alerts(run, state="resolved"), "its end in the store")
        d.kill()
        d.start()
    until(lambda: metric(d, "outbox") == 0, "all of it")
    for run in runs:
        events = [m["event"] for m in r.taken() if m["run"] == run]
        assert events[0] == "firing" and events[-1] == "resolved", (run, events)
        assert events == sorted(events), (run, events)


def test_order_of_an_alert_through_errors(daemon, receiver):
    """Alerts of several runs at once, every second answer an error: each is told in order."""
    r = receiver(lambda number, message: 200 if number % 2 else 500)
    d = daemon(config=hook(r.url))
    for i in range(4):
        fire(d, f"r{i}").close()
    until(lambda: len(r.taken()) >= 8 and metric(d, "outbox") == 0, "all of it", deadline=120)
    for i in range(4):
        assert [m["event"] for m in r.taken() if m["run"] == f"r{i}"] == ["firing", "resolved"]


def test_filters(daemon, receiver):
    critical, rule = receiver(), receiver()
    config = {"notifiers": {"critical": {"type": "webhook", "url": critical.url, "min_severity": "critical"},
                            "rule": {"type": "webhook", "url": rule.url, "rules": ["run_lost", "loss_high"]}},
              "limits": {"lease_seconds": 1}}  # fmt: skip
    d = daemon(config=json.dumps(config))
    from raw import Raw

    with Raw(d.endpoint) as raw:
        raw.hello()
        raw.scalars(1, loss=NAN)
        raw.flush()
    until(lambda: d.alerts("r", rule="run_lost"), "the loss of the run")
    until(lambda: {m["rule"] for m in critical.taken()} == {"nonfinite", "run_lost"}, "both")
    until(rule.taken, "one of them")
    assert {m["rule"] for m in rule.taken()} == {"run_lost"}


def test_layers_come_as_updates(daemon, receiver):
    import numpy as np

    r = receiver()
    d = daemon(config=hook(r.url))
    bad = np.zeros((8, 8), np.float32)
    bad[0, 0] = NAN
    with foreshock.Run("r", endpoint=d.endpoint, wait=20) as training:
        for layer in ("a", "b"):
            training.declare(layer, shape=(8, 8))
        training.weights(1, "a", bad)
        assert training.flush(timeout=20)
        until(lambda: len(r.taken()) == 1, "one layer")
        training.weights(2, "b", bad)
        assert training.flush(timeout=20)
        until(lambda: len(r.taken()) == 2, "two layers")
    first, second = r.taken()[:2]
    assert (first["event"], first["layers"]) == ("firing", ["a"])
    assert second["event"] == "updated" and set(second["layers"]) == {"a", "b"} and second["id"] == first["id"]


def test_observed_alerts_are_told_when_they_are_no_longer(daemon, receiver):
    r = receiver()
    d = daemon(config=hook(r.url)[:-1] + ', "rules": {"nonfinite": {"mode": "observe"}}}')
    with fire(d):
        assert d.alerts("r")[0]["observed"] is True and metric(d, "outbox") == 0 and r.taken() == []
        d.config.write_text(hook(r.url))
        d.process.send_signal(signal.SIGHUP)
        until(r.taken, "the alert")
    until(lambda: len(r.taken()) == 2, "its end")
    assert [m["event"] for m in r.taken()] == ["firing", "resolved"]


def test_reload(daemon, receiver):
    """Those that are new begin with what fires, those that are gone leave nothing, the others are not disturbed."""
    old, kept, new = receiver(lambda number, message: 500), receiver(), receiver()

    def config(**notifiers):
        return json.dumps({"notifiers": {name: {"type": "webhook", "url": r.url} for name, r in notifiers.items()}})

    d = daemon(config=config(old=old, kept=kept))
    with fire(d):
        until(lambda: old.requests and kept.taken(), "both")
        d.config.write_text(config(kept=kept, new=new))
        d.process.send_signal(signal.SIGHUP)
        until(new.taken, "what fires, at the new one")
        assert new.events() == [("firing", "critical", 1)]
        assert 'notifier="old"' not in d.request("/metrics")[2].decode()
        asked = len(old.requests)
        d.config.write_text("notifiers: {kept: {type: pigeon}}")
        d.process.send_signal(signal.SIGHUP)
        until(lambda: "configuration not reloaded" in d.log(), "the complaint")
    until(lambda: len(kept.taken()) == 2 and len(new.taken()) == 2, "its end")
    assert [m["event"] for m in kept.taken()] == ["firing", "resolved"]
    assert len(old.requests) == asked


def test_a_start_without_notifiers_leaves_nothing_of_them(daemon, receiver):
    r = receiver(lambda number, message: 503)
    d = daemon(config=hook(r.url))
    fire(d)
    until(lambda: metric(d, "outbox") == 1, "what waits")
    d.stop()
    d.config.write_text("")
    d.start()
    until(lambda: 'notifier="hook"' not in d.request("/metrics")[2].decode(), "its going")


def test_a_new_address_gets_what_waits(daemon, receiver):
    bad, good = receiver(lambda number, message: (503, {"Retry-After": "3000"})), receiver()
    d = daemon(config=hook(bad.url))
    with fire(d):
        until(lambda: metric(d, "retries_total") == 1, "a try in vain")
        d.config.write_text(hook(good.url))
        d.process.send_signal(signal.SIGHUP)
        until(good.taken, "the alert")
        assert good.events() == [("firing", "critical", 1)]


def test_a_run_that_is_deleted_is_over(daemon, receiver):
    r = receiver()
    d = daemon(config=hook(r.url)[:-1] + ', "limits": {"lease_seconds": 1}}')
    from raw import Raw

    with Raw(d.endpoint) as raw:
        raw.hello()
        raw.scalars(1, loss=1.0)
        raw.flush()
    until(r.taken, "the loss of the run")
    assert d.change("/api/v1/runs/r", "DELETE")[0] == 200
    until(lambda: len(r.taken()) == 2, "its end")
    assert [(m["event"], m["run"]) for m in r.taken()] == [("firing", "r"), ("resolved", "r")]


def test_the_examples_are_good(folder):
    """What docs/operations.md shows, and the section in the example of the configuration."""
    text = (ROOT / "docs/operations.md").read_text()
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if "notifiers:" in block]
    example = (ROOT / "systemd/foreshock.yaml").read_text().partition("##   notifiers:")
    commented = "".join(example[1:])
    blocks.append("\n".join(line.removeprefix("##   ") for line in commented.splitlines() if line.startswith("##   ")))
    assert len(blocks) == 5
    for block in blocks:
        for path in re.findall(r"/etc/foreshock/\S+", block):
            secret = folder / pathlib.Path(path).name
            secret.write_text("X-Key: https://x.example/\n" if secret.suffix == ".head" else "https://x.example/\n")
            secret.chmod(0o640)
        block = re.sub(r"\burl_file: (\S+chat)", r"# \1", block)  # beside url
        (folder / "f.yaml").write_text(block.replace("/etc/foreshock", str(folder)))
        done = subprocess.run([foreshockd(), "--config", str(folder / "f.yaml"), "--check-config"], capture_output=True, text=True)
        assert done.returncode == 0, (block, done.stderr)


def test_many_at_once(daemon, receiver):
    r = receiver()
    d = daemon(config=hook(r.url))
    count = 40
    trainings = []

    def one(i):
        training = foreshock.Run(f"m{i}", endpoint=d.endpoint, wait=20)
        training.log(1, loss=NAN)
        trainings.append(training)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(r.taken()) == count, "all of them")
    assert {m["run"] for m in r.taken()} == {f"m{i}" for i in range(count)}
    for training in trainings:
        with contextlib.suppress(Exception):
            training.close()
    until(lambda: len(r.taken()) == 2 * count, "their ends")
