"""`foreshock.watch` inside a training loop: what is sent is one forward pass, and the loop never
waits or breaks."""

import gc
import logging
import time

import numpy as np
import pytest
import torch
from models import GPT2, Llama
from peer import Peer, eventually
from torch.nn.modules import module as modules

import foreshock
from foreshock.cadence import Cadence


def batch(seed=0, rows=4, positions=8):
    return torch.randint(0, 11, (rows, positions), generator=torch.Generator().manual_seed(seed))


def train_step(model, optimizer, ids):
    loss = torch.nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss


def bits(tensor):
    """The raw bytes of a tensor as it is now."""
    size = {2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return tensor.detach().contiguous().view(size).numpy().tobytes()


def keep_first_inputs(module, kept):
    """Puts the inputs of the module's next call under "x"; returns the hook."""

    def hook(module, args, output):
        kept.setdefault("x", args[0].detach().clone())

    return module.register_forward_hook(hook)


def layer_numbers(peer):
    return {message["name"]: message["layer"] for message in peer.of_type("layer")}


def record_inputs(model, seen):
    """Keeps a copy of each linear layer's inputs, independently of the client."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(
                lambda module, args, output, name=name: seen.__setitem__(
                    name, args[0].detach().clone()
                )
            )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_forward_pass_is_sent_though_all_weights_are_overwritten(path, dtype):
    """The peer reads no tensor until every weight has been overwritten twice: after the forward
    pass, and again right after step() returned."""
    peer = Peer(path, piece_bytes=1 << 16).start()
    peer.reading_tensors = False
    model = Llama(d=64, ff=256, depth=2).to(dtype)
    inputs = {}
    record_inputs(model, inputs)
    monitor = foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1, tokens=8)
    truth = {}
    for step in range(3):
        truth[step] = {
            name: bits(m.weight)
            for name, m in model.named_modules()
            if isinstance(m, torch.nn.Linear)
        }
        loss = torch.nn.functional.cross_entropy(
            model(batch(step)).flatten(0, 1).float(), batch(step).flatten()
        )
        for name, value in inputs.items():
            rows = value.reshape(-1, value.shape[-1])
            truth[step][name + " inputs"] = bits(rows[torch.arange(8) * rows.shape[0] // 8])
        with torch.no_grad():
            for number, weight in enumerate(model.parameters()):
                weight.fill_(7.0 + number)
        monitor.step(step, loss=loss)
        with torch.no_grad():
            for number, weight in enumerate(model.parameters()):
                weight.copy_(torch.randn(weight.shape) * 0.1)
    assert not peer.tensors
    peer.reading_tensors = True
    assert monitor.flush(20)
    numbers, arrived = layer_numbers(peer), peer.whole()
    assert len(numbers) == 14 and len(arrived) == 14 * 2 * 3
    for step in range(3):
        for name, number in numbers.items():
            assert arrived[(number, "weights", step)] == truth[step][name], (step, name)
            assert arrived[(number, "activations", step)] == truth[step][name + " inputs"], (
                step,
                name,
            )
    monitor.close()
    peer.stop()


def test_weights_come_before_activations(peer):
    model = Llama()
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1) as monitor:
        model(batch())
        monitor.step(0)
        assert monitor.flush(10)
    seen = set()
    for header, _ in peer.tensors:
        if header["type"] == "tensor":
            if header["kind"] == "activations":
                assert header["layer"] in seen
            else:
                seen.add(header["layer"])


def test_transposed_slices_arrive_as_stored(peer):
    model = GPT2(d=8, depth=1)
    weight = model.h[0].attn.c_attn.weight.detach().clone()
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1) as monitor:
        model(batch())
        monitor.step(0)
        assert monitor.flush(10)
    number = layer_numbers(peer)["h.0.attn.c_attn.k"]
    layer = [m for m in peer.of_type("layer") if m["layer"] == number][0]
    assert layer["transposed"] and layer["shape"] == [8, 8] and layer["rows"] == [8, 16]
    assert peer.whole()[(number, "weights", 0)] == bits(weight[:, 8:16])


def test_samples_come_at_the_first_step_and_then_every_nth(peer):
    model = Llama(depth=1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=4) as monitor:
        for step in range(1, 11):
            train_step(model, optimizer, batch(step))
            monitor.step(step)
        assert monitor.flush(10)
    assert sorted({step for _, _, step in peer.whole()}) == [1, 4, 8]


def test_only_training_passes_count_and_only_the_first_of_a_step(peer):
    model = Llama(depth=1)
    inputs = {}
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1) as monitor:
        model.eval()
        model(batch(1))
        model.train()
        with torch.no_grad():
            model(batch(2))
        hook = keep_first_inputs(model.layers[0].mlp.up_proj, inputs)
        model(batch(3))
        model(batch(4))
        hook.remove()
        monitor.step(0)
        assert monitor.flush(10)
    number = layer_numbers(peer)["layers.0.mlp.up_proj"]
    assert peer.whole()[(number, "activations", 0)] == bits(inputs["x"])


@pytest.mark.parametrize("by_name", [False, True])
def test_padding_is_left_out(peer, by_name):
    model = Llama(depth=1)
    mask = torch.ones(4, 8, dtype=torch.long)
    mask[1:, 5:] = 0
    inputs = {}
    keep_first_inputs(model.layers[0].mlp.up_proj, inputs)
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1, tokens=10) as monitor:
        if by_name:
            model(batch(), attention_mask=mask)
        else:
            model(batch(), mask)
        monitor.step(0)
        assert monitor.flush(10)
    real = inputs["x"].reshape(32, -1)[mask.reshape(-1).bool()]
    expected = real[torch.arange(10) * real.shape[0] // 10]
    number = layer_numbers(peer)["layers.0.mlp.up_proj"]
    assert peer.whole()[(number, "activations", 0)] == bits(expected)


class Compiled(torch.nn.Module):
    """What torch.compile returns, where PyTorch has none: the model under `_orig_mod`."""

    def __init__(self, model):
        super().__init__()
        self._orig_mod = model

    def forward(self, ids):
        return self._orig_mod(ids)


def test_of_a_compiled_model_the_weights_are_sampled(peer):
    model = Llama(depth=1)
    modern = int(torch.__version__.split(".")[0]) >= 2
    compiled = torch.compile(model, backend="eager") if modern else Compiled(model)
    with foreshock.watch(compiled, run="r", endpoint=peer.endpoint, every=1) as monitor:
        before = {
            name: bits(m.weight)
            for name, m in model.named_modules()
            if isinstance(m, torch.nn.Linear)
        }
        for step in range(2):
            compiled(batch())
            monitor.step(step)
        assert monitor.flush(10) and monitor.run.internal_errors == 0
    numbers = layer_numbers(peer)
    assert len(numbers) == 7
    expected = {
        (number, "weights", step): before[name]
        for name, number in numbers.items()
        for step in range(2)
    }
    assert peer.whole() == expected


class Spy:
    """Counts everything by which a tensor's number reaches Python."""

    def __init__(self, monkeypatch):
        self.reads = 0
        for name in (
            "item",
            "tolist",
            "__float__",
            "__int__",
            "__bool__",
            "__index__",
            "cpu",
            "numpy",
        ):
            monkeypatch.setattr(torch.Tensor, name, self._counted(getattr(torch.Tensor, name)))

    def _counted(self, method):
        def counted(*args, **kwargs):
            self.reads += 1
            return method(*args, **kwargs)

        return counted


def test_a_tensor_loss_is_not_read_on_unsampled_steps(peer, monkeypatch):
    model = Llama(depth=1)
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=10) as monitor:
        model(batch())
        monitor.step(0, loss=torch.tensor(0.5), lr=0.1)
        spy = Spy(monkeypatch)
        for step in range(1, 10):
            model(batch(step))
            loss = torch.tensor(float(step), requires_grad=True)
            monitor.step(step, loss=loss, lr=0.1)
            with torch.no_grad():
                loss.fill_(-1.0)  # what was given is what was meant
        assert spy.reads == 0
        model(batch(10))
        monitor.step(10, loss=torch.tensor(10.0, dtype=torch.bfloat16), lr=0.1)
        assert spy.reads > 0
        monkeypatch.undo()
        assert monitor.flush(10)
    losses, rates = {}, []
    for message in peer.of_type("scalars"):
        if "loss" in message["values"]:
            losses[message["step"]] = message["values"]["loss"]
        if "lr" in message["values"]:
            rates.append(message["step"])
    assert losses == {0: 0.5, **{step: float(step) for step in range(1, 11)}}
    assert rates == list(range(11))


def test_tensor_scalars_are_read_in_the_end(peer):
    model = Llama(depth=1)
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1000) as monitor:
        for step in range(1, 6):
            monitor.step(step, loss=torch.tensor(2.0))
    peer.wait_for(lambda: any(m["type"] == "bye" for m in peer.control), "bye")
    assert [m["step"] for m in peer.of_type("scalars")] == [1, 2, 3, 4, 5]


def test_training_goes_on_without_a_daemon(path, caplog):
    caplog.set_level(logging.INFO, "foreshock")
    model = Llama(depth=2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    monitor = foreshock.watch(model, run="r", endpoint=f"ipc://{path}", every=1)
    monitor.run.outbox.limit = 200_000
    for step in range(60):
        monitor.step(step, loss=train_step(model, optimizer, batch(step)))
    assert monitor.run.outbox.used <= 200_000
    assert monitor.dropped.client > 0 and monitor.run.internal_errors == 0
    eventually(
        lambda: any("no foreshock daemon" in r.getMessage() for r in caplog.records), "the warning"
    )
    began = time.perf_counter()
    monitor.close()
    assert time.perf_counter() - began < 1.0
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1


def test_nothing_is_raised_into_the_loop(peer, caplog):
    model = Llama(depth=1)
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1) as monitor:
        for step, scalars in (
            (0, {"loss": "many"}),
            (1, {"loss": torch.zeros(3)}),
            (-5, {}),
            ("x", {}),
            (2, {"sa.x": 1.0}),
        ):
            model(batch())
            monitor.step(step, lr=0.5, **scalars)
        assert monitor.dropped.refused == 5 and monitor.run.internal_errors == 0
        before = {
            name: bits(m.weight)
            for name, m in model.named_modules()
            if isinstance(m, torch.nn.Linear)
        }
        mlp = model.layers[0].mlp
        mlp.up_proj.weight = torch.nn.Parameter(torch.zeros(3, 16))  # no longer as declared
        mlp.gate_proj.weight = torch.nn.Parameter(torch.zeros(3, 16))
        mlp.down_proj.weight = torch.nn.Parameter(torch.zeros(16, 3))
        model(batch())
        monitor.step(3, lr=0.5)
        assert monitor.run.internal_errors == 3
        assert monitor.flush(10)
    told = [record.getMessage() for record in caplog.records]
    assert sum("error in the client" in text for text in told) == 1
    assert sum("skips scalar 'loss'" in text for text in told) == 1  # of two
    assert sum("skips step -5" in text for text in told) == 1
    assert [m["step"] for m in peer.of_type("scalars") if "lr" in m["values"]] == [0, 1, 2, 3]
    numbers, arrived = layer_numbers(peer), peer.whole()
    assert {step for _, _, step in arrived} == {0, 1, 2, 3}
    for name, number in numbers.items():
        assert arrived[(number, "weights", 2)] == before[name]
        assert ((number, "weights", 3) in arrived) == ("mlp" not in name)


def test_hooks_are_gone_between_samples_and_after_the_end(peer):
    model = Llama(depth=1)

    def hooks():
        assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())
        return len(modules._global_forward_pre_hooks) + len(modules._global_forward_hooks)

    monitor = foreshock.watch(model, run="r", endpoint=peer.endpoint, every=10)
    assert hooks() > 0
    model(batch())
    monitor.step(1)
    assert hooks() == 0
    monitor.step(9)
    assert hooks() > 0
    monitor.close()
    assert hooks() == 0


def test_buffers_are_used_again(peer):
    model = Llama(depth=1)
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1) as monitor:
        for step in range(5):
            model(batch())
            monitor.step(step)
            assert monitor.flush(10)
            eventually(lambda: monitor.run.outbox.used == 0, "the buffers")
        gc.collect()
        idle = sum(len(buffers) for buffers in monitor._pool._idle.values())
        assert idle == 14  # seven layers: weights and inputs


def test_a_model_larger_than_the_memory_is_sampled_in_turns(peer):
    model = Llama(depth=4)
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1, tokens=4) as monitor:
        monitor.run.outbox.limit = max(group.reserve for group in monitor._groups)
        for step in range(40):
            model(batch())
            monitor.step(step)
            assert monitor.flush(10)
            eventually(lambda: monitor.run.outbox.used == 0, "the buffers")
    seen = {layer for layer, kind, _ in peer.whole() if kind == "weights"}
    assert seen == set(layer_numbers(peer).values())


def test_going_back_rewinds(peer):
    model = Llama(depth=1)
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1) as monitor:
        for step in (5, 6, 3):
            model(batch())
            monitor.step(step, loss=torch.tensor(1.0))
        assert monitor.flush(10)
    order = [(m["type"], m.get("step")) for m in peer.control if m["type"] in ("scalars", "rewind")]
    assert order == [("scalars", 5), ("scalars", 6), ("rewind", 3), ("scalars", 3)]


def test_disabled_is_nothing(monkeypatch):
    monkeypatch.setenv("FORESHOCK_DISABLED", "1")
    model = Llama(depth=1)
    with foreshock.watch(model, endpoint="nonsense") as monitor:
        model(batch())
        monitor.step(0, loss=1.0)
        assert monitor.alerts() == [] and monitor.flush() is True
    assert not modules._global_forward_pre_hooks and not modules._global_forward_hooks


@pytest.mark.parametrize(
    "wrong", [{"every": 0}, {"overhead": 0.0}, {"tokens": 0}, {"layers": ["nope"]}, {"run": "a b"}]
)
def test_mistakes_are_value_errors(wrong, path):
    with pytest.raises(ValueError):
        foreshock.watch(Llama(depth=1), endpoint=f"ipc://{path}", **wrong)


def test_only_a_module_is_watched(path):
    with pytest.raises(ValueError, match="model 3: expected a torch.nn.Module"):
        foreshock.watch(3, endpoint=f"ipc://{path}")


def test_the_cadence_keeps_the_cost_below_the_overhead():
    cadence, now, spent, samples = Cadence(None, 0.01), 0.0, 0.0, 0
    for step in range(20_000):
        now += 0.01
        if step == 0 or cadence.due(step):
            cadence.charge(0.005)
            now += 0.005
            spent += 0.005 if step else 0.0
            samples += 1
        cadence.tick(now)
    assert 0.009 < spent / now <= 0.01
    assert samples > 100


def test_pauses_buy_no_burst_of_samples():
    cadence = Cadence(None, 0.01)
    cadence.charge(0.005)
    cadence.tick(0.0)
    cadence.tick(3600.0)
    taken = 0
    while cadence.due(1):
        cadence.charge(0.005)
        taken += 1
    assert taken == 2


def test_importing_foreshock_imports_no_torch():
    import pathlib
    import subprocess
    import sys

    folder = pathlib.Path(foreshock.__file__).resolve().parents[1]
    code = "import sys, foreshock; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=folder).returncode == 0


def test_numpy_sees_what_was_sent(peer):
    """The payload read as docs/protocol.md says is the weight."""
    model = Llama(depth=1)
    weight = model.layers[0].mlp.down_proj.weight.detach().clone().numpy()
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1) as monitor:
        model(batch())
        monitor.step(0)
        assert monitor.flush(10)
    number = layer_numbers(peer)["layers.0.mlp.down_proj"]
    layer = [m for m in peer.of_type("layer") if m["layer"] == number][0]
    read = np.frombuffer(peer.whole()[(number, "weights", 0)], "<f4").reshape(layer["shape"])
    assert np.array_equal(read, weight)
