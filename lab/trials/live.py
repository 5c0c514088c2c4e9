"""Trainings that a real foreshockd watches, judged by its alerts and held against exact figures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import foreshock
from evaluation.replay import Alarm

from .agreement import Comparison, Reference, stored_figures
from .labels import Watchdog
from .record import Recording
from .settings import Settings
from .training import Training, nothing

TOKENS = 8192  # more than any batch has: both sides see all of them
FLUSH_SECONDS = 60.0


class Incomplete(Exception):
    """The daemon did not confirm what it was sent; one line."""


@dataclass
class Outcome:
    """`row` as in a manifest; `alarms` as the daemon's API tells them; `seconds` of training."""

    row: dict[str, Any]
    alarms: list[Alarm]
    reference: Reference
    seconds: float


def train(settings: Settings, endpoint: str) -> tuple[Recording, Reference]:
    """Trains while the client watches and this side keeps its own figures. After each sample it
    waits until the daemon has committed it, so that none is dropped however slow the machine."""
    training = Training(settings)
    reference = Reference(training.watched, TOKENS)
    recording = Recording(settings, reference)
    layers = {layer.name: (layer.role, layer.block or None) for layer in training.watched}
    watchdog = Watchdog()
    with foreshock.watch(
        training.model,
        run=settings.id,
        endpoint=endpoint,
        every=settings.every,
        tokens=TOKENS,
        layers=layers,
    ) as monitor:
        for t in range(settings.steps):
            sampled = t % settings.every == 0
            training.capture(sampled)
            step = settings.step0 + t
            scalars = training.step(partial(recording.sample, step) if sampled else nothing)
            recording.scalars.append((scalars.loss, scalars.grad_norm, scalars.lr))
            monitor.step(step, loss=scalars.loss, grad_norm=scalars.grad_norm, lr=scalars.lr)
            if sampled and not monitor.flush(FLUSH_SECONDS):
                raise Incomplete(f"{settings.id}: step {step} was not confirmed")
            if watchdog.over(scalars.loss):
                break
        if not monitor.flush(FLUSH_SECONDS):
            raise Incomplete(f"{settings.id}: the end was not confirmed")
        if monitor.dropped.client or monitor.dropped.daemon:
            raise Incomplete(f"{settings.id}: samples were dropped: {monitor.dropped}")
    return recording, reference


def trial(settings: Settings, daemon: Any) -> Outcome:
    """One training against a daemon (that has `endpoint` and `api(path)`)."""
    began = time.monotonic()
    recording, reference = train(settings, daemon.endpoint)
    seconds = time.monotonic() - began
    alerts = daemon.api(f"/api/v1/alerts?run={settings.id}")["alerts"]
    alarms = [
        Alarm(
            settings.id,
            alert["started_step"],
            alert["rule"],
            "observed" if alert["observed"] else alert["severity"],
        )
        for alert in alerts
    ]
    return Outcome(recording.manifest_row(seconds), sorted(alarms), reference, seconds)


def compare(outcome: Outcome, daemon: Any, comparison: Comparison) -> None:
    """Adds what the daemon stored of a trial."""
    run = outcome.row["id"]
    comparison.add(run, outcome.reference, stored_figures(daemon, run))
