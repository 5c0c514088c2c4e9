"""The first sample of each block, from which rotation is measured, is not dropped for newer ones."""

import logging
import threading
import time

import numpy as np
import pytest
import torch
from models import Llama
from peer import ALL, Peer, eventually
from torch import nn

import foreshock
from harness import until
from raw import Raw

SIZE = 32 * 32 * 4  # bytes of a matrix below


def matrix(seed=0):
    return np.random.default_rng(seed).standard_normal((32, 32)).astype(np.float32)


def batch():
    return torch.randint(0, 11, (4, 8))


def train(model, monitor, steps):
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for step in steps:
        model(batch()).pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        monitor.step(step)


def baseline_steps(daemon, run="r"):
    layers = daemon.api(f"/api/v1/runs/{run}")["layers"]
    return {
        layer["name"]: layer["last"]["rotation.baseline_step"]["value"]
        for layer in layers
        if "rotation.baseline_step" in layer["last"]
    }


def steps_of(peer, layer=0):
    return sorted(step for number, kind, step in peer.whole() if (number, kind) == (layer, "weights"))


def late_baselines(caplog):
    return [r.getMessage() for r in caplog.records if "first weights" in r.getMessage()]


def test_every_layer_of_a_small_model_is_measured_from_its_first_step(daemon, caplog):
    d = daemon()
    model = Llama(depth=2)
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=1) as monitor:
        train(model, monitor, range(30))
        assert monitor.flush(30)
        steps = until(
            lambda: len(baseline_steps(d)) == 14 and baseline_steps(d), "rotation of every layer"
        )
    assert set(steps.values()) == {0} and late_baselines(caplog) == []


def test_a_daemon_that_appears_late_gets_the_first_samples(path):
    peer = Peer(path)
    model = Llama(depth=2)
    monitor = foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1, tokens=4)
    monitor.run.outbox.limit = 2 * sum(group.reserve for group in monitor._groups)
    train(model, monitor, range(60))
    assert monitor.run.outbox.used <= monitor.run.outbox.limit and monitor.dropped.client > 0
    peer.start()
    assert monitor.flush(20)
    firsts = [step for _, kind, step in peer.whole() if kind == "weights" and step == 0]
    assert len(firsts) == 14
    assert len(peer.of_type("want")) == 2 * 14  # each tensor of the first samples, no other
    monitor.close()
    peer.stop()


def test_while_first_samples_fill_the_room_newer_ones_are_dropped(path):
    run = foreshock.Run("r", endpoint=f"ipc://{path}", memory=2 * SIZE)
    for name in "ab":
        run.declare(name, shape=(32, 32))
    for step in range(10):
        for name in "ab":
            assert run.weights(step, name, matrix(step)) is (step == 0)
    assert run.outbox.used == 2 * SIZE and run.dropped.client == 18
    run.close()


def test_a_first_sample_in_parts_is_kept_whole_or_dropped_whole(path):
    run = foreshock.Run("r", endpoint=f"ipc://{path}", memory=3 * SIZE)
    for part in ("in", "out"):
        run.declare(part, shape=(32, 32), role=f"mlp.{part}", block="x", dtype="float32")
    run.declare("other", shape=(32, 32))
    run.weights(0, "other", matrix())
    run.weights(0, "in", matrix())
    run.activations(0, "in", matrix())
    assert run.weights(0, "out", matrix()) is False  # no room: what waits of the block goes too
    assert run.weights(1, "in", matrix()) and run.weights(1, "out", matrix())
    assert run.weights(2, "in", matrix()) is False
    assert run.outbox.first_steps() == {"other": 0, "x": 1}
    assert [(s.block, s.step) for s in run.outbox.samples.waiting] == [
        ("other", 0),
        ("x", 1),
        ("x", 1),
    ]
    run.close()


def test_a_first_sample_is_kept_until_a_flush_covers_it(path):
    """The daemon goes away before it has committed anything: the next one gets the first sample."""
    peer = Peer(path, answers=ALL - {"flush"}).start()
    run = foreshock.Run("r", endpoint=peer.endpoint)
    run.declare("w", shape=(32, 32))
    for step in range(3):
        run.weights(step, "w", matrix(step))
    peer.wait_for(lambda: steps_of(peer) == [0, 1, 2], "three samples")
    assert len(peer.of_type("want")) == 1
    eventually(lambda: run.outbox.used == SIZE, "the room of the others")
    peer.stop()
    second = Peer(path).start()
    assert run.flush(20)
    assert steps_of(second) == [0]
    assert second.whole()[(0, "weights", 0)] == matrix(0).tobytes()
    assert run.outbox.used == 0 and run.dropped.client == 0
    run.weights(3, "w", matrix(3))
    assert run.flush(20) and len(second.of_type("want")) == 1
    run.close()
    second.stop()


def test_a_first_sample_that_was_half_sent_is_sent_again(path):
    peer = Peer(path, piece_bytes=SIZE // 4).start()
    peer.reading_tensors = False
    run = foreshock.Run("r", endpoint=peer.endpoint)
    run.declare("w", shape=(32, 32))
    run.weights(0, "w", matrix())
    peer.wait_for(lambda: peer.of_type("want"), "the question")
    peer.stop()
    second = Peer(path).start()
    assert run.flush(20)
    assert second.whole()[(0, "weights", 0)] == matrix().tobytes() and run.dropped.client == 0
    run.close()
    second.stop()


def test_the_first_sample_after_a_rewind_is_kept_too(path):
    peer = Peer(path, answers=ALL - {"want"}).start()
    run = foreshock.Run("r", endpoint=peer.endpoint, memory=4 * SIZE)
    run.declare("w", shape=(32, 32))
    for step in (*range(5), 2, 3, 4, 5, 6):
        run.weights(step, "w", matrix(step))
    assert run.outbox.first_steps() == {"w": 2}
    waiting = [s.step for s in run.outbox.samples.waiting if hasattr(s, "tensors")]
    assert waiting[0] == 0 and 2 in waiting and waiting[-1] == 6
    assert run.outbox.used <= 4 * SIZE
    run.close()
    peer.stop()


def test_room_for_a_first_sample_is_waited_for_and_stalls_nothing(daemon):
    """The daemon's memory is taken by another; the first sample waits, training goes on, and it
    arrives when there is room."""
    d = daemon(config="limits: {memory_bytes: 64MiB, sample_deadline_seconds: 600}\nworkers: 1\n")
    with Raw(d.endpoint, run="holder", lossless=True) as holder:
        holder.hello()
        holder.send({"type": "want", "tensor": 0, "bytes": 64 << 20})
        holder.receive("grant")
        with foreshock.Run("r", endpoint=d.endpoint) as run:
            run.declare("w", shape=(32, 32))
            slowest = 0.0
            for step in range(50):
                began = time.perf_counter()
                run.weights(step, "w", matrix(step))
                run.log(step, loss=1.0)
                slowest = max(slowest, time.perf_counter() - began)
            assert run.flush(0.5) is False and slowest < 0.5
            until(lambda: d.series("r", "loss"), "the scalars, which nothing holds up")
            assert d.metric("foreshock_dropped_budget_total") == 0
            holder.send({"type": "bye", "dropped": 0})
            assert run.flush(30)
            assert 0 in d.series("r", "spectral.sigma1", "w")


def test_a_later_baseline_is_told_once(peer, caplog):
    """A model that is sampled in turns: the other blocks' first samples are of later steps."""
    model = nn.Sequential(*[nn.Linear(8, 8) for _ in range(3)])
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1, tokens=4) as monitor:
        monitor._discard()
        monitor.run.outbox.limit = monitor._groups[0].reserve
        monitor._turn = 0
        monitor._arm()
        for step in range(5, 15):
            model(torch.ones(4, 8)).sum().backward()
            monitor.step(step)
            assert monitor.flush(10)
            eventually(lambda: monitor.run.outbox.used == 0, "the buffers")
    assert late_baselines(caplog) == [
        "foreshock: there was no room for the first weights of 2 of 3 layers: if the run has none of "
        "before, their rotation is measured from step 6 to 7"
    ]


def test_the_first_pass_in_training_is_the_first_sample(peer):
    model = nn.Linear(8, 8)
    with foreshock.watch(model, run="r", endpoint=peer.endpoint, every=1) as monitor:
        model.eval()
        model(torch.ones(4, 8)).sum().backward()
        monitor.step(0)
        model.train()
        model(torch.ones(4, 8)).sum().backward()
        monitor.step(1)
        assert monitor.flush(10)
    assert steps_of(peer) == [1] and len(peer.of_type("want")) == 2


# ---- watch(wait=) ------------------------------------------------------------------------------------


def test_watch_waits_for_the_welcome(path):
    peer = Peer(path)

    def appear():
        time.sleep(0.5)
        peer.start()

    threading.Thread(target=appear, daemon=True).start()
    with foreshock.watch(nn.Linear(4, 4), run="r", endpoint=peer.endpoint, wait=20) as monitor:
        assert peer.of_type("hello") and monitor.run._transport._welcomes == 1
    peer.stop()


@pytest.mark.parametrize("wait", [0.2, 1.5])
def test_watch_returns_without_a_daemon_after_one_warning(path, caplog, wait):
    caplog.set_level(logging.INFO, "foreshock")
    began = time.monotonic()
    monitor = foreshock.watch(nn.Linear(4, 4), run="r", endpoint=f"ipc://{path}", wait=wait)
    assert wait <= time.monotonic() - began < wait + 5
    eventually(lambda: caplog.records, "the warning")
    monitor.close()
    assert [r.getMessage()[:20] for r in caplog.records] == ["no foreshock daemon "]


def test_watch_does_not_wait_for_a_session_that_is_refused(path):
    peer = Peer(path, answers=set()).start()
    fields = {"field": "version", "value": "1", "expected": "2", "about": "hello", "fatal": True}
    peer.say({"type": "error", "code": "version", **fields})
    began = time.monotonic()
    monitor = foreshock.watch(nn.Linear(4, 4), run="r", endpoint=peer.endpoint, wait=60)
    assert time.monotonic() - began < 30
    monitor.step(0, loss=1.0)
    monitor.close()
    peer.stop()


@pytest.mark.parametrize("wait", [-1, float("nan"), float("inf"), "5", True, [1]])
def test_watch_waits_for_seconds(path, wait):
    with pytest.raises(ValueError, match="wait"):
        foreshock.watch(nn.Linear(4, 4), run="r", endpoint=f"ipc://{path}", wait=wait)
