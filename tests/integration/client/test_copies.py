"""A watched model is copied, pickled, saved and scripted like any other, and its copies are not watched."""

import copy
import gc
import io
import pickle
import subprocess
import sys
import weakref

import pytest
import torch
from models import GPT2MLP, Llama
from torch import nn

import foreshock


class Plain(nn.Module):
    """One that torch.jit can script."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return self.outer(torch.relu(self.inner(x)))


class Keeper(Plain):
    """Keeps what watches it as an attribute."""

    def watch_me(self, endpoint):
        self.monitor = foreshock.watch(self, run="kept", endpoint=endpoint, every=1)
        self.session = self.monitor.run


def saved(model):
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    modern = int(torch.__version__.split(".")[0]) >= 2
    return torch.load(buffer, **({"weights_only": False} if modern else {}))


WAYS = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "save": saved,
    "average": lambda model: torch.optim.swa_utils.AveragedModel(model).module,
    "script": torch.jit.script,
    "trace": lambda model: torch.jit.trace(model, (torch.randn(4, 8),)),
    "fx": torch.fx.symbolic_trace,
}



def train(model, monitor, step, x=None):
    model(torch.randn(4, 8) if x is None else x).sum().backward()
    monitor.step(step, loss=1.0)


@pytest.mark.parametrize("way", list(WAYS))
def test_a_watched_model_is_copied_at_any_moment(daemon, way):
    d = daemon()
    torch.manual_seed(0)
    model = Plain()
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=2) as monitor:
        x = torch.randn(4, 8)
        for step in range(4):  # before the first forward pass, when a sample is due, and when none is
            other = WAYS[way](model)
            assert torch.equal(other(x), model(x))
            train(model, monitor, step)
        other = WAYS[way](model)
        assert monitor.flush(20) and monitor.run.internal_errors == 0
        assert set(d.series("r", "spectral.sigma1", "inner")) == {0, 2}
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())
    assert torch.equal(other(x), model(x))


def test_a_copy_is_not_taken_for_the_model(daemon):
    d = daemon()
    model = Plain()
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=1) as monitor:
        for step in range(3):
            average = copy.deepcopy(model).train()
            with torch.no_grad():
                for parameter in average.parameters():
                    parameter.fill_(100.0)
            average(torch.randn(4, 8)).sum().backward()
            train(model, monitor, step)
            average(torch.randn(4, 8)).sum().backward()
            assert monitor.flush(20)
        sigma = d.series("r", "spectral.sigma1", "inner")
    expected = torch.linalg.svdvals(model.inner.weight.detach())[0].item()
    assert len(sigma) == 3 and all(abs(s - expected) < 1e-2 * expected for s in sigma.values())


def test_tracing_is_no_forward_pass(daemon):
    """Neither torch.jit.trace nor FX, which passes stand-ins for tensors, spoils the sample."""
    d = daemon()
    model = GPT2MLP(8)  # whose layers are no leaves for FX
    x = torch.randn(4, 8)
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=1) as monitor:
        torch.fx.symbolic_trace(model)
        torch.jit.trace(model, (x,))
        train(model, monitor, 0, x)
        assert monitor.flush(20) and monitor.run.internal_errors == 0
        figures = d.api("/api/v1/runs/r/series?metric=sa.*&layer=*")["series"]
    assert any(each["layer"] == "c_fc" and each["step"] == [0] for each in figures), figures


def test_a_saved_model_is_loaded_where_foreshock_is_not_installed(daemon, tmp_path):
    d = daemon()
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
    file = tmp_path / "model.pt"
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=1):
        torch.save(model, file)
    code = (
        "import sys, torch\n"
        f"model = torch.load({str(file)!r}, **({{'weights_only': False}} if torch.__version__ >= '2' else {{}}))\n"
        "model(torch.zeros(1, 8)).sum().backward()\n"
        "sys.exit('foreshock' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", ["deepcopy", "pickle", "save", "average", "script"])
def test_a_copy_of_a_monitor_and_of_a_run_does_nothing(daemon, way):
    d = daemon()
    model = Keeper()
    model.watch_me(d.endpoint)
    other = WAYS[way](model)
    if way != "script":  # TorchScript keeps no such attribute
        train(other, other.monitor, 7)
        other.session.log(9, loss=3.0)
        other.session.declare("w", shape=(2, 2))
        assert other.session.weights(9, "w", "nothing") is False
        assert other.monitor.alerts() == [] and other.monitor.flush() and not other.monitor.firing
        other.monitor.close()
    train(model, model.monitor, 0)
    assert model.monitor.flush(20)
    assert set(d.series("kept", "loss")) == {0}
    assert set(d.series("kept", "spectral.sigma1", "inner")) == {0}
    model.monitor.close()


def test_weights_that_a_users_hook_makes_are_those_of_the_forward_pass(daemon):
    d = daemon()
    model = Plain()
    nn.utils.weight_norm(model.inner)  # a pre-hook computes `weight` at each call
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=1) as monitor:
        with torch.no_grad():
            model.inner.weight_g.mul_(3.0)
        train(model, monitor, 0)
        assert monitor.flush(20)
        sigma = d.series("r", "spectral.sigma1", "inner")[0]
    expected = torch.linalg.svdvals(model.inner.weight.detach())[0].item()
    assert abs(sigma - expected) < 1e-2 * expected


def test_a_parametrized_model_is_copied(daemon):
    d = daemon()
    model = Plain()
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=1) as monitor:
        nn.utils.parametrizations.spectral_norm(model.inner)
        other = copy.deepcopy(model)
        train(model, monitor, 0)
        assert monitor.flush(20) and monitor.run.internal_errors == 0
        assert set(d.series("r", "spectral.sigma1", "inner")) == {0}
    assert other.inner.parametrizations.weight.original.shape == (16, 8)


def test_two_models_are_watched_side_by_side(daemon):
    d = daemon()
    first, second = Llama(depth=1), Llama(depth=1)
    ids = torch.randint(0, 11, (2, 6))
    with foreshock.watch(first, run="a", endpoint=d.endpoint, every=1) as one:
        with foreshock.watch(second, run="b", endpoint=d.endpoint, every=1) as two:
            for step in range(2):
                second(first(ids).argmax(-1)).sum().backward()
                one.step(step)
                first(ids).sum().backward()
                two.step(step)
                assert one.flush(20) and two.flush(20)
    for run in "ab":
        assert set(d.series(run, "spectral.sigma1", "layers.0.self_attn.q_proj")) == {0, 1}


def test_a_forgotten_monitor_does_not_keep_its_model(daemon):
    d = daemon()
    model = Plain()
    seen = weakref.ref(model)
    monitor = foreshock.watch(model, run="r", endpoint=d.endpoint, every=1)
    run = monitor.run
    del model, monitor
    gc.collect()
    assert seen() is None
    run.close()
    Plain()(torch.zeros(1, 8))  # whose call finds nobody that listens
    assert not torch.nn.modules.module._global_forward_hooks
