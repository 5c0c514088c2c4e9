"""Alerts in a real Alertmanager."""

import json
import socket

import pytest

import foreshock
from harness import until
from receiver import Alertmanager, Receiver

NAN = float("nan")


@pytest.fixture
def alertmanager(folder):
    """A running Alertmanager and a receiver of what it notifies."""
    told = Receiver()
    manager = Alertmanager(folder / "am", told.url)
    yield manager.start(), told
    manager.stop()
    told.stop()


def config(manager, **options):
    am = {"type": "alertmanager", "url": manager.url, "resend_seconds": 1, "labels": {"team": "research"}, **options}
    return json.dumps({"http": {"external_url": "https://mon.example/"}, "notifiers": {"am": am}})


def fire(d, run="r"):
    training = foreshock.Run(run, endpoint=d.endpoint, wait=20)
    training.log(1, loss=NAN)
    assert training.flush(timeout=20)
    return training


def statuses(told):
    """What Alertmanager told people: (status, alertname, severity)."""
    return [(a["status"], a["labels"]["alertname"], a["labels"]["severity"]) for m in told.taken() for a in m["alerts"]]


def test_firing_and_resolved(daemon, alertmanager):
    manager, told = alertmanager
    d = daemon(config=config(manager))
    training = fire(d)
    (alert,) = until(manager.alerts, "the alert")
    assert alert["labels"] == {
        "alertname": "ForeshockNonfinite", "severity": "critical", "run": "r", "rule": "nonfinite", "team": "research",
        "instance": socket.gethostname(),
    }  # fmt: skip
    (known,) = d.alerts("r")
    assert alert["annotations"]["summary"] == known["title"]
    assert alert["annotations"]["description"] == known["summary"]
    assert alert["annotations"]["step"] == "1"
    assert alert["generatorURL"] == "https://mon.example/#run=r"
    until(lambda: ("firing", "ForeshockNonfinite", "critical") in statuses(told), "word of it")
    training.close()
    until(lambda: not manager.alerts(), "its end")
    until(lambda: ("resolved", "ForeshockNonfinite", "critical") in statuses(told), "word of its end")


def test_it_goes_on_firing(daemon, alertmanager):
    """For longer than Alertmanager would believe one message (eight seconds), and nobody is told twice."""
    manager, told = alertmanager
    d = daemon(config=config(manager, resend_seconds=2))
    with fire(d):
        (first,) = until(manager.alerts, "the alert")
        until(lambda: [a["endsAt"] for a in manager.alerts() if a["updatedAt"] > first["endsAt"]], "its being sent again")
        assert statuses(told) == [("firing", "ForeshockNonfinite", "critical")]
        assert d.metric("foreshock_notify_delivered_total", '{notifier="am"}') == 1


def test_an_alertmanager_that_forgot(daemon, alertmanager):
    manager, _ = alertmanager
    d = daemon(config=config(manager))
    with fire(d):
        until(manager.alerts, "the alert")
        manager.stop()
        manager.start()
        until(manager.alerts, "the alert again")


def test_a_daemon_that_was_away(daemon, alertmanager):
    """It sends what fires right after its start, long before the next turn."""
    manager, _ = alertmanager
    d = daemon(config=config(manager, resend_seconds=3000))
    fire(d)
    until(manager.alerts, "the alert")
    d.kill()
    manager.stop()
    manager.start()
    d.start()
    until(manager.alerts, "the alert again")


def test_an_outage(daemon, folder):
    manager = Alertmanager(folder / "am")
    d = daemon(config=config(manager))
    try:
        with fire(d):
            until(lambda: d.metric("foreshock_notify_retries_total", '{notifier="am"}') >= 1, "a try in vain")
            assert d.request("/readyz")[0] == 200
            manager.start()
            until(manager.alerts, "the alert")
        until(lambda: not manager.alerts(), "its end")
    finally:
        manager.stop()


def test_the_same_rule_again(daemon, alertmanager):
    """A run that fires, is resolved and fires anew: the end of the first must not hide the second."""
    manager, _ = alertmanager
    d = daemon(config=config(manager))
    fire(d).close()
    until(lambda: d.alerts("r", state="resolved"), "the end of the first")
    with fire(d):
        until(lambda: d.metric("foreshock_notify_delivered_total", '{notifier="am"}') == 3, "all three messages")
        assert [labels["rule"] for labels in manager.labels()] == ["nonfinite"]


def test_a_wrong_path(daemon, alertmanager):
    """It answers 404, which somebody may mend: tried on, and told in the log."""
    manager, _ = alertmanager
    d = daemon(config=config(manager, url=f"{manager.url}/nowhere"))
    with fire(d):
        until(lambda: d.metric("foreshock_notify_retries_total", '{notifier="am"}') >= 2, "tries in vain")
        assert d.metric("foreshock_notify_failed_total", '{notifier="am"}') == 0
    assert "status=404" in d.log()


def log_losses(training, first, losses):
    for step, loss in enumerate(losses, first):
        training.log(step, loss=loss)
    assert training.flush(timeout=20)


def test_a_warning_that_becomes_critical(daemon, alertmanager):
    """The severity is a label: the alert with the old one ends, and the one with the new one fires."""
    manager, told = alertmanager
    d = daemon(config=config(manager))
    with foreshock.Run("r", endpoint=d.endpoint, wait=20) as training:
        log_losses(training, 0, [2 + 3 * 0.95**step for step in range(400)])
        log_losses(training, 400, [4.0] * 10)  # well above its lowest level
        until(lambda: [labels["severity"] for labels in manager.labels()] == ["warning"], "the warning")
        log_losses(training, 410, [20.0] * 120)  # worse than where it began, and it stays
        until(lambda: [labels["severity"] for labels in manager.labels()] == ["critical"], "the other severity")
        until(lambda: ("resolved", "ForeshockLossHigh", "warning") in statuses(told), "word of the old one's end")
        assert ("firing", "ForeshockLossHigh", "critical") in statuses(told)
        (known,) = d.alerts("r")
        # The sixth high loss in a row is the first that no earlier low one hides.
        assert (known["severity"], known["state"], known["started_step"]) == ("critical", "firing", 405)
        # Of the two the old one ended by the message, not for want of news: nothing but the new one is sent again.
        assert d.metric("foreshock_notify_delivered_total", '{notifier="am"}') == 2
