"""`foreshock.Run` against a socket that is there, stalls, forgets or is absent."""

import logging
import os
import time

import numpy as np
import pytest
import torch
from elsewhere import Elsewhere
from peer import ALL, Peer, eventually

import foreshock


def matrix(rows, columns, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def absent_warnings(caplog):
    return [record for record in caplog.records if "no foreshock daemon" in record.getMessage()]


def test_everything_arrives_in_order_and_flush_is_true(peer):
    weights, inputs = matrix(3, 5), matrix(7, 5, 1)
    with foreshock.Run("r", endpoint=peer.endpoint, name="display", tags={"a": "b"}) as run:
        run.declare("x.gate", shape=(3, 5), role="mlp.gate", block="x")
        assert run.weights(4, "x.gate", weights, initial=True)
        assert run.activations(4, "x.gate", inputs)
        run.log(4, loss=2.5, lr=1e-3)
        assert run.flush(timeout=10)
    hello, layer = peer.of_type("hello")[0], peer.of_type("layer")[0]
    assert (hello["run"], hello["name"], hello["tags"], hello["world"]) == (
        "r",
        "display",
        {"a": "b"},
        1,
    )
    assert (layer["shape"], layer["dtype"], layer["role"], layer["block"]) == (
        [3, 5],
        "float32",
        "mlp.gate",
        "x",
    )
    assert peer.of_type("scalars")[0]["values"] == {"loss": 2.5, "lr": 1e-3}
    assert peer.whole() == {
        (0, "weights", 4): weights.tobytes(),
        (0, "activations", 4): inputs.tobytes(),
    }
    assert peer.tensors[0][0]["initial"] is True
    peer.wait_for(lambda: any(m["type"] == "bye" for m in peer.control), "bye")


def test_a_large_tensor_travels_in_pieces(path):
    peer = Peer(path, piece_bytes=1000).start()
    weights = matrix(64, 33)
    with foreshock.Run("r", endpoint=peer.endpoint) as run:
        run.declare("w", shape=(64, 33))
        run.weights(0, "w", weights)
        assert run.flush(10)
    sizes = [len(payload) for header, payload in peer.tensors if header["type"] == "tensor"]
    assert max(sizes) == 1000 and sum(sizes) == weights.nbytes
    assert peer.whole()[(0, "weights", 0)] == weights.tobytes()
    peer.stop()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_dtypes_and_layouts_of_numpy(peer, dtype):
    array = matrix(4, 6).astype(dtype)
    with foreshock.Run("r", endpoint=peer.endpoint) as run:
        run.declare("plain", shape=(4, 6))
        run.declare("stored", shape=(6, 4), transposed=True)
        run.weights(0, "plain", np.asfortranarray(array))
        run.weights(0, "stored", array)
        assert run.flush(10)
    assert peer.whole()[(0, "weights", 0)] == array.tobytes()
    assert peer.whole()[(1, "weights", 0)] == array.tobytes()
    stored = [header for header, _ in peer.tensors if header.get("layer") == 1][0]
    assert stored["shape"] == [6, 4] and stored["dtype"] == dtype


def test_a_shard_is_declared_with_the_whole_shape_and_sent_with_its_own(peer):
    with foreshock.Run("r", endpoint=peer.endpoint) as run:
        run.declare("rows", shape=(8, 6), shard=("rows", 2, 5))
        run.declare("cols", shape=(8, 6), shard=("cols", 4, 6), transposed=True)
        run.declare("rows", shape=(8, 6), shard=("rows", 2, 5))
        run.weights(0, "rows", matrix(3, 6))
        run.weights(0, "cols", matrix(2, 8))
        run.activations(0, "cols", matrix(7, 6))
        with pytest.raises(ValueError, match=r"shape \(8, 6\); expected \(3, 6\)"):
            run.weights(1, "rows", matrix(8, 6))
        with pytest.raises(ValueError, match="shard"):
            run.declare("rows", shape=(8, 6), shard=("rows", 2, 6))
        assert run.flush(10)
    layers = peer.of_type("layer")
    assert [m["shape"] for m in layers] == [[8, 6], [8, 6]]
    assert [m["shard"] for m in layers] == [["rows", 2, 5], ["cols", 4, 6]]
    shapes = [header["shape"] for header, _ in peer.tensors if header["type"] == "tensor"]
    assert shapes == [[3, 6], [8, 2], [7, 6]]


def test_bfloat16_as_raw_bits(peer):
    bits = (matrix(4, 6).view(np.uint32) >> 16).astype(np.uint16)
    with foreshock.Run("r", endpoint=peer.endpoint) as run:
        run.declare("w", shape=(4, 6))
        run.weights(0, "w", bits, dtype="bfloat16")
        assert run.flush(10)
    assert peer.of_type("layer")[0]["dtype"] == "bfloat16"
    assert peer.whole()[(0, "weights", 0)] == bits.tobytes()


def test_the_array_may_be_overwritten_at_once(peer):
    peer.reading_tensors = False
    weights = matrix(400, 400)
    copy = weights.copy()
    with foreshock.Run("r", endpoint=peer.endpoint) as run:
        run.declare("w", shape=(400, 400))
        run.weights(0, "w", weights)
        weights[:] = -1
        peer.reading_tensors = True
        assert run.flush(10)
    assert peer.whole()[(0, "weights", 0)] == copy.tobytes()


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda run: run.weights(0, "w", matrix(5, 4)), ["'w'", "shape (5, 4)", "(4, 5)"]),
        (lambda run: run.weights(0, "v", matrix(4, 5)), ["'v'", "not declared", "['w']"]),
        (
            lambda run: run.weights(0, "w", matrix(4, 5).astype(np.float16)),
            ["dtype float16", "float32"],
        ),
        (lambda run: run.weights(0, "w", np.zeros((4, 5), int)), ["dtype int64", "float32"]),
        (lambda run: run.weights(-1, "w", matrix(4, 5)), ["step -1"]),
        (lambda run: run.weights("x", "w", matrix(4, 5)), ["step 'x'", "whole number"]),
        (lambda run: run.activations(1.5, "w", matrix(4, 5)), ["step 1.5", "whole number"]),
        (lambda run: run.log(None, loss=1.0), ["step None", "whole number"]),
        (lambda run: run.log(0, loss=None), ["'loss'", "None", "expected a number"]),
        (lambda run: run.log(0, loss="2.5"), ["'loss'", "'2.5'", "expected a number"]),
        (lambda run: run.log(0, loss=[1.0]), ["'loss'", "[1.0]", "expected a number"]),
        (lambda run: run.activations(0, "w", matrix(4, 6)), ["(4, 6)", "[tokens, 5]"]),
        (lambda run: run.declare("w", shape=(4, 6)), ["'w'", "(4, 6)", "(4, 5)"]),
        (lambda run: run.declare("a\nb", shape=(4, 6)), ["name"]),
        (lambda run: run.declare("a/../b", shape=(4, 6)), ["name"]),
        (lambda run: run.declare("b", shape=(0, 6)), ["shape"]),
        (lambda run: run.declare("b", shape=(4, 6), role="chef"), ["role", "chef"]),
        (lambda run: run.declare("b", shape=(4, 6), shard=("columns", 0, 1)), ["shard", "cols"]),
        (lambda run: run.declare("b", shape=(4, 6), shard=("rows", 2, 5)), ["shard", "shape"]),
        (lambda run: run.declare("w", shape=(4, 5), shard=("rows", 0, 2)), ["'w'", "shard", "None"]),
        (lambda run: run.log_values(0, {"spectral.x": 1.0}), ["spectral.x"]),
    ],
)
def test_mistakes_name_field_value_and_what_was_expected(path, call, words):
    with foreshock.Run("r", endpoint=f"ipc://{path}") as run:
        run.declare("w", shape=(4, 5), dtype="float32")
        with pytest.raises(ValueError) as caught:
            call(run)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    "endpoint, word",
    [
        ("/tmp/x", "ipc://PATH"),
        ("ipc://" + "/x" * 52, "at most 107"),
        ("udp://h:1", "tcp://"),
        ("ipc://", "ipc://PATH"),
    ],
)
def test_bad_endpoints(endpoint, word):
    with pytest.raises(foreshock.EndpointError, match=word):
        foreshock.Run("r", endpoint=endpoint)


def test_bad_run_ids():
    with pytest.raises(ValueError, match="expected"):
        foreshock.Run("x" * 10_000)


def test_absent_daemon_costs_one_warning_and_bounded_memory(path, caplog):
    caplog.set_level(logging.INFO, "foreshock")
    run = foreshock.Run("r", endpoint=f"ipc://{path}", memory=1 << 20)
    run.declare("w", shape=(256, 256))
    weights = matrix(256, 256)
    slowest = 0.0
    for step in range(200):
        began = time.perf_counter()
        run.weights(step, "w", weights)
        run.log(step, loss=1.0)
        slowest = max(slowest, time.perf_counter() - began)
    assert run.outbox.used <= 1 << 20
    assert run.dropped.client == 196  # four of 256 KiB fit; the first and the newest are kept
    steps = [sample.step for sample in run.outbox.samples.waiting]
    assert steps == [0, 197, 198, 199]
    assert slowest < 0.5
    assert run.flush(timeout=0.2) is False
    eventually(lambda: absent_warnings(caplog), "the warning")
    began = time.perf_counter()
    run.close()
    assert time.perf_counter() - began < 1.0
    assert len(absent_warnings(caplog)) == 1


def test_connects_when_the_daemon_appears_and_sends_the_scalars_kept(path, caplog):
    caplog.set_level(logging.INFO, "foreshock")
    run = foreshock.Run("r", endpoint=f"ipc://{path}")
    for step in range(20_000):
        run.log(step, loss=float(step))
    assert run.dropped.scalars == 10_000
    eventually(lambda: absent_warnings(caplog), "the warning")
    peer = Peer(path).start()
    assert run.flush(timeout=20)
    assert [m["step"] for m in peer.of_type("scalars")] == list(range(10_000, 20_000))
    assert sum("connected to" in record.getMessage() for record in caplog.records) == 1
    run.close()
    peer.stop()


def test_unknown_session_is_answered_by_hello_and_layers_again(peer):
    run = foreshock.Run("r", endpoint=peer.endpoint)
    run.declare("w", shape=(2, 2), dtype="float32")
    peer.wait_for(lambda: any(m["type"] == "heartbeat" for m in peer.control), "heartbeat")
    fields = {"field": "", "value": "", "expected": "hello", "about": "heartbeat", "fatal": False}
    peer.say({"type": "error", "code": "unknown_session", **fields})
    peer.wait_for(lambda: sum(m["type"] == "layer" for m in peer.control) == 2, "the layer again")
    assert run.weights(0, "w", matrix(2, 2)) and run.flush(10)
    hellos = peer.of_type("hello")
    assert len(hellos) == 2 and hellos[0] == hellos[1]
    assert [header["ticket"] for header, _ in peer.tensors][-1] == (2).to_bytes(16, "big")
    assert [error.code for error in run.errors] == ["unknown_session"]
    run.close()


def test_a_killed_daemon_is_found_again(path, caplog):
    caplog.set_level(logging.INFO, "foreshock")
    peer = Peer(path).start()
    run = foreshock.Run("r", endpoint=peer.endpoint)
    run.declare("w", shape=(2, 2))
    run.weights(0, "w", matrix(2, 2))
    assert run.flush(10)
    peer.stop()
    eventually(
        lambda: any("is gone" in record.getMessage() for record in caplog.records), "the warning"
    )
    for step in range(1, 50):
        run.weights(step, "w", matrix(2, 2, step))
        run.log(step, loss=0.5)
    second = Peer(path).start()
    assert run.flush(20)
    assert [m["step"] for m in second.of_type("scalars")] == list(range(1, 50))
    assert second.whole()[(0, "weights", 49)] == matrix(2, 2, 49).tobytes()
    assert len(second.of_type("layer")) == 1
    run.close()
    second.stop()


def test_a_silent_daemon_is_noticed_and_heard_again(peer, caplog):
    caplog.set_level(logging.INFO, "foreshock")
    run = foreshock.Run("r", endpoint=peer.endpoint, memory=1 << 20)
    run.declare("w", shape=(256, 256))
    peer.wait_for(lambda: any(m["type"] == "heartbeat" for m in peer.control), "heartbeat")
    peer.answers = {"hello"}
    eventually(
        lambda: any("does not answer" in r.getMessage() for r in caplog.records), "the warning"
    )
    for step in range(30):
        run.weights(step, "w", matrix(256, 256, step))
    assert run.outbox.used <= 1 << 20
    assert not run.flush(0.1)
    peer.answers = ALL
    peer.say({"type": "pulse", "dropped": 0})
    assert run.flush(20)
    assert (0, "weights", 29) in peer.whole()
    assert sum("does not answer" in r.getMessage() for r in caplog.records) == 1
    run.close()


def test_a_full_queue_drops_whole_samples_of_the_same_block(path):
    run = foreshock.Run("r", endpoint=f"ipc://{path}", memory=6 * 4096)
    for block in "ab":
        for part in ("in", "out"):
            run.declare(
                f"{block}.{part}", shape=(32, 32), role=f"mlp.{part}", block=block, dtype="float32"
            )
    for step in range(5):
        for block in "ab":
            for part in ("in", "out"):
                run.weights(step, f"{block}.{part}", matrix(32, 32, step))
    waiting = [(sample.block, sample.step) for sample in run.outbox.samples.waiting]
    assert len(waiting) == 6
    for block in "ab":
        steps = [step for name, step in waiting if name == block]
        assert all(steps.count(step) == 2 for step in steps), waiting  # whole or not at all
        assert 0 in steps  # the first stays
    assert [step for _, step in waiting].count(4) >= 2  # of the others the newest wins
    assert run.dropped.client == 10 - 3
    run.close()


def test_lossless_sends_again_what_was_not_committed(path):
    peer = Peer(path, answers={"hello", "heartbeat", "want"}).start()
    run = foreshock.Run("r", endpoint=peer.endpoint, wait=20)
    run.declare("w", shape=(8, 8))
    for step in range(10):
        run.weights(step, "w", matrix(8, 8, step))
        run.log(step, loss=float(step))
    peer.wait_for(lambda: len(peer.tensors) >= 10, "ten tensors")
    assert peer.of_type("hello")[0]["lossless"] is True
    assert [m["tensor"] for m in peer.of_type("want")] == list(range(10))
    peer.stop()
    second = Peer(path).start()
    assert run.flush(20)
    assert [m["step"] for m in second.of_type("scalars")] == list(range(10))
    numbers = [header["tensor"] for header, _ in second.tensors if header["type"] == "tensor"]
    assert numbers == list(range(10))
    assert second.whole() == {
        (0, "weights", step): matrix(8, 8, step).tobytes() for step in range(10)
    }
    assert run.outbox.used == 0 and run.dropped.client == 0
    run.close()
    second.stop()


def test_lossless_asks_again_where_too_much_is_asked_for(path):
    peer = Peer(path, answers={"hello", "heartbeat", "flush"}).start()
    run = foreshock.Run("r", endpoint=peer.endpoint, wait=20)
    run.declare("w", shape=(8, 8))
    run.weights(0, "w", matrix(8, 8))
    fields = {"field": "tensor", "value": "0", "expected": "fewer", "about": "want", "fatal": False}
    for asked in (1, 2):
        peer.wait_for(lambda: len(peer.of_type("want")) == asked, "the question")
        peer.say({"type": "error", "code": "limit", **fields})
    peer.wait_for(lambda: len(peer.of_type("want")) == 3, "the question once more")
    peer.say({"type": "grant", "tensor": 0})
    assert run.flush(20)
    assert peer.whole() == {(0, "weights", 0): matrix(8, 8).tobytes()}
    assert run.dropped.client == 0 and run.errors == []
    run.close()
    peer.stop()


def test_lossless_waits_for_room_then_raises(path):
    run = foreshock.Run("r", endpoint=f"ipc://{path}", wait=0.2, memory=10_000)
    run.declare("w", shape=(32, 32))
    run.weights(0, "w", matrix(32, 32))
    run.weights(1, "w", matrix(32, 32))
    with pytest.raises(foreshock.Timeout, match="8192 of 10000"):
        run.weights(2, "w", matrix(32, 32))
    run.close()


def test_lossless_flushes_by_itself_when_its_buffer_is_full(peer):
    with foreshock.Run("r", endpoint=peer.endpoint, wait=20, memory=10_000) as run:
        run.declare("w", shape=(32, 32))
        for step in range(40):
            assert run.weights(step, "w", matrix(32, 32, step))
        assert run.flush(20)
        assert run.outbox.used == 0
    assert peer.whole() == {
        (0, "weights", step): matrix(32, 32, step).tobytes() for step in range(40)
    }


def test_a_rewind_stands_between_the_samples_on_both_sockets(peer):
    with foreshock.Run("r", endpoint=peer.endpoint) as run:
        run.declare("w", shape=(8, 8))
        for step in (5, 6, 3, 4):
            run.log(step, loss=1.0)
            run.weights(step, "w", matrix(8, 8, step))
        assert run.flush(20)
    order = [(m["type"], m.get("step")) for m in peer.control if m["type"] in ("scalars", "rewind")]
    assert order == [("scalars", 5), ("scalars", 6), ("rewind", 3), ("scalars", 3), ("scalars", 4)]
    types = [header["type"] for header, _ in peer.tensors]
    assert types[:6] == ["tensor", "tensor", "flush", "tensor", "tensor", "flush"]
    steps = [header["step"] for header, _ in peer.tensors if header["type"] == "tensor"]
    assert steps == [5, 6, 3, 4]


@pytest.mark.parametrize("first", ["weights", "activations"])
def test_tensors_of_a_lower_step_rewind_too(peer, first):
    with foreshock.Run("r", endpoint=peer.endpoint, wait=20) as run:
        run.declare("w", shape=(8, 8), dtype="float32")
        for step in (5, 6, 3, 4):
            getattr(run, first)(step, "w", matrix(8, 8, step))
            run.log(step, loss=1.0)
            run.activations(step, "w", matrix(2, 8, step))
        assert run.flush(20)
    order = [(m["type"], m["step"]) for m in peer.control if m["type"] in ("scalars", "rewind")]
    assert order == [("scalars", 5), ("scalars", 6), ("rewind", 3), ("scalars", 3), ("scalars", 4)]
    steps = [header["step"] for header, _ in peer.tensors if header["type"] == "tensor"]
    assert steps == [5, 5, 6, 6, 3, 3, 4, 4]


def test_a_mistake_does_not_rewind(peer):
    with foreshock.Run("r", endpoint=peer.endpoint) as run:
        run.declare("w", shape=(8, 8))
        run.log(5, loss=1.0)
        with pytest.raises(ValueError):
            run.weights(3, "w", matrix(4, 4))
        assert run.flush(20)
    assert not peer.of_type("rewind")


@pytest.fixture
def system_folder(tmp_path, monkeypatch):
    folder = tmp_path / "system"
    folder.mkdir()
    monkeypatch.setattr(foreshock.endpoint, "SYSTEM_FOLDER", str(folder))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "own"))
    return folder


def test_a_system_folder_that_may_not_be_entered_is_told(system_folder, monkeypatch, caplog):
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(system_folder))
    assert foreshock.endpoint.resolve() == f"ipc://{system_folder}/ingest.sock"
    with foreshock.Run("r"):
        eventually(lambda: absent_warnings(caplog), "the warning")
    text = absent_warnings(caplog)[0].getMessage()
    assert "permission denied: join the group foreshock" in text


def test_the_socket_that_is_there_goes_first(system_folder, tmp_path):
    (tmp_path / "own" / "foreshock").mkdir(parents=True)
    own = tmp_path / "own" / "foreshock" / "ingest.sock"
    own.touch()
    assert foreshock.endpoint.resolve() == f"ipc://{own}"
    own.unlink()
    system_folder.rmdir()
    assert foreshock.endpoint.resolve() == f"ipc://{own}"


def test_alerts_come_once_and_firing_follows(peer):
    run = foreshock.Run("r", endpoint=peer.endpoint)
    peer.wait_for(lambda: any(m["type"] == "hello" for m in peer.control), "hello")
    alert = {
        "type": "alert",
        "id": 7,
        "rule": "sa",
        "severity": "warning",
        "state": "firing",
        "title": "t",
    }
    alert.update(summary="s", layers=["w"], step=3)
    peer.say(alert)
    peer.say(alert)
    eventually(lambda: run.firing, "the alert")
    assert [(a.id, a.state, a.layers) for a in run.alerts()] == [(7, "firing", ("w",))]
    assert run.alerts() == [] and [a.id for a in run.firing] == [7]
    peer.say({**alert, "state": "resolved"})
    eventually(lambda: not run.firing, "its resolution")
    assert [a.state for a in run.alerts()] == ["resolved"]
    run.close()


def test_errors_are_logged_once_and_counted(peer, caplog):
    run = foreshock.Run("r", endpoint=peer.endpoint)
    peer.wait_for(lambda: any(m["type"] == "hello" for m in peer.control), "hello")
    for step in range(5):
        fields = {
            "field": "step",
            "value": str(step),
            "expected": "9",
            "about": "tensor",
            "fatal": False,
        }
        peer.say({"type": "error", "code": "step_backwards", **fields})
    eventually(lambda: len(run.errors) == 5, "the errors")
    assert sum("step_backwards" in record.getMessage() for record in caplog.records) == 1
    run.close()


def test_a_fatal_error_ends_the_session_but_not_the_training(path):
    peer = Peer(path, answers=set()).start()
    run = foreshock.Run("r", endpoint=peer.endpoint)
    peer.wait_for(lambda: any(m["type"] == "hello" for m in peer.control), "hello")
    fields = {"field": "version", "value": "1", "expected": "2", "about": "hello", "fatal": True}
    peer.say({"type": "error", "code": "version", **fields})
    eventually(lambda: run.outbox.closed, "the end")
    run.declare("w", shape=(2, 2))
    assert run.weights(0, "w", matrix(2, 2)) is False
    run.log(0, loss=1.0)
    assert run.flush(5) is False
    run.close()
    peer.stop()


def taken(fatal):
    fields = {"field": "rank", "value": "0", "expected": "a free rank", "about": "hello"}
    return {"type": "error", "code": "rank_taken", **fields, "fatal": fatal}


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_a_rank_that_is_held_is_asked_for_again(daemon, caplog):
    """What the log says is true: the daemon is there, the rank is not free."""
    d = daemon()
    with Elsewhere(d.endpoint) as holder:
        holder.hello()
        run = foreshock.Run("r", endpoint=d.endpoint)
        run.log(5, loss=1.0)
        assert run.flush(3) is False  # two answers, and the time after which a daemon is said to be absent
        assert warnings(caplog) == [
            "foreshock: rank 0 of run r is still held by another process; training goes on, will ask again"
        ]
        assert {error.code for error in run.errors} == {"rank_taken"}
        holder.bye()
        assert run.flush(20)
        run.close()
        holder.hello()
        foreshock.Run("r", endpoint=d.endpoint).close()  # before it is its turn
    assert absent_warnings(caplog) == []


def test_a_run_that_is_opened_again_in_its_process_takes_over(daemon, caplog):
    """A notebook's cell that is run again, with the run of the first one still open."""
    d = daemon()
    first = foreshock.Run("r", endpoint=d.endpoint)
    first.log(0, loss=1.0)
    assert first.flush(20)
    with foreshock.Run("r", endpoint=d.endpoint) as second:
        second.log(0, loss=2.0)
        assert second.flush(20)
        eventually(lambda: first.outbox.closed, "the end of the first")
        first.log(1, loss=1.0)
        first.close()
        assert d.series("r", "loss") == {0: 2.0}
    assert (
        warnings(caplog)[0]
        == "foreshock: a newer session has taken over rank 0 of run r; this one ends"
    )


def test_who_is_overtaken_by_a_newer_session_ends(path, caplog):
    peer = Peer(path).start()
    run = foreshock.Run("r", endpoint=peer.endpoint)
    run.log(0, loss=1.0)
    assert run.flush(20)
    peer.say({**taken(True), "about": "heartbeat"})
    eventually(lambda: run.outbox.closed, "the end")
    run.log(1, loss=1.0)
    assert run.flush(5) is False
    run.close()
    assert warnings(caplog)[:1] == [
        "foreshock: a newer session has taken over rank 0 of run r; this one ends"
    ]
    assert not any("daemon refused" in text for text in warnings(caplog))
    assert absent_warnings(caplog) == []
    peer.stop()


def test_flush_is_false_on_time_out(path):
    peer = Peer(path, answers={"hello", "heartbeat"}).start()
    run = foreshock.Run("r", endpoint=peer.endpoint)
    run.log(0, loss=1.0)
    peer.wait_for(lambda: any(m["type"] == "scalars" for m in peer.control), "scalars")
    began = time.monotonic()
    assert run.flush(timeout=0.3) is False
    assert 0.3 <= time.monotonic() - began < 2
    run.close()
    peer.stop()


def test_a_tensor_above_the_limit_is_dropped_and_told(path):
    peer = Peer(path, tensor_bytes=100).start()
    with foreshock.Run("r", endpoint=peer.endpoint) as run:
        run.declare("w", shape=(8, 8))
        run.declare("v", shape=(2, 2))
        run.weights(0, "w", matrix(8, 8))
        run.weights(0, "v", matrix(2, 2))
        assert run.flush(10)
        assert run.dropped.client == 1
        assert [error.code for error in run.errors] == ["tensor_too_large"]
    assert list(peer.whole()) == [(1, "weights", 0)]
    peer.stop()


def test_after_a_fork_the_child_does_nothing(peer):
    run = foreshock.Run("r", endpoint=peer.endpoint)
    run.declare("w", shape=(2, 2), dtype="float32")
    run.log(0, loss=1.0)
    assert run.flush(10)
    before = len(peer.of_type("scalars"))
    child = os.fork()
    if child == 0:
        quiet = run.weights(1, "w", matrix(2, 2)) is False and run.alerts() == []
        run.log(1, loss=2.0)
        run.close()
        os._exit(0 if quiet else 1)
    _, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) == 0
    run.log(2, loss=3.0)
    assert run.flush(10)
    assert len(peer.of_type("scalars")) == before + 1
    assert not peer.of_type("bye")
    run.close()


def test_a_child_forked_while_a_lock_is_held_trains_on(daemon):
    """The lock's holder is not there in the child, which must not wait for it: not in a forward pass, nor in any call."""
    d = daemon()
    model = torch.nn.Linear(4, 4)
    with foreshock.watch(model, run="r", endpoint=d.endpoint, every=1) as monitor:
        with monitor.run.outbox.changed, monitor.run._inbox.lock, monitor._pool._lock:
            child = os.fork()
            if child == 0:
                model(torch.ones(2, 4)).sum().backward()
                monitor.step(0, loss=1.0)
                quiet = monitor.alerts() == [] and monitor.flush(1) is False and monitor.firing == []
                monitor.close()
                os._exit(0 if quiet else 1)
            ended = []
            eventually(lambda: ended or ended.extend(_reap(child)), "the child")
    assert os.WEXITSTATUS(ended[1]) == 0


def _reap(child):
    """(pid, status) once it has ended."""
    pid, status = os.waitpid(child, os.WNOHANG)
    return (pid, status) if pid else ()


def test_disabled_is_nothing(monkeypatch, path):
    monkeypatch.setenv("FORESHOCK_DISABLED", "1")
    with foreshock.Run("not a valid id !", endpoint="nonsense") as run:
        run.declare("w", shape=(2, 2))
        assert run.weights(0, "w", "nonsense") is False
        run.log(0, loss=1.0)
        assert run.flush() is True and run.alerts() == [] and run.firing == [] and run.errors == []


def test_non_finite_scalars_travel(peer):
    with foreshock.Run("r", endpoint=peer.endpoint) as run:
        run.log(0, loss=float("nan"), grad_norm=float("inf"))
        assert run.flush(10)
    values = peer.of_type("scalars")[0]["values"]
    assert np.isnan(values["loss"]) and values["grad_norm"] == float("inf")


def test_tensors_wait_until_the_daemon_has_read_the_layers(path):
    peer = Peer(path, answers={"hello"}).start()
    run = foreshock.Run("r", endpoint=peer.endpoint)
    run.declare("w", shape=(2, 2))
    run.weights(0, "w", matrix(2, 2))
    run.log(0, loss=1.0)
    peer.wait_for(lambda: any(m["type"] == "scalars" for m in peer.control), "scalars")
    assert peer.tensors == []
    peer.answers = ALL
    peer.say({"type": "pulse", "dropped": 0})
    assert run.flush(10)
    assert peer.whole() == {(0, "weights", 0): matrix(2, 2).tobytes()}
    run.close()
    peer.stop()
