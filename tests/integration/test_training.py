"""`foreshock.watch` in a real training against the real daemon: what is measured is the forward pass, and nothing that
befalls the daemon stops or breaks the loop."""

import contextlib
import logging
import os
import signal

import numpy as np
import pytest

import foreshock
import training
from harness import until
from test_figures import Errors, Stored, block_of, check_alignment, check_neurons, check_rotation, check_spectrum

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

LEASE = 1.0
SHORT = f"limits: {{lease_seconds: {LEASE}}}\n"


def make_model(width=32, hidden=80, dtype=torch.float32):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return training.model_class()(width, 2, 2, hidden, 16).to(dtype)


def watched_layers(model):
    return {name: m for name, m in model.named_modules() if name.rsplit(".", 1)[-1] in training.LAYERS}


def numbers(tensor):
    """A copy as float64, which holds every float32 and bfloat16 as it is."""
    return tensor.detach().double().numpy().copy()


def loss_of(model, step):
    ids = torch.randint(0, 128, (4, 17), generator=torch.Generator().manual_seed(step))
    return torch.nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1).float(), ids[:, 1:].flatten())


def overwrite(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=7.0)


@contextlib.contextmanager
def stopped(daemon):
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


class Truth:
    """What the forward passes of a model saw, kept by hooks of our own."""

    def __init__(self, model):
        self.steps, self.inputs = {}, {}
        for name, module in watched_layers(model).items():
            module.register_forward_pre_hook(
                lambda module, args, name=name: self.inputs.__setitem__(name, numbers(args[0].flatten(0, -2))))

    def keep(self, model, step):
        """After the forward pass of `step`, before anything else."""
        self.steps[step] = {n: numbers(m.weight) for n, m in watched_layers(model).items()}, dict(self.inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_forward_pass_is_measured_whatever_happens_to_the_weights(daemon, dtype):
    """The daemon is stopped, so that nothing is read from the sockets, while every weight is overwritten after the forward
    pass, and again right after step() returned."""
    d = daemon()
    model = make_model(128, 352, dtype)  # more bytes a step than the sockets hold
    truth = Truth(model)
    monitor = foreshock.watch(model, run="r", endpoint=d.endpoint, every=1)
    assert monitor.flush(30)
    with stopped(d):
        for step in range(4):
            before = [p.detach().clone() for p in model.parameters()]
            loss = loss_of(model, step)
            truth.keep(model, step)
            loss.backward()
            overwrite(model)
            monitor.step(step, loss=loss)
            overwrite(model)
            with torch.no_grad():
                for parameter, was in zip(model.parameters(), before):
                    parameter.copy_(was - 0.5 * parameter.grad)
                    parameter.grad = None
    assert monitor.flush(30)
    stored, errors = Stored(d, "r"), Errors()
    for layer in watched_layers(model):
        check_layer(errors, stored, layer, truth.steps, dtype == torch.bfloat16)
    for block in {block_of(layer) for layer in watched_layers(model)} - {None}:
        parts = [f"{block}.{part}" for part in ("up_proj", "down_proj", "gate_proj")]
        for step in steps_of(stored, parts[0]):
            check_neurons(errors, stored, block, step, *(truth.steps[step][0][part] for part in parts))
    assert monitor.run.internal_errors == 0 and monitor.dropped.client == 0
    monitor.close()


def steps_of(stored, layer):
    return sorted(step for name, metric, step in stored.values if (name, metric) == (layer, "spectral.sigma1"))


def check_layer(errors, stored, layer, truth, narrow):
    """Of samples that wait the newest is kept, so older ones may be missing: all that is there must be right."""
    steps = steps_of(stored, layer)
    assert steps and steps[-1] == max(truth)
    first = previous = None
    for step in steps:
        W, X = truth[step][0][layer], truth[step][1][layer]
        first = W if first is None else first
        v1, slack = check_spectrum(errors, stored, layer, step, W)
        check_alignment(errors, stored, layer, step, X, v1, slack)
        check_rotation(errors, stored, layer, step, W, first, previous, narrow)
        previous = W


class Loop:
    """A training that goes on step by step for as long as a test wants."""

    def __init__(self, monitor, model):
        self.monitor, self.model, self.step, self.losses = monitor, model, 0, {}
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train(self):
        loss = loss_of(self.model, self.step)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.monitor.step(self.step, loss=loss)
        self.losses[self.step] = float(loss)
        self.step += 1

    def train_until(self, condition, what):
        until(lambda: (self.train(), condition())[1], what)

    def train_on(self, daemon):
        """Until the daemon has figures of steps that are still to come."""
        began = self.step
        self.train_until(lambda: max(daemon.series("r", "sa.tokens", layer(self.model)), default=-1) > began, "new samples")


def layer(model):
    return next(iter(watched_layers(model)))


def test_training_goes_on_whatever_befalls_the_daemon(daemon, caplog):
    caplog.set_level(logging.WARNING, "foreshock")
    told = lambda text: sum(text in message for message in caplog.messages)
    d = daemon(config=SHORT)
    d.stop()
    model = make_model()
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=2) as monitor:
        loop = Loop(monitor, model)
        loop.train_until(lambda: told("no foreshock daemon at"), "the word that the daemon is absent")
        d.start()
        until(lambda: any(run["layers"] for run in d.api("/api/v1/runs")["runs"]), "the connection")
        loop.train_on(d)

        d.kill()
        loop.train_until(lambda: told("is gone"), "the word that the daemon is gone")
        d.start()
        loop.train_on(d)

        with stopped(d):
            began, end = loop.step, loop.step + 20
            loop.train_until(lambda: told("does not answer") and loop.step > end, "the word that the daemon is silent")
            assert monitor.run.flush(LEASE) is False  # stopped for longer than the lease
        loop.train_on(d)

        assert monitor.flush(30)
        assert [told(text) for text in ("no foreshock daemon at", "is gone", "does not answer")] == [1, 1, 1]
        assert d.alerts("r", rule="run_lost") == [] and d.metric("foreshock_leases_lost_total") == 0
        run = d.api("/api/v1/runs/r")
        assert run["state"] == "running" and run["attempt"] == 1
        assert monitor.run.internal_errors == 0 and monitor.dropped.scalars == 0
        assert d.series("r", "loss") == loop.losses  # not one is lost
    until(lambda: d.api("/api/v1/runs/r")["state"] == "ended", "the bye")


class Loss(torch.Tensor):
    """A loss that notes each time somebody reads its number, which on an accelerator would wait for it."""

    reads = []
    step = None

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if getattr(func, "__name__", "") in ("item", "tolist", "__float__", "numpy", "__bool__", "cpu", "__array__"):
            cls.reads.append(cls.step)
        return super().__torch_function__(func, types, args, kwargs or {})


def test_a_loss_that_is_a_tensor_is_read_at_sampled_steps_only(daemon):
    d = daemon()
    model = make_model()
    Loss.reads.clear()
    expected = {}
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=5) as monitor:
        for step in range(23):
            Loss.step = step
            loss = loss_of(model, step)
            expected[step] = float(loss.detach())
            monitor.step(step, loss=loss.detach().as_subclass(Loss))
        assert set(Loss.reads) == {0, 5, 10, 15, 20}
        Loss.step = "flush"
        assert monitor.flush(30)
        assert d.series("r", "loss") == expected
        assert set(Loss.reads) == {0, 5, 10, 15, 20, "flush"}


def test_a_model_that_is_sampled_in_turns_is_warned_of(daemon):
    """Too large for its memory: no sample holds half of its layers. From step 300 on something multiplies the weights."""
    d = daemon()
    torch.manual_seed(0)
    model = training.model_class()(32, 4, 2, 80, 16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=5, tokens=64) as monitor:
        groups = [group.reserve for group in monitor._groups]
        monitor.run.outbox.limit = max(groups)
        for step in range(450):
            loss = loss_of(model, step)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step > 300:
                with torch.no_grad():
                    for parameter in model.parameters():
                        parameter.mul_(1.01)
            monitor.step(step, loss=loss)
            until(lambda: monitor.run.outbox.used == 0, "the way of a sample to the daemon")
        assert monitor.flush(30)
        sampled = [set(d.series("r", "spectral.sigma1", name)) for name in watched_layers(model)]
        together = [sum(step in steps for steps in sampled) for step in range(0, 450, 5)]
        assert max(together) < len(sampled) / 2 and min(together) > 0
        alert = d.alerts("r", rule="sigma_growth")[0]
        assert 300 < alert["started_step"] < 420 and alert["evidence"][0]["metric"] == "sigma_growth.median"
        risk = d.series("r", "run.risk")
        assert len(risk) > 40 and max(risk) > 390
