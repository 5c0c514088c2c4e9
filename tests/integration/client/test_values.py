"""Steps and scalars of any kind: what can be taken arrives, what cannot is counted and named once, and nothing else suffers."""

import fractions
import logging

import numpy as np
import pytest
import torch
from torch import nn

import foreshock

STEPS = {
    "float": float,
    "numpy int64": np.int64,
    "numpy int32": np.int32,
    "numpy float64": np.float64,
    "numpy float32": np.float32,
    "array": np.array,
    "array of floats": lambda step: np.array(float(step)),
    "tensor": torch.tensor,
    "tensor of floats": lambda step: torch.tensor(float(step)),
    "fraction": fractions.Fraction,
}
NO_STEPS = {
    "a half": 1.5,
    "nan": float("nan"),
    "infinity": float("inf"),
    "bool": True,
    "text": "3",
    "bytes": b"3",
    "nothing": None,
    "complex": 3j,
    "negative": -1,
    "2^53": 2**53,
    "10^5000": 10**5000,
    "several": torch.tensor([1, 2]),
    "list": [3],
}
NUMBERS = {
    "bool": (True, 1.0),
    "int": (3, 3.0),
    "numpy float32": (np.float32(0.5), 0.5),
    "numpy bool": (np.bool_(True), 1.0),
    "array": (np.array(0.5), 0.5),
    "tensor": (torch.tensor(0.5), 0.5),
    "tensor of one element": (torch.tensor([[0.5]]), 0.5),
    "tensor with a graph": (torch.tensor(0.5, requires_grad=True) * 1, 0.5),
    "bfloat16": (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
    "bool tensor": (torch.tensor(True), 1.0),
    "parameter": (nn.Parameter(torch.tensor(0.5)), 0.5),
    "infinity": (float("inf"), None),
}
NO_NUMBERS = {
    "text": "0.5",
    "bytes": b"1",
    "surrogates": "\udc80",
    "complex": 1j,
    "numpy complex": np.complex64(1),
    "complex tensor": torch.tensor(1j),
    "several": torch.zeros(3),
    "none at all": torch.zeros(0),
    "meta tensor": torch.zeros((), device="meta"),
    "10^400": 10**400,
    "10^5000": 10**5000,
    "list": [1.0],
    "dictionary": {"a": 1},
}
NO_NAMES = ("", "a b", "\udc80", "loss\n", "spectral.sigma1", "x" * 65, "größe")


class Broken:
    """Raises whatever is asked of it."""

    def __getattr__(self, name):
        raise KeyError(name)

    def __float__(self):
        raise KeyError("float")

    def __repr__(self):
        raise KeyError("repr")


def skipped(caplog):
    return [r.getMessage() for r in caplog.records if "foreshock skips" in r.getMessage()]


def blamed(run):
    """What the daemon had to refuse, or the sending thread to drop."""
    return run.errors, run._transport.failures, run.internal_errors


def test_steps_of_every_kind_arrive(daemon):
    d = daemon()
    for number, (kind, make) in enumerate(STEPS.items()):
        model = nn.Linear(4, 4)
        with foreshock.watch(model, run=f"r{number}", endpoint=d.endpoint, every=1) as monitor:
            for step in (0, 7):
                model(torch.ones(2, 4)).sum().backward()
                monitor.step(make(step), loss=torch.tensor(1.0), lr=0.5)
                assert monitor.flush(20)
            assert monitor.dropped.refused == 0 and blamed(monitor.run) == ([], 0, 0), kind
            monitor.run.log(make(8), norm=1.0)
            assert monitor.run.flush(20)
        for metric, layer in (("loss", ""), ("lr", ""), ("spectral.sigma1", "linear")):
            layer = layer and d.api(f"/api/v1/runs/r{number}")["layers"][0]["name"]
            assert set(d.series(f"r{number}", metric, layer)) == {0, 7}, kind
        assert set(d.series(f"r{number}", "norm")) == {8}


def test_what_is_no_step_is_skipped_and_named_once(daemon, caplog):
    d = daemon()
    model = nn.Linear(4, 4)
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=1) as monitor:
        for step, odd in enumerate([*NO_STEPS.values(), Broken()]):
            model(torch.ones(2, 4)).sum().backward()
            monitor.step(odd, loss=torch.tensor(5.0), lr=5.0)
            model(torch.ones(2, 4)).sum().backward()
            monitor.step(step, loss=torch.tensor(1.0), lr=1.0)
            assert monitor.flush(20)
            with pytest.raises(ValueError, match="step"):
                monitor.run.log(odd, loss=1.0)
        count = len(NO_STEPS) + 1
        assert monitor.dropped.refused == count and blamed(monitor.run) == ([], 0, 0)
    assert len(skipped(caplog)) == 1
    expected = dict.fromkeys(range(count), 1.0)
    assert d.series("r", "loss") == expected and d.series("r", "lr") == expected
    layer = d.api("/api/v1/runs/r")["layers"][0]["name"]
    assert set(d.series("r", "spectral.sigma1", layer)) == set(expected)


def test_numbers_of_every_kind_arrive(daemon):
    d = daemon()
    with foreshock.watch(nn.Linear(4, 4), run="r", endpoint=d.endpoint, every=1) as monitor:
        for step, (value, _) in enumerate(NUMBERS.values()):
            monitor.step(step, value=value)
            monitor.run.log(step, direct=value)
        assert monitor.flush(20) and monitor.dropped.refused == 0
        assert blamed(monitor.run) == ([], 0, 0)
    expected = {step: number for step, (_, number) in enumerate(NUMBERS.values())}
    assert d.series("r", "value") == expected and d.series("r", "direct") == expected


def test_what_is_no_number_is_skipped_and_named_once(daemon, caplog):
    d = daemon()
    odd = [*NO_NUMBERS.values(), Broken()]
    with foreshock.watch(nn.Linear(4, 4), run="r", endpoint=d.endpoint, every=1) as monitor:
        for step, value in enumerate(odd):
            monitor.step(step, odd=value, loss=torch.tensor(0.5), lr=0.5, nothing=None)
            with pytest.raises(ValueError, match="'odd'"):
                monitor.run.log(step, odd=value)
        assert monitor.flush(20)
        assert monitor.dropped.refused == len(odd) and blamed(monitor.run) == ([], 0, 0)
    assert len(skipped(caplog)) == 1 and "scalar 'odd'" in skipped(caplog)[0]
    expected = dict.fromkeys(range(len(odd)), 0.5)
    assert d.series("r", "loss") == expected and d.series("r", "lr") == expected
    assert d.series("r", "odd") == {}


def test_names_that_none_may_have_are_skipped_and_named_once_each(daemon, caplog):
    d = daemon()
    with foreshock.watch(nn.Linear(4, 4), run="r", endpoint=d.endpoint, every=1) as monitor:
        for step in range(3):
            monitor.step(step, lr=0.5, **dict.fromkeys(NO_NAMES, 1.0))
        for name in (*NO_NAMES, 5, None, ("a",)):
            with pytest.raises(ValueError, match="scalar name"):
                monitor.run.log_values(3, {name: 1.0})
        assert monitor.flush(20) and blamed(monitor.run) == ([], 0, 0)
        assert monitor.dropped.refused == 3 * len(NO_NAMES)
    assert len(skipped(caplog)) == len(NO_NAMES)
    assert set(d.series("r", "lr")) == {0, 1, 2}


def test_endless_new_names_fill_neither_the_log_nor_the_memory(path, caplog):
    with foreshock.watch(nn.Linear(4, 4), run="r", endpoint=f"ipc://{path}") as monitor:
        for step in range(300):
            monitor.step(step, **{f"no name {step}": 1.0})
        assert monitor.dropped.refused == 300
    assert len(skipped(caplog)) == 100


@pytest.mark.parametrize(
    "wrong",
    [
        {"run": 5},
        {"run": "größe"},
        {"tags": ["a"]},
        {"tags": {"a": "\udc80"}},
        {"tags": {"\udc80": "a"}},
        {"tags": {"a": "x" * 257}},
        {"tags": dict.fromkeys(map(str, range(33)), "")},
        {"name": 5},
        {"name": "\udc80"},
        {"name": "a\nb"},
        {"rank": "0"},
        {"rank": -1},
    ],
)
def test_a_hello_that_cannot_be_said_is_a_value_error(path, wrong):
    with pytest.raises(ValueError):
        foreshock.Run(**{"run": "r", "endpoint": f"ipc://{path}", **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "\udc80"},
        {"name": 5},
        {"shape": (2.5, 3)},
        {"shape": 5},
        {"shape": (True, 3)},
        {"shape": ("2", 3)},
        {"shape": (2, 3, 4)},
        {"shape": (2, 2**31)},
        {"dtype": "int8"},
        {"dtype": torch.float32},
        {"block": "\udc80"},
        {"block": 5},
        {"role": None.__class__},
        {"rows": (0, 1.5)},
        {"rows": 5},
        {"shard": ("rows", 0)},
        {"shard": 5},
        {"transposed": "yes"},
    ],
)
def test_a_layer_that_cannot_be_declared_is_a_value_error_and_nothing_else(daemon, wrong):
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint) as run:
        with pytest.raises(ValueError):
            run.declare(**{"name": "w", "shape": (2, 3), "dtype": "float32", **wrong})
        run.declare("w", shape=(np.int64(2), 3.0), dtype="float32", rows=(np.int64(0), np.int32(2)))
        assert run.weights(0, "w", np.eye(2, 3, dtype=np.float32))
        assert run.flush(20) and blamed(run) == ([], 0, 0)
    assert set(d.series("r", "spectral.sigma1", "w")) == {0}


def test_more_scalars_than_a_message_takes_arrive(daemon):
    """As numbers and as tensors, which are read later."""
    d = daemon()
    with foreshock.watch(nn.Linear(4, 4), run="r", endpoint=d.endpoint) as monitor:
        monitor.step(1, **{f"number{i}": float(i) for i in range(300)})
        monitor.step(2, **{f"tensor{i}": torch.tensor(float(i)) for i in range(300)})
        assert monitor.flush(20) and monitor.dropped == foreshock.outbox.Counts()
    assert d.series("r", "number299") == {1: 299.0}
    assert d.series("r", "tensor0") == {2: 0.0} and d.series("r", "tensor299") == {2: 299.0}


def test_what_cannot_be_encoded_after_all_is_dropped_alone(daemon, caplog):
    """Past every check: the sending thread drops such an item, and the queue goes on."""
    caplog.set_level(logging.WARNING, "foreshock")
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint) as run:
        run.declare("w", shape=(2, 2), dtype="float32")
        run.declare("v", shape=(2, 2), dtype="float32")
        run.outbox.layers[0]["role"] = "chef"
        run.outbox.put_scalars(100.0, {"loss": 1.0})
        run.outbox.put_scalars(1, {"a b": 1.0})
        run.weights(2, "w", np.eye(2, dtype=np.float32))
        run.weights(2, "v", np.eye(2, dtype=np.float32))
        run.log(2, loss=0.5)
        assert run.flush(20)
        assert (run.dropped.scalars, run.dropped.client, run.errors) == (2, 1, [])
        assert run.outbox.used == 0
    assert d.series("r", "loss") == {2: 0.5}
    assert set(d.series("r", "spectral.sigma1", "v")) == {2}
    told = [r.getMessage() for r in caplog.records if "cannot be encoded" in r.getMessage()]
    assert len(told) == 1
    assert not any("is gone" in r.getMessage() for r in caplog.records)
