"""What says that training went back (a rewind, the training loss, the samples), and what is only a late point."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

import foreshock


class Training:
    """A small model that is watched, and takes steps."""

    def __init__(self, endpoint, **options):
        self.model = nn.Linear(4, 4)
        self.monitor = foreshock.watch(self.model, run="r", endpoint=endpoint, **options)

    def forward(self):
        self.model(torch.ones(2, 4)).sum().backward()
        with torch.no_grad():
            self.model.weight.mul_(2.0)  # sigma tells the step

    def step(self, step, **scalars):
        self.forward()
        self.monitor.step(step, **scalars)
        assert self.monitor.flush(20)


@pytest.fixture
def training(daemon):
    made = []

    def start(**options):
        d = daemon()
        made.append(Training(d.endpoint, **options))
        return d, made[-1]

    yield start
    for each in made:
        each.monitor.close()


def attempts(d):
    return d.log().count('"attempt begins"')


def points(d, metric, attempt, layer=""):
    found = d.api(f"/api/v1/runs/r/series?metric={metric}&layer={layer}&points=10000&attempt={attempt}")
    return {step: last for s in found["series"] for step, last in zip(s["step"], s["last"])}


def sigmas(d, attempt):
    layer = d.api("/api/v1/runs/r")["layers"][0]["name"]
    return points(d, "spectral.sigma1", attempt, layer)


def test_scalars_of_lower_steps_are_late_points(daemon):
    """A validation loss with steps of its own, another that comes late."""
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint) as run:
        for step in range(100):
            run.log(step, loss=1.0, lr=0.5)
            if step % 10 == 9:
                run.log_values(step // 10, {"val/loss": 2.0})
                run.log(step - 5, late=3.0)
        run.log(7, late=4.0)
        run.log(3, never_seen=5.0)
        assert run.flush(20)
        assert run.errors == []
    assert attempts(d) == 1
    assert points(d, "val/loss", 1) == dict.fromkeys(range(10), 2.0)
    assert set(points(d, "late", 1)) == {7, *range(4, 95, 10)}
    assert points(d, "never_seen", 1) == {3: 5.0} and len(points(d, "loss", 1)) == 100


def test_the_training_loss_that_goes_back_rewinds(daemon):
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint) as run:
        run.declare("w", shape=(4, 4))
        for step in (*range(10), *range(5, 12)):
            run.log(step, loss=float(step))
            run.weights(step, "w", np.eye(4, dtype=np.float32))
            assert run.flush(20)
    assert attempts(d) == 2
    for metric, layer in (("loss", ""), ("spectral.sigma1", "w")):
        assert set(points(d, metric, 1, layer)) == set(range(10))
        assert set(points(d, metric, 2, layer)) == set(range(5, 12))


def test_samples_that_go_back_rewind_once(daemon):
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint) as run:
        run.declare("w", shape=(4, 4))
        for step in (8, 9, 3, 4):
            run.weights(step, "w", np.eye(4, dtype=np.float32))
            run.log(step, loss=1.0, lr=1.0)
            assert run.flush(20)
    assert attempts(d) == 2
    assert set(points(d, "loss", 2)) == set(points(d, "spectral.sigma1", 2, "w")) == {3, 4}


def test_the_loss_and_the_samples_have_steps_of_their_own(daemon):
    """Samples that are sent behind the loss, as by another thread, are none that go back."""
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint) as run:
        run.declare("w", shape=(4, 4))
        for step in range(10):
            run.log(step, loss=1.0)
            if step >= 3:
                run.weights(step - 3, "w", np.eye(4, dtype=np.float32))
                assert run.flush(20)
    assert attempts(d) == 1
    assert set(points(d, "spectral.sigma1", 1, "w")) == set(range(7))


def test_a_rewind_is_said_by_the_run(daemon):
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint) as run:
        for step in range(10):
            run.log_values(step, {"train/loss": 1.0})
        run.rewind(4)
        for step in range(4, 8):
            run.log_values(step, {"train/loss": 2.0})
        assert run.flush(20)
    assert attempts(d) == 2
    assert points(d, "train/loss", 2) == dict.fromkeys(range(4, 8), 2.0)


@pytest.mark.parametrize("of_the_run", [False, True])
@pytest.mark.parametrize("as_tensors", [False, True])
def test_a_rewind_is_said_by_the_monitor(training, of_the_run, as_tensors):
    """The pass that was under way is given up; what was logged before stays in the attempt before,
    also what had not been read yet; the first step of the new attempt is sampled."""
    d, t = training(every=4)
    value = torch.tensor if as_tensors else float
    for step in range(11):
        t.forward()
        t.monitor.step(step, **{"train/loss": value(1.0)})
    t.forward()
    (t.monitor.run if of_the_run else t.monitor).rewind(5)
    with torch.no_grad():
        t.model.weight.copy_(torch.eye(4))
    for step in range(5, 10):
        t.forward()
        t.monitor.step(step, **{"train/loss": value(2.0)})
    assert t.monitor.flush(20) and t.monitor.run.errors == []
    assert attempts(d) == 2
    assert points(d, "train/loss", 1) == dict.fromkeys(range(11), 1.0)
    assert points(d, "train/loss", 2) == dict.fromkeys(range(5, 10), 2.0)
    assert sigmas(d, 2)[5] == pytest.approx(1.0, rel=1e-3) and set(sigmas(d, 2)) <= {5, 8}


def test_a_monitors_rewind_to_nowhere_is_refused(training, caplog):
    d, t = training(every=1)
    for step in (None, "x", 1.5, -1, True):
        t.monitor.rewind(step)
    t.step(0, loss=1.0)
    assert t.monitor.dropped.refused == 5 and attempts(d) == 1
    assert sum("foreshock skips" in r.getMessage() for r in caplog.records) == 1


@pytest.mark.parametrize("as_tensors", [False, True])
def test_the_loss_of_a_watched_training_that_goes_back_rewinds(training, as_tensors):
    d, t = training(every=1)
    for step in (*range(6), 3, 4):
        t.step(step, loss=torch.tensor(1.0) if as_tensors else 1.0)
    assert attempts(d) == 2
    for found in (points(d, "loss", 2), sigmas(d, 2)):
        assert set(found) == {3, 4}
    assert set(points(d, "loss", 1)) == set(range(6))


def test_a_sampled_step_without_scalars_that_goes_back_rewinds(training):
    d, t = training(every=1)
    for step in (5, 6, 3):
        t.step(step)
    assert attempts(d) == 2 and set(sigmas(d, 2)) == {3}


def test_validation_at_lower_steps_disturbs_no_sample(training):
    """Neither when nothing is sampled, nor between a forward pass and the end of its step."""
    d, t = training(every=4)
    first = torch.linalg.svdvals(t.model.weight.detach())[0].item()
    expected = {}
    for step in range(13):
        expected[step] = first * 2**step
        if step == 6:
            t.monitor.step(2, val_loss=torch.tensor(9.0))
            t.monitor.step(5, val_loss=9.0)
        t.forward()
        if step == 10:
            t.monitor.step(9, val_loss=9.0)
        t.monitor.step(step, loss=torch.tensor(1.0))
        assert t.monitor.flush(20)
    assert attempts(d) == 1 and t.monitor.run.errors == []
    sigma = sigmas(d, 1)
    assert set(sigma) == {0, 4, 8, 12}
    assert all(value == pytest.approx(expected[step], rel=1e-3) for step, value in sigma.items())
    assert points(d, "val_loss", 1) == {2: 9.0, 5: 9.0, 9: 9.0}


def test_a_sample_between_is_never_labelled_with_another_step(training):
    d, t = training(every=1)
    first = torch.linalg.svdvals(t.model.weight.detach())[0].item()
    for step in range(8):
        t.forward()
        if step in (3, 5):
            t.monitor.step(step - 2, val_loss=9.0)  # after the pass of `step`, before its end
        if step == 6:
            t.monitor.step(step - 1, val_loss=9.0)
        t.monitor.step(step, loss=1.0)
        assert t.monitor.flush(20)
    sigma = sigmas(d, 1)
    assert {0, 1, 2, 4, 7} <= set(sigma) and attempts(d) == 1
    for step, value in sigma.items():
        assert value == pytest.approx(first * 2**step, rel=1e-3), step


def test_micro_batches_are_one_step(training):
    d, t = training(every=2)
    for step in range(5):
        for _ in range(3):
            t.model(torch.ones(2, 4)).sum().backward()
            t.monitor.step(step, loss=torch.tensor(1.0))
        with torch.no_grad():
            t.model.weight.mul_(2.0)
        assert t.monitor.flush(20)
    sigma = sigmas(d, 1)
    assert set(sigma) == {0, 2, 4} and attempts(d) == 1
    assert sigma[4] == pytest.approx(16 * sigma[0], rel=1e-3)


def test_a_training_that_goes_back_in_silence_is_asked_to_say_so(training, caplog):
    caplog.set_level(logging.WARNING, "foreshock")
    _, t = training(every=1)
    for step in (*range(60), *range(10, 50)):
        t.forward()
        t.monitor.step(step, **{"train/loss": 1.0})
    told = [r.getMessage() for r in caplog.records if "call rewind" in r.getMessage()]
    assert len(told) == 1 and "below step 59" in told[0]


def test_numbers_and_tensors_of_one_name_keep_their_order(training):
    d, t = training(every=100)
    for step in range(60):
        t.forward()
        value = float(step)
        t.monitor.step(
            step,
            loss=torch.tensor(value) if step % 3 else value,
            grad_norm=value if step % 2 else torch.tensor(value),
            lr=value,
        )
    assert t.monitor.flush(20) and t.monitor.run.errors == []
    assert attempts(d) == 1
    for metric in ("loss", "grad_norm", "lr"):
        assert points(d, metric, 1) == {step: float(step) for step in range(60)}
