"""Whatever arrives, the sender is told what was wrong and what was expected, so are the log and /metrics, and the daemon
goes on: after each piece of bad input a good sample of the same session is stored."""

import os
import re

import msgpack
import numpy as np
import pytest

from harness import until
from elsewhere import Elsewhere
from raw import PIECE, Raw, goes_on, pack

EYE = np.eye(8, dtype=np.float32)
HELLO = {"type": "hello", "version": 1, "run": "r", "session": "s", "rank": 0, "world": 1}
LAYER = {"type": "layer", "layer": 1, "name": "m", "shape": [8, 8], "dtype": "float32"}
RUN_FORM = "1 to 128 letters, digits and . _ : -, beginning with a letter or a digit"
NAME_FORM = "1 to 256 bytes of UTF-8 without control characters and without empty, . or .. parts between /"
HEADER_FORM = "one MessagePack map of at most 65536 bytes and four levels, with string keys, each known key once"


def refused(daemon, code):
    return daemon.metric("foreshock_refused_total", f'{{code="{code}"}}')


def told(error):
    return {key: error[key] for key in ("code", "field", "value", "expected", "about", "fatal")}


def fault(code, field, value, expected, about, fatal=False):
    return {"code": code, "field": field, "value": value, "expected": expected, "about": about, "fatal": fatal}


def check_log(daemon, code, field):
    assert re.search(rf'level=warning msg="message refused" session=.* code={code} about=\S* field={field or chr(34) * 2} ',
                     daemon.log()), daemon.log()


@pytest.fixture
def client(daemon):
    """A daemon and a session with one layer 0, named l, [8, 8] of float32."""
    d = daemon()
    with Raw(d.endpoint) as raw:
        raw.hello()
        raw.declare(0, "l", (8, 8))
        yield d, raw
        if d.process.poll() is None:
            goes_on(d, raw)


# ---- the control socket ---------------------------------------------------------------------------

ON_CONTROL = {
    "unknown type": ({"type": "explode"}, fault("unknown_type", "type", "explode", "the type of a message", "explode")),
    "a message of the daemon's": (
        {"type": "pulse", "dropped": 1},
        fault("unknown_type", "type", "pulse", "a message of a client's control socket", "pulse")),
    "type is no text": ({"type": 7}, fault("bad_field", "type", "7", "the type of a message", "")),
    "other version": ({**HELLO, "version": 2, "run": "../"},
                      fault("version", "version", "2", "protocol version 1", "hello", fatal=True)),
    "run id of 10 kB": ({**HELLO, "run": "r" * 10240}, fault("bad_field", "run", "r" * 127, RUN_FORM, "hello")),
    "run id with a path": ({**HELLO, "run": "../../etc/passwd"},
                           fault("bad_field", "run", "../../etc/passwd", RUN_FORM, "hello")),
    "name that goes up": ({**LAYER, "name": "a/../b"}, fault("bad_field", "name", "a/../b", NAME_FORM, "layer")),
    "name with a newline": ({**LAYER, "name": "a\nlevel=error"},
                            fault("bad_field", "name", "a?level=error", NAME_FORM, "layer")),
    "name that is not UTF-8": (
        msgpack.packb({**LAYER, "name": "A\udcffB"}, unicode_errors="surrogateescape"),
        fault("bad_field", "name", "A?B", NAME_FORM, "layer")),
    "rank that is not below world": ({**HELLO, "session": "s2", "rank": 3, "world": 3},
                                     fault("bad_field", "rank", "3", "less than world", "hello")),
    "shape of three": ({**LAYER, "shape": [2, 2, 2]},
                       fault("bad_field", "shape", "[2, 2, 2]", "two integers from 1 to 2147483647", "layer")),
    "shape with a zero": ({**LAYER, "shape": [0, 8]},
                          fault("bad_field", "shape", "[0, 8]", "two integers from 1 to 2147483647", "layer")),
    "no name": ({key: LAYER[key] for key in LAYER if key != "name"},
                fault("bad_field", "name", "(missing)", NAME_FORM, "layer")),
    "shard that is no array": (
        {**LAYER, "shard": True},
        fault("bad_field", "shard", "true", "[axis, begin, end): rows or cols, and two integers from 0 to 2147483647",
              "layer")),
    "shard of another axis": (
        {**LAYER, "shard": ["columns", 0, 4]},
        fault("bad_field", "shard", "[columns, 0, 4]",
              "[axis, begin, end): rows or cols, and two integers from 0 to 2147483647", "layer")),
    "shard beyond the shape": (
        {**LAYER, "shard": ["cols", 4, 9]},
        fault("bad_field", "shard", "[cols, 4, 9]", "[begin, end) within the shape, one or more", "layer")),
    "shard of a layer that is held whole": (
        {**LAYER, "name": "l", "shard": ["rows", 0, 4]},
        fault("layer_conflict", "shard", "rows [0, 4)", "rows [0, 8), which another holds, or one beside it", "layer")),
    "shard of a number that is held whole": (
        {**LAYER, "name": "l", "layer": 0, "shard": ["rows", 0, 4]},
        fault("layer_conflict", "shard", "rows [0, 4)", "rows [0, 8)", "layer")),
    "redeclared with another shape": (
        {**LAYER, "name": "l", "shape": [8, 9]},
        fault("layer_conflict", "shape", "[8, 9]", "[8, 8], as declared before", "layer")),
    "redeclared with another role": (
        {**LAYER, "name": "l", "role": "attn.q"}, fault("layer_conflict", "role", "attn.q", "linear", "layer")),
    "layer whose weights are above the limit": (
        {**LAYER, "shape": [2**31 - 1, 2**31 - 1]},
        fault("tensor_too_large", "shape", "[2147483647, 2147483647]",
              "weights of at most 1073741824 bytes (limits.tensor_bytes)", "layer")),
    "header above 64 KiB": (pack({**HELLO, "name": "n" * 70000}),
                            fault("bad_header", "", f"{len(pack({**HELLO, 'name': 'n' * 70000}))} bytes", HEADER_FORM, "")),
    "garbage": (b"\xc1garbage\x00\xff", fault("bad_header", "", "10 bytes", HEADER_FORM, "")),
    "nothing": (b"", fault("bad_header", "", "0 bytes", HEADER_FORM, "")),
    "an array": (msgpack.packb(["hello"]), fault("bad_header", "", "7 bytes", HEADER_FORM, "")),
    "a key twice": (b"\x82\xa4type\xa3bye\xa4type\xa3bye", fault("bad_header", "type", "bye", HEADER_FORM, "")),
    "too deep": (msgpack.packb({"type": "bye", "x": [[[[1]]]]}),
                 fault("bad_header", "", f"{len(msgpack.packb({'type': 'bye', 'x': [[[[1]]]]}))} bytes", HEADER_FORM, "")),
}


@pytest.mark.parametrize("case", ON_CONTROL)
def test_on_the_control_socket(client, case):
    d, raw = client
    message, expected = ON_CONTROL[case]
    raw.send(message)
    error = told(raw.error())
    if len(expected["value"]) == 127:  # cut at 128 bytes, or one less
        error["value"] = error["value"][:127]
    assert error == expected
    check_log(d, expected["code"], expected["field"])
    assert refused(d, expected["code"]) == 1
    assert "\nlevel=error" not in d.log()


def test_too_many_frames(client):
    d, raw = client
    raw.send({"type": "heartbeat", "dropped": 0}, b"more", b"and more")
    assert told(raw.error()) == fault("truncated", "frames", "3", "1: the header", "heartbeat")
    check_log(d, "truncated", "frames")
    assert refused(d, "truncated") == 1


def test_a_message_before_any_hello(daemon):
    d = daemon()
    with Raw(d.endpoint) as raw:
        raw.send(LAYER)
        assert told(raw.error()) == fault("unknown_session", "session", "none", "hello first", "layer")
        check_log(d, "unknown_session", "session")
        assert refused(d, "unknown_session") == 1
        raw.hello()
        goes_on(d, raw)


def test_an_mlp_block_whose_shapes_do_not_fit(client):
    d, raw = client
    raw.declare(1, "up", (24, 8), role="mlp.in", block="mlp")
    raw.send({**LAYER, "layer": 2, "name": "down", "shape": [24, 8], "role": "mlp.out", "block": "mlp"})
    assert told(raw.error()) == fault(
        "layer_conflict", "shape", "[24, 8]", "[ff, d] for mlp.in and mlp.gate, [d, ff] for mlp.out; mlp.in is [24, 8]",
        "layer")
    raw.send({**LAYER, "layer": 2, "name": "up2", "shape": [24, 8], "role": "mlp.in", "block": "mlp"})
    assert told(raw.error()) == fault("layer_conflict", "role", "mlp.in", "one layer of this role in a block", "layer")
    check_log(d, "layer_conflict", "shape")
    assert refused(d, "layer_conflict") == 2
    raw.declare(2, "down", (8, 24), role="mlp.out", block="mlp")
    W = np.random.default_rng(0).standard_normal((24, 8)).astype(np.float32)
    raw.tensor(W, layer=1)
    raw.tensor(W.T, layer=2)
    assert raw.flush() == 0 and d.series("r", "gate.count.enrichment", "mlp") == {0: 24}


def test_a_second_live_process_of_a_rank(daemon):
    d = daemon(config="limits: {lease_seconds: 1}\n")
    with Raw(d.endpoint, session="first") as first, Elsewhere(d.endpoint, session="second") as second, \
            Raw(d.endpoint, session="third") as third:
        first.hello()
        hello = {**first.header, "session": "second"}
        second.send(hello)
        expected = fault("rank_taken", "rank", "0", "a rank that no other live process of this run holds", "hello")
        assert told(second.error()) == expected
        check_log(d, "rank_taken", "rank")
        assert refused(d, "rank_taken") == 1
        first.bye()
        until(lambda: d.api("/api/v1/runs/r")["state"] == "ended", "the bye")
        assert second.hello()["attempt"] == 2
        third.send(third.header)
        assert told(third.error()) == expected
        until(lambda: d.api("/api/v1/runs/r")["state"] == "lost", "the end of the lease")


# ---- the tensor socket ----------------------------------------------------------------------------

def two_pieces(raw, step=0, **changed):
    """Header and the two payloads of a tensor of layer 0."""
    data = EYE.tobytes()
    return raw.tensor_header(EYE, step, **changed), data[:100], data[100:]


def test_tensors_that_are_not_as_their_layer(client):
    d, raw = client
    for array, changed, expected in [
        (EYE[:7], {}, fault("tensor_mismatch", "shape", "[7, 8]", "[8, 8], as declared", "tensor")),
        (EYE[:, :7], {"kind": "activations"},
         fault("tensor_mismatch", "shape", "[8, 7]", "[tokens, 8], as the layer was declared", "tensor")),
        (EYE.astype(np.float64), {}, fault("tensor_mismatch", "dtype", "float64", "float32, as declared", "tensor")),
        (EYE, {"layer": 5}, fault("layer_unknown", "layer", "5", "a layer that was declared", "tensor")),
        (EYE, {"total": 255},
         fault("tensor_mismatch", "total", "255", "the product of shape and the size of dtype", "tensor")),
        (EYE, {"offset": 256}, fault("tensor_mismatch", "offset", "256", "less than total", "tensor")),
        (EYE, {"dtype": "int8"}, fault("bad_field", "dtype", "int8", None, "tensor")),
        (EYE, {"kind": "gradients"}, fault("bad_field", "kind", "gradients", "weights or activations", "tensor")),
        (EYE, {"kind": "activations", "initial": True},
         fault("bad_field", "initial", "true", "false unless kind is weights", "tensor")),
        (EYE, {"step": 2**53}, fault("bad_field", "step", str(2**53), "an integer from 0 to 9007199254740991", "tensor")),
    ]:
        raw.send_tensor(raw.tensor_header(np.ascontiguousarray(array), **changed), array.tobytes())
        error = told(raw.error())
        if expected["expected"] is None:
            expected["expected"] = error["expected"]
            assert "bfloat16" in error["expected"]
        assert error == expected
    assert refused(d, "tensor_mismatch") == 5 and refused(d, "layer_unknown") == 1 and refused(d, "bad_field") == 4
    check_log(d, "tensor_mismatch", "shape")
    check_log(d, "layer_unknown", "layer")
    assert d.metric("foreshock_dropped_refused_total") == 4  # those whose headers were good
    assert raw.flush() == 4


def test_a_tensor_above_the_limit(daemon):
    d = daemon(config="limits: {tensor_bytes: 1MiB}\n")
    with Raw(d.endpoint, lossless=True) as raw:
        assert raw.hello()["tensor_bytes"] == 1 << 20
        raw.declare(0, "l", (8, 8))
        raw.send_tensor(raw.tensor_header(np.zeros((1 << 15, 8), np.float64), kind="activations"), b"x" * 64)
        allowed = "at most 1048576 bytes (limits.tensor_bytes)"
        assert told(raw.error()) == fault("tensor_too_large", "total", "2097152", allowed, "tensor")
        raw.send({"type": "want", "tensor": 7, "bytes": (1 << 20) + 1})
        assert told(raw.error()) == fault("tensor_too_large", "bytes", "1048577", allowed, "want")
        check_log(d, "tensor_too_large", "total")
        assert refused(d, "tensor_too_large") == 2 and d.metric("foreshock_dropped_refused_total") == 1
        goes_on(d, raw)


def test_a_header_without_its_payload_and_frames_too_many(client):
    d, raw = client
    raw.send_tensor(raw.tensor_header(EYE))
    assert told(raw.error()) == fault("truncated", "frames", "1", "2: header and payload", "tensor")
    raw.send_tensor(raw.tensor_header(EYE), EYE.tobytes(), b"more")
    assert told(raw.error()) == fault("truncated", "frames", "3", "2: header and payload", "tensor")
    raw.send_tensor({"type": "flush", "ticket": raw.welcome["ticket"], "token": 1}, b"more")
    assert told(raw.error()) == fault("truncated", "frames", "2", "1: the header", "flush")
    check_log(d, "truncated", "frames")
    assert refused(d, "truncated") == 3


def test_tickets(client):
    d, raw = client
    unknown = "the ticket of a live session's welcome"
    raw.send_tensor(raw.tensor_header(EYE, ticket=b"x" * 16), EYE.tobytes())
    assert told(raw.error()) == fault("unknown_ticket", "ticket", "?", unknown, "tensor")
    raw.send_tensor({"type": "flush", "ticket": b"x" * 16, "token": 1})
    assert told(raw.error()) == fault("unknown_ticket", "ticket", "?", unknown, "flush")
    belongs = "tensor, or flush with a ticket, on this socket"
    raw.send_tensor({"type": "flush", "token": 1})
    assert told(raw.error()) == fault("unknown_type", "type", "flush", belongs, "flush")
    raw.send_tensor({"type": "heartbeat", "dropped": 0})
    assert told(raw.error()) == fault("unknown_type", "type", "heartbeat", belongs, "heartbeat")
    raw.send_tensor(raw.tensor_header(EYE, ticket=b"short"), EYE.tobytes())
    assert told(raw.error()) == fault("bad_field", "ticket", "5 bytes of binary", "16 bytes of binary", "tensor")
    raw.send_tensor(b"\xc1\xc1", b"\x00")
    assert told(raw.error()) == fault("bad_header", "", "2 bytes", HEADER_FORM, "")
    check_log(d, "unknown_ticket", "ticket")
    assert refused(d, "unknown_ticket") == 2 and refused(d, "unknown_type") == 2
    assert refused(d, "bad_field") == 1 and refused(d, "bad_header") == 1


def test_pieces_that_do_not_fit(client):
    d, raw = client
    expected = lambda header, at: f"tensor {header['tensor']} to go on at offset {at}"
    for step, (offset, what) in enumerate([(156, "gap"), (50, "overlap"), (0, "again")]):
        header, first, rest = two_pieces(raw, step)
        raw.send_tensor(header, first)
        raw.send_tensor({**header, "offset": offset}, rest[:100])
        assert told(raw.error()) == fault("tensor_mismatch", "offset", f"tensor {header['tensor']} at {offset}",
                                          expected(header, 100), "tensor"), what
        raw.send_tensor({**header, "offset": 200}, rest[100:])  # of a tensor that is given up: without a word
    header, first, rest = two_pieces(raw, 3)
    raw.send_tensor({**header, "offset": 100}, rest)
    assert told(raw.error()) == fault("tensor_mismatch", "offset", "100", "0 for a tensor's first piece", "tensor")
    header, first, rest = two_pieces(raw, 4)
    raw.send_tensor(header, first)
    raw.send_tensor({**header, "offset": 100}, rest + b"more")
    assert told(raw.error()) == fault("tensor_mismatch", "payload", "160 bytes", "1 to 156 bytes", "tensor")
    header, first, rest = two_pieces(raw, 5)
    raw.send_tensor(header, b"")
    assert told(raw.error()) == fault("tensor_mismatch", "payload", "0 bytes", "1 to 256 bytes", "tensor")
    header, first, rest = two_pieces(raw, 6)
    raw.send_tensor(header, first)
    raw.send_tensor({**header, "offset": 100, "step": 7}, rest)
    assert told(raw.error())["code"] == "tensor_mismatch"
    header, first, rest = two_pieces(raw, 8)
    raw.send_tensor(header, first)
    raw.tensor(EYE, step=9)  # the next tensor, before the rest of this one: this one is lost, the next is good
    assert told(raw.error()) == fault("tensor_mismatch", "tensor", str(header["tensor"] + 1),
                                      "the rest of the tensor before it", "tensor")
    assert raw.flush() == 8
    assert raw.errors() == []
    check_log(d, "tensor_mismatch", "offset")
    assert refused(d, "tensor_mismatch") == 8 and d.metric("foreshock_dropped_refused_total") == 8
    assert set(d.series("r", "spectral.sigma1", "l")) == {9}
    assert d.metric("foreshock_ingest_bytes") == 0


def test_a_piece_above_16_mib(client):
    d, raw = client
    raw.declare(1, "wide", (2300, 2300))
    W = np.zeros((2300, 2300), np.float32)
    W[0, 0] = 5
    header, data = raw.tensor_header(W, layer=1), W.tobytes()
    raw.send_tensor(header, data[:PIECE + 1])
    assert told(raw.error()) == fault("tensor_mismatch", "payload", f"{PIECE + 1} bytes", f"1 to {PIECE} bytes", "tensor")
    check_log(d, "tensor_mismatch", "payload")
    assert d.metric("foreshock_dropped_refused_total") == 1
    raw.tensor(W, step=1, layer=1)
    assert raw.flush() == 1
    assert d.series("r", "spectral.sigma1", "wide")[1] == pytest.approx(5, rel=1e-6)


def test_a_step_that_goes_backwards(client):
    d, raw = client
    raw.tensor(EYE, step=10)
    raw.tensor(EYE, step=10, kind="activations")
    raw.tensor(EYE, step=9)
    assert told(raw.error()) == fault("step_backwards", "step", "9", "at least 10, or a rewind", "tensor")
    raw.tensor(EYE, step=3, kind="activations")
    assert told(raw.error()) == fault("step_backwards", "step", "3", "at least 10, or a rewind", "tensor")
    assert raw.flush() == 2
    check_log(d, "step_backwards", "step")
    assert refused(d, "step_backwards") == 2
    assert set(d.series("r", "spectral.sigma1", "l")) == {10}


def test_names_of_scalars(client):
    d, raw = client
    for name in ("spectral.sigma1", "0loss", "lo ss", "a" * 65, "ло"):
        raw.send({"type": "scalars", "step": 0, "values": {name: 1.0}})
        error = told(raw.error())
        assert (error["code"], error["field"], error["about"]) == ("bad_field", "values", "scalars")
        assert error["value"] == name and "beginning with a letter" in error["expected"]
    raw.send({"type": "scalars", "step": 0, "values": {f"s{i}": 1.0 for i in range(257)}})
    assert told(raw.error())["code"] == "limit"
    check_log(d, "bad_field", "values")
    assert refused(d, "bad_field") == 5 and refused(d, "limit") == 1


# ---- limits and deadlines ---------------------------------------------------------------------------

def test_the_memory_budget(daemon):
    d = daemon(config="limits: {memory_bytes: 64MiB}\nworkers: 1\n")
    W = np.zeros((2048, 2048), np.float64)  # 32 MiB
    W[0, 0] = 2
    with Raw(d.endpoint) as raw, Raw(d.endpoint, run="holder", lossless=True) as holder:
        raw.hello()
        raw.declare(0, "l", W.shape, "float64")
        holder.hello()
        holder.send({"type": "want", "tensor": 1, "bytes": 40 << 20})
        assert holder.receive("grant")["tensor"] == 1
        assert d.metric("foreshock_ingest_bytes") == 40 << 20
        raw.tensor(W, step=0)
        assert told(raw.error()) == fault("budget", "total", str(W.nbytes), "room in limits.memory_bytes", "tensor")
        raw.tensor(EYE.astype(np.float64), step=0, layer=7)
        assert told(raw.error())["code"] == "layer_unknown"  # small bad input is told still
        assert raw.flush() == 2
        check_log(d, "budget", "total")
        assert d.metric("foreshock_dropped_budget_total") == 1 and refused(d, "budget") == 1
        raw.scalars(0, loss=1.5)  # control still works
        raw.flush()
        assert d.series("r", "loss") == {0: 1.5}
        holder.bye()
        until(lambda: d.metric("foreshock_ingest_bytes") == 0, "the granted room to come back")
        raw.tensor(W, step=1)
        assert raw.flush() == 2 and raw.pulse()["dropped"] == 2
        assert d.series("r", "spectral.sigma1", "l")[1] == pytest.approx(2, rel=1e-6)
        assert d.api("/api/v1/runs/r")["dropped"] == 2
        goes_on(d, raw)


def test_a_tensor_whose_pieces_stop_coming(daemon):
    d = daemon(config="limits: {sample_deadline_seconds: 0.3}\n")
    with Raw(d.endpoint) as raw:
        raw.hello()
        raw.declare()
        header, first, rest = two_pieces(raw)
        raw.send_tensor(header, first)
        assert told(raw.error()) == fault("stale", "offset", "100 of 256 bytes came",
                                          "the rest of the tensor before the deadline", "tensor")
        raw.send_tensor({**header, "offset": 100}, rest)
        assert raw.flush() == 1
        check_log(d, "stale", "offset")
        assert d.metric("foreshock_dropped_stale_total") == 1 and refused(d, "stale") == 1
        assert d.metric("foreshock_ingest_bytes") == 0
        raw.tensor(EYE, step=1)
        assert raw.flush() == 1 and set(d.series("r", "spectral.sigma1", "l")) == {1}
        goes_on(d, raw)


def test_limits_of_runs_layers_and_sessions(daemon):
    d = daemon(config="limits: {runs: 1, layers_per_run: 2, sessions: 2}\n")
    with Raw(d.endpoint) as raw, Raw(d.endpoint, run="other") as other, \
            Raw(d.endpoint, session="b", rank=1, world=3) as b, Raw(d.endpoint, session="c", rank=2, world=3) as c:
        raw.hello()
        other.send(other.header)
        assert told(other.error()) == fault("limit", "run", "1", "fewer running runs (limits.runs)", "hello")
        b.hello()
        c.send(c.header)
        assert told(c.error()) == fault("limit", "session", "2", "fewer live sessions (limits.sessions)", "hello")
        raw.declare(0, "a")
        raw.send({**LAYER, "name": "good"})
        raw.send({**LAYER, "layer": 2, "name": "c"})
        assert told(raw.error()) == fault("limit", "name", "c", "fewer layers (limits.layers_per_run)", "layer")
        assert refused(d, "limit") == 3
        check_log(d, "limit", "name")
        goes_on(d, raw)


# ---- a torn baseline ------------------------------------------------------------------------------

def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    data = bytearray(path.read_bytes())
    data[17] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize("damage,what", [(truncate, "it has 128 bytes, expected 256"), (flip, "its checksum is "),
                                         (os.unlink, "cannot be opened: No such file or directory")])
def test_a_torn_baseline(daemon, damage, what):
    d = daemon()
    turned = EYE.copy()
    turned[[0, 1]] = turned[[1, 0]]
    with Raw(d.endpoint) as raw:
        raw.hello()
        for number, name in enumerate(("mlp/in", "mlp/out")):
            raw.declare(number, name, role=f"mlp.{name[4:]}", block="mlp")
            raw.tensor(EYE, layer=number)
        assert raw.flush() == 0
        d.stop()
        baselines = sorted((d.state_dir / "baselines").glob("*.w0"))
        assert len(baselines) == 2
        for path in baselines:
            damage(path)
        d.start()
        raw.hello()
        for number, name in enumerate(("mlp/in", "mlp/out")):
            raw.declare(number, name, role=f"mlp.{name[4:]}", block="mlp")
            raw.tensor(turned, step=1, layer=number)
        assert raw.flush() == 0
        values = []
        for _ in baselines:
            error = told(raw.error("baseline_damaged"))
            values.append(error.pop("value"))
            assert error == {"code": "baseline_damaged", "field": "layer", "about": "tensor", "fatal": False,
                             "expected": "the kept w(0) as it was written; send weights with initial"}
        for path, value in zip(baselines, sorted(values)):
            assert path.name in value and what in value
            assert f"why=\"{value}" in d.log()
        assert refused(d, "baseline_damaged") == 2
        alert = until(lambda: d.alerts("r", rule="baseline_damaged", state="firing"), "the alert")[0]
        assert set(alert["layers"]) == {"mlp/in", "mlp/out"} and alert["severity"] == "warning"
        assert 1 not in d.series("r", "rotation.from_init", "mlp/in")
        assert d.series("r", "spectral.sigma1", "mlp/in")[1] == pytest.approx(1)  # all else goes on
        d.restart()  # and it is remembered
        raw.hello()
        for number, name in enumerate(("mlp/in", "mlp/out")):
            raw.declare(number, name, role=f"mlp.{name[4:]}", block="mlp")
            raw.tensor(EYE, step=2, layer=number, initial=True)
        assert raw.flush() == 0
        until(lambda: d.alerts("r", rule="baseline_damaged", state="resolved"), "the alert to resolve")
        assert [a["id"] for a in d.alerts("r")] == [alert["id"]]
        raw.tensor(turned, step=3)
        assert raw.flush() == 0
        assert d.series("r", "rotation.from_init", "mlp/in")[3] == pytest.approx(1 - 6 / 8)
        assert d.series("r", "rotation.baseline_step", "mlp/in")[3] == 2
        goes_on(d, raw)
