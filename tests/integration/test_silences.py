"""Silences through the real daemon: what is recorded, what is told to whom, and when it is told after all."""

import json
import signal
import subprocess
import time

import numpy as np
import pytest

import foreshock
import harness
from harness import until
from receiver import Receiver

NAN = float("nan")


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.stop()


def config(receiver):
    return json.dumps({"notifiers": {"hook": {"type": "webhook", "url": receiver.url}}})


def silence(d, **body):
    status, answer = d.change("/api/v1/silences", body=json.dumps({"for": 3600, **body}).encode())
    assert status == 201, answer
    return answer


def events(receiver):
    return [m["event"] for m in receiver.taken()]


def start(d, run="r"):
    return foreshock.Run(run, endpoint=d.endpoint, wait=20)


def fail(d, training, step=1):
    training.log(step, loss=NAN)
    assert training.flush(timeout=20)
    return until(lambda: d.alerts("r", state="firing"), "the alert")[0]


def test_recorded_and_not_told_until_it_ends(daemon, receiver):
    d = daemon(config=config(receiver))
    made = silence(d, run="r", reason="known")
    assert d.api("/api/v1/silences")["silences"] == [made]
    with start(d) as training:
        alert = fail(d, training)
        assert alert["silenced"] is True
        d.change("/api/v1/alerts/1/ack")  # another commit, and another turn of the loop
        assert training.flush(timeout=20)
        assert receiver.taken() == [] and training.firing == []
        status, ended = d.change(f"/api/v1/silences/{made['id']}", "DELETE")
        assert (status, ended["id"]) == (200, made["id"])
        until(receiver.taken, "the alert at the receiver")
        until(lambda: [a.rule for a in training.firing] == ["nonfinite"], "the alert at the training")
        assert d.alerts("r")[0]["silenced"] is False
    until(lambda: events(receiver) == ["firing", "resolved"], "its end")
    assert d.api("/api/v1/silences") == {"silences": []}
    assert d.change(f"/api/v1/silences/{made['id']}", "DELETE")[0] == 404


def test_ends_by_the_clock(daemon, receiver):
    d = daemon(config=config(receiver))
    silence(d, run="r*", **{"for": 2})
    with start(d) as training:
        assert fail(d, training)["silenced"] is True
        assert receiver.taken() == []
        until(receiver.taken, "the alert when the silence is over")
        assert d.api("/api/v1/silences") == {"silences": []}


@pytest.mark.parametrize("over", [False, True])
def test_survives_a_restart(daemon, receiver, over):
    d = daemon(config=config(receiver))
    made = silence(d, run="r", **{"for": 3 if over else 3600})
    training = start(d)
    fail(d, training)
    d.kill()
    if over:
        until(lambda: time.time() > made["expires_at"], "the end of the silence, while the daemon is away")
    d.start()
    if over:
        until(receiver.taken, "the alert")
    else:
        assert len(d.api("/api/v1/silences")["silences"]) == 1
        assert d.alerts("r")[0]["silenced"] is True
        until(lambda: training.flush(timeout=1), "the training to be back")
        assert receiver.taken() == [] and training.firing == []
    training.close()


def test_what_was_told_before_is_told_when_it_is_over(daemon, receiver):
    d = daemon(config=config(receiver))
    with start(d) as training:
        fail(d, training)
        until(receiver.taken, "the alert")
        until(lambda: training.firing, "the alert at the training")
        silence(d, run="r")
        until(lambda: d.alerts("r")[0]["silenced"], "the silence")
    until(lambda: events(receiver) == ["firing", "resolved"], "its end")


def test_what_was_never_told_ends_without_a_word(daemon, receiver):
    d = daemon(config=config(receiver))
    silence(d, run="r")
    with start(d) as training:
        fail(d, training)
    until(lambda: d.alerts("r", state="resolved"), "its end")
    with start(d, "loud") as other:  # through the same outbox, after it
        other.log(1, loss=NAN)
        until(receiver.taken, "another alert")
    assert {m["run"] for m in receiver.taken()} == {"loud"}


def test_only_if_all_layers_are_covered(daemon, receiver):
    d = daemon(config=config(receiver))
    bad = np.zeros((8, 8), np.float32)
    bad[0, 0] = NAN
    silence(d, run="r", layer="a.*")
    with start(d) as training:
        for layer in ("a.1", "a.2", "b"):
            training.declare(layer, shape=(8, 8))
        for step, layer in enumerate(("a.1", "a.2"), 1):
            training.weights(step, layer, bad)
            assert training.flush(timeout=20)
        until(lambda: [len(a["layers"]) for a in d.alerts("r", silenced=True)] == [2], "both, silenced")
        assert receiver.taken() == []
        training.weights(3, "b", bad)
        assert training.flush(timeout=20)
        until(receiver.taken, "the alert, of a layer that is not silenced")
        assert set(receiver.taken()[0]["layers"]) == {"a.1", "a.2", "b"}
        assert d.alerts("r")[0]["silenced"] is False


def test_another_rule_is_told(daemon, receiver):
    d = daemon(config=config(receiver))
    silence(d, run="r", rule="loss_high")
    with start(d) as training:
        assert fail(d, training)["silenced"] is False
        until(receiver.taken, "the alert")


@pytest.mark.parametrize(
    "body, parameter",
    [
        ({"for": 60}, "run"),
        ({"run": "", "for": 60}, "run"),
        ({"run": "r\n", "for": 60}, "run"),
        ({"run": "r" * 300, "for": 60}, "run"),
        ({"run": 7, "for": 60}, "run"),
        ({"run": "r", "for": 0}, "for"),
        ({"run": "r", "for": "2h"}, "for"),
        ({"run": "r", "for": 1e12}, "for"),
        ({"run": "r", "until": 5}, "until"),
        ({"run": "r", "for": 60, "rule": "nobody"}, "rule"),
        ({"run": "r", "for": 60, "colour": "red"}, "colour"),
        ({"run": "r"}, None),
        ({"run": "r", "for": 1, "until": 9e9}, None),
        ([], None),
    ],
)
def test_bad_silences(daemon, body, parameter):
    d = daemon()
    status, problem = d.change("/api/v1/silences", body=json.dumps(body).encode())
    assert status == 400 and problem.get("parameter") == parameter
    assert d.api("/api/v1/silences") == {"silences": []}


def test_silences_want_the_admin_token(daemon):
    d = daemon()
    body = b'{"run": "r", "for": 60}'
    json_type = {"Content-Type": "application/json"}
    admin = {"Authorization": f"Bearer {d.admin_token}"}
    assert d.request("/api/v1/silences", "POST", json_type, body)[0] == 401
    assert d.request("/api/v1/silences", "POST", {**admin, "Content-Type": "text/plain"}, body)[0] == 415
    assert d.request("/api/v1/silences", "POST", {**admin, **json_type, "Origin": "http://evil.example"}, body)[0] == 403
    assert d.request("/api/v1/silences/1", "DELETE", json_type)[0] == 401
    for bad in ("x", "0", "-1", "1x"):
        assert d.change(f"/api/v1/silences/{bad}", "DELETE")[0] == 404


def cli(d, *arguments, code=0, token=True):
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "FORESHOCK_URL": d.url, "USER": "someone"}
    for name, value in d.env.items():
        if name.endswith("SAN_OPTIONS"):
            env[name] = value
    if token:
        env["FORESHOCK_ADMIN_TOKEN"] = d.admin_token
    done = subprocess.run([harness.cli(), *arguments], env=env, capture_output=True, timeout=60)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout.decode(), done.stderr.decode()


def test_the_command_line(daemon, receiver):
    d = daemon(config=config(receiver))
    assert cli(d, "silences")[0] == "nothing is silenced\n"
    out, _ = cli(d, "silence", "r*", "--rule", "nonfinite", "--for", "30m", "--reason", "a known fault")
    assert out == "silence 1 of r* ends in 30 min\n"
    (made,) = json.loads(cli(d, "silences", "--json")[0])["silences"]
    assert (made["run"], made["rule"], made["layer"]) == ("r*", "nonfinite", None)
    assert (made["reason"], made["created_by"]) == ("a known fault", "someone")
    assert 1799 < made["expires_at"] - made["created_at"] < 1801
    listed = cli(d, "silences")[0]
    assert "r*" in listed and "any" in listed and "a known fault" in listed and "in 30 min" in listed
    with start(d) as training:
        fail(d, training)
        assert "silenced" in cli(d, "alerts")[0]
        cli(d, "alerts", "--check")  # what is silenced does not count
        assert json.loads(cli(d, "unsilence", "1", "--json")[0])["id"] == 1
        cli(d, "alerts", "--check", code=3)
        assert cli(d, "ack", "1")[0] == "alert 1 of r (nonfinite) is acknowledged\n"
        assert d.alerts("r")[0]["acknowledged"] is True
    assert cli(d, "end", "r")[0] == "r has ended\n"  # it had, by its goodbye
    (d.folder / "token").write_text(d.admin_token + "\n")
    out, _ = cli(d, "--admin-token-file", str(d.folder / "token"), "silence", "x", "--layer", "h.*", token=False)
    assert out == "silence 2 of x ends in 2 h\n" or out == "silence 2 of x ends in 120 min\n"


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["silence"], 2, "RUN is missing"),
        (["ack"], 2, "ID is missing"),
        (["unsilence"], 2, "ID is missing"),
        (["silence", "r", "--for", "soon"], 2, "expected a time such as"),
        (["silence", "r", "--layer", "a", "--layer", "b"], 2, "expected one --layer"),
        (["ack", "r", "--rule", "x"], 2, "no option --rule"),
        (["silence", "r", "--rule", "nobody"], 1, "rule"),
        (["unsilence", "99"], 1, "there is no silence 99"),
        (["ack", "99"], 1, "there is no alert 99"),
        (["end"], 2, "RUN is missing"),
        (["end", "nobody"], 1, "nobody"),
    ],
)
def test_bad_usage(daemon, arguments, code, said):
    d = daemon()
    out, err = cli(d, *arguments, code=code)
    assert out == "" and said in err and len(err.splitlines()) == 1


def test_without_the_admin_token(daemon):
    d = daemon()
    _, err = cli(d, "silence", "r", token=False, code=1)
    assert "set FORESHOCK_ADMIN_TOKEN" in err
    env = {"PATH": "/usr/bin:/bin", "FORESHOCK_URL": d.url, "FORESHOCK_ADMIN_TOKEN": "wrong-token"}
    done = subprocess.run([harness.cli(), "ack", "1"], env={**env, **{k: v for k, v in d.env.items() if "SAN_" in k}}, capture_output=True)
    assert done.returncode == 1 and b"the admin token was refused" in done.stderr


def test_a_reload_does_not_end_them(daemon, receiver):
    d = daemon(config=config(receiver))
    silence(d, run="r")
    d.process.send_signal(signal.SIGHUP)
    until(lambda: "reloaded" in d.log(), "the reload")
    with start(d) as training:
        assert fail(d, training)["silenced"] is True
        assert receiver.taken() == []
