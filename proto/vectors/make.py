#!/usr/bin/env python3
"""Writes the test vectors of the wire protocol into a folder (by default this file's own).

NAME.msgpack is a header, NAME.json beside it the same message: bytes as {"hex": ...}, NaN and
infinities as {"float": ...}. other-NAME.msgpack is a header in a form that decoders accept and
encoders do not write; what encoders write lies in other-NAME.canonical. bad-NAME.msgpack must be
refused, with the code and field in bad-NAME.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import pathlib
import struct
from typing import Any, Dict, Tuple

import msgpack

HERE = pathlib.Path(__file__).resolve().parent

# The codec alone: the package around it needs more than msgpack.
_spec = importlib.util.spec_from_file_location(
    "foreshock_wire", HERE.parents[1] / "client" / "python" / "foreshock" / "wire.py"
)
wire = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(wire)

TICKET = bytes(range(240, 256))
FLOAT_KEY, HEX_KEY = "float", "hex"

HELLO = {
    "type": "hello",
    "version": 1,
    "run": "r",
    "session": "s",
    "rank": 0,
    "world": 1,
}
LAYER = {"type": "layer", "layer": 0, "name": "fc", "shape": [1, 1], "dtype": "float32"}
TENSOR = {
    "type": "tensor",
    "ticket": TICKET,
    "tensor": 0,
    "kind": "weights",
    "layer": 0,
    "step": 0,
    "dtype": "float32",
    "shape": [2, 3],
    "offset": 0,
    "total": 24,
}
SCALARS = {"type": "scalars", "step": 0, "values": {"loss": 1.0}}
ALERT = {
    "type": "alert",
    "id": 1,
    "rule": "r",
    "severity": "warning",
    "state": "firing",
    "title": "t",
    "summary": "",
    "layers": [],
    "step": 0,
}

GOOD: Dict[str, Dict[str, Any]] = {
    "hello-minimal": HELLO,
    "hello-full": {
        "type": "hello",
        "version": 1,
        "run": "R" + "un.9_:-" * 18 + "x",
        "session": "5" * 64,
        "rank": 65535,
        "world": 65536,
        "name": "Übung 7/größer",
        "client": "foreshock-python/0.1",
        "tags": {"équipe": "研究", "path": "../data/./x", "empty": ""},
        "lossless": True,
    },
    "layer-minimal": LAYER,
    "layer-full": {
        "type": "layer",
        "layer": 65535,
        "name": "модель/transformer.h.0.attn.c_attn.weight",
        "shape": [2**31 - 1, 2**31 - 1],
        "dtype": "bfloat16",
        "role": "attn.q",
        "block": "n" * 256,
        "transposed": True,
        "rows": [0, 2**31 - 1],
    },
    "layer-shard": {**LAYER, "shape": [3, 2**31 - 1], "shard": ["cols", 2**31 - 2, 2**31 - 1]},
    "layer-shard-rows": {**LAYER, "shape": [300, 7], "rows": [0, 300], "shard": ["rows", 0, 256]},
    "layer-dtypes": {**LAYER, "dtype": "float8_e4m3fn", "role": "mlp.gate", "rows": [7, 8]},
    "scalars-minimal": {"type": "scalars", "step": 0, "values": {}},
    "scalars-full": {
        "type": "scalars",
        "step": 2**53 - 1,
        "values": {
            "loss": math.nan,
            "grad/norm": math.inf,
            "lowest": -math.inf,
            "zero": -0.0,
            "tiny": 5e-324,
            "huge": 1.7976931348623157e308,
            "third": 1 / 3,
            "x" * 64: -1.0,
        },
    },
    "scalars-most": {
        "type": "scalars",
        "step": 255,
        "values": {f"s{i}": float(i) for i in range(256)},
    },
    "heartbeat-minimal": {"type": "heartbeat", "dropped": 0},
    "heartbeat-full": {"type": "heartbeat", "dropped": 2**53 - 1},
    "rewind-minimal": {"type": "rewind", "step": 0},
    "rewind-full": {"type": "rewind", "step": 2**53 - 1},
    "want-minimal": {"type": "want", "tensor": 0, "bytes": 0},
    "want-full": {"type": "want", "tensor": 2**64 - 1, "bytes": 2**32},
    "flush-minimal": {"type": "flush", "token": 127},
    "flush-full": {"type": "flush", "ticket": TICKET, "token": 2**64 - 1},
    "bye-minimal": {"type": "bye", "dropped": 0},
    "bye-full": {"type": "bye", "dropped": 65536},
    "tensor-minimal": TENSOR,
    "tensor-full": {
        "type": "tensor",
        "ticket": TICKET,
        "tensor": 2**64 - 1,
        "kind": "weights",
        "layer": 65535,
        "step": 2**53 - 1,
        "dtype": "float16",
        "shape": [2**31 - 1, 2**31 - 1],
        "offset": 2 * (2**31 - 1) ** 2 - 1,
        "total": 2 * (2**31 - 1) ** 2,
        "initial": True,
    },
    "tensor-activations": {
        **TENSOR,
        "kind": "activations",
        "dtype": "float64",
        "shape": [512, 128],
        "offset": 262144,
        "total": 524288,
    },
    "welcome-minimal": {
        "type": "welcome",
        "version": 1,
        "attempt": 0,
        "tensors": ":0",
        "ticket": bytes(16),
        "lease_ms": 0,
        "heartbeat_ms": 0,
        "piece_bytes": 0,
        "tensor_bytes": 0,
        "daemon": "",
    },
    "welcome-full": {
        "type": "welcome",
        "version": 1,
        "attempt": 300,
        "tensors": "ipc:///run/foreshock/tensors.sock",
        "ticket": TICKET,
        "lease_ms": 30000,
        "heartbeat_ms": 5000,
        "piece_bytes": 16777216,
        "tensor_bytes": 2**64 - 1,
        "daemon": "0.1.0",
    },
    "error-minimal": {
        "type": "error",
        "code": "bad_header",
        "field": "",
        "value": "",
        "expected": "",
        "about": "",
        "fatal": False,
    },
    "error-full": {
        "type": "error",
        "code": "layer_conflict",
        "field": "shape",
        "value": "[2, 3] — früher [3, 2]",
        "expected": "the shape of before",
        "about": "layer",
        "fatal": True,
    },
    "pulse-minimal": {"type": "pulse", "dropped": 0},
    "pulse-full": {"type": "pulse", "dropped": 256},
    "grant-minimal": {"type": "grant", "tensor": 0},
    "grant-full": {"type": "grant", "tensor": 2**64 - 1},
    "flushed-minimal": {"type": "flushed", "token": 0, "dropped": 0},
    "flushed-full": {"type": "flushed", "token": 2**64 - 1, "dropped": 2**53 - 1},
    "alert-minimal": ALERT,
    "alert-full": {
        "type": "alert",
        "id": 2**64 - 1,
        "rule": "spectral_gap",
        "severity": "critical",
        "state": "resolved",
        "title": "Gap schließt sich",
        "summary": "first line\nsecond line — 第二",
        "layers": [f"h.{i}/слой" for i in range(64)],
        "step": 2**53 - 1,
        "recorded": False,
    },
    "ping-minimal": {"type": "ping"},
    "closing-minimal": {"type": "closing"},
}

# Forms that encoders do not write and decoders accept: the message, and the bytes.
OTHER_FORMS: Dict[str, Tuple[Dict[str, Any], bytes]] = {
    "order": (HELLO, msgpack.packb(dict(reversed(list(HELLO.items()))))),
    "unknown-keys": (
        {"type": "bye", "dropped": 7},
        msgpack.packb({"later": {"a": [[1]]}, "type": "bye", "dropped": 7, "b": None}),
    ),
    "wide-integer": (
        {"type": "bye", "dropped": 7},
        b"\x82\xa4type\xa3bye\xa7dropped" + b"\xd3" + struct.pack(">q", 7),
    ),
    "wide-containers": (
        {"type": "bye", "dropped": 7},
        b"\xdf\0\0\0\2" + b"\xdb\0\0\0\4type" + b"\xd9\3bye" + b"\xda\0\7dropped" + b"\x07",
    ),
    "integer-scalar": (
        {"type": "scalars", "step": 0, "values": {"a": 3.0, "b": -3.0, "c": 0.5}},
        b"\x83\xa4type\xa7scalars\xa4step\0\xa6values"
        + b"\x83\xa1a\x03\xa1b\xfd\xa1c\xca\x3f\0\0\0",
    ),
    "defaults": (
        {**LAYER, "role": "linear", "transposed": False},
        msgpack.packb({**LAYER, "role": "linear", "transposed": False}),
    ),
}


def changed(message: Dict[str, Any], **fields: Any) -> bytes:
    """The bytes of `message` with some fields replaced, unchecked."""
    return msgpack.packb({**message, **fields}, unicode_errors="surrogateescape")


def without(message: Dict[str, Any], key: str) -> bytes:
    return msgpack.packb({k: v for k, v in message.items() if k != key})


def nested(levels: int) -> bytes:
    """A bye with an unknown key, maps and arrays `levels` deep, the outermost map counted."""
    return b"\x83\xa4type\xa3bye\xa7dropped\0\xa1x" + b"\x91" * (levels - 1) + b"\xc0"


BYE = b"\xa4type\xa3bye\xa7dropped\0"
NOT_UTF8 = "layer-\udcff"

BAD: Dict[str, Tuple[bytes, str, str]] = {
    "empty": (b"", "bad_header", ""),
    "not-a-map": (b"\x93\x01\x02\x03", "bad_header", ""),
    "text": (b"hello", "bad_header", ""),
    "never-used-byte": (b"\x81\xa4type\xc1", "bad_header", ""),
    "truncated": (msgpack.packb(HELLO)[:-1], "bad_header", ""),
    "trailing": (msgpack.packb(HELLO) + b"\xc0", "bad_header", ""),
    "two-maps": (b"\x82" + BYE + b"\x82" + BYE, "bad_header", ""),
    "array-bomb": (b"\xdd\x0f\0\0\0", "bad_header", ""),
    "array-bomb-within": (b"\x83" + BYE + b"\xa1x\xdd\xff\xff\xff\xff", "bad_header", ""),
    "map-bomb": (b"\xdf\xff\xff\xff\xff", "bad_header", ""),
    "string-bomb": (b"\x83" + BYE + b"\xa1x\xdb\xff\xff\xff\xff", "bad_header", ""),
    "five-deep": (nested(5), "bad_header", ""),
    "deep": (nested(10000), "bad_header", ""),
    "too-long": (changed(ALERT, summary="x" * 65536), "bad_header", ""),
    "key-integer": (b"\x83" + BYE + b"\x01\x02", "bad_header", ""),
    "key-binary": (b"\x83" + BYE + b"\xc4\x01x\x02", "bad_header", ""),
    "key-integer-within": (b"\x83" + BYE + b"\xa1x\x81\x01\x02", "bad_header", ""),
    "extension": (b"\x83" + BYE + b"\xa1x\xd4\x01\x00", "bad_header", ""),
    "timestamp": (b"\x83" + BYE + b"\xa1x\xd6\xff\0\0\0\0", "bad_header", ""),
    "twice-type": (b"\x83" + BYE + b"\xa4type\xa3bye", "bad_header", "type"),
    "twice-dropped": (b"\x83" + BYE + b"\xa7dropped\0", "bad_header", "dropped"),
    "twice-scalar": (
        changed(SCALARS, values={})[:-1] + b"\x82\xa1a\x01\xa1a\x02",
        "bad_header",
        "values",
    ),
    "type-missing": (b"\x81\xa7dropped\0", "bad_field", "type"),
    "type-integer": (b"\x81\xa4type\x01", "bad_field", "type"),
    "type-unknown": (changed({"type": "hallo"}), "unknown_type", "type"),
    "type-not-utf8": (changed({"type": NOT_UTF8}), "unknown_type", "type"),
    "version-2": (changed(HELLO, version=2), "version", "version"),
    "version-2-other-fields": (
        changed({"type": "hello", "version": 2, "run": 5}),
        "version",
        "version",
    ),
    "version-text": (changed(HELLO, version="1"), "version", "version"),
    "version-missing": (without(HELLO, "version"), "bad_field", "version"),
    "welcome-version": (changed(GOOD["welcome-full"], version=0), "version", "version"),
    "run-missing": (without(HELLO, "run"), "bad_field", "run"),
    "run-10-kilobytes": (changed(HELLO, run="r" * 10240), "bad_field", "run"),
    "run-129": (changed(HELLO, run="r" * 129), "bad_field", "run"),
    "run-empty": (changed(HELLO, run=""), "bad_field", "run"),
    "run-slash": (changed(HELLO, run="../etc"), "bad_field", "run"),
    "run-dot-first": (changed(HELLO, run=".r"), "bad_field", "run"),
    "run-nul": (changed(HELLO, run="r\0"), "bad_field", "run"),
    "run-newline": (changed(HELLO, run="r\n"), "bad_field", "run"),
    "run-binary": (changed(HELLO, run=b"r"), "bad_field", "run"),
    "run-null": (changed(HELLO, run=None), "bad_field", "run"),
    "session-65": (changed(HELLO, session="s" * 65), "bad_field", "session"),
    "rank-world": (changed(HELLO, rank=4, world=4), "bad_field", "rank"),
    "world-zero": (changed(HELLO, world=0), "bad_field", "world"),
    "world-65537": (changed(HELLO, world=65537), "bad_field", "world"),
    "rank-true": (changed(HELLO, rank=True, world=2), "bad_field", "rank"),
    "hello-name-empty": (changed(HELLO, name=""), "bad_field", "name"),
    "client-control": (changed(HELLO, client="a\x1b[31m"), "bad_field", "client"),
    "client-257": (changed(HELLO, client="c" * 257), "bad_field", "client"),
    "tags-33": (changed(HELLO, tags={f"t{i}": "" for i in range(33)}), "limit", "tags"),
    "tags-number": (changed(HELLO, tags={"t": 1}), "bad_field", "tags"),
    "tags-array": (changed(HELLO, tags=[]), "bad_field", "tags"),
    "tags-name": (changed(HELLO, tags={"a/../b": ""}), "bad_field", "tags"),
    "lossless-integer": (changed(HELLO, lossless=1), "bad_field", "lossless"),
    "name-not-utf8": (changed(LAYER, name=NOT_UTF8), "bad_field", "name"),
    "name-overlong-utf8": (changed(LAYER, name="a\udcc0\udcaf"), "bad_field", "name"),
    "name-surrogate-utf8": (changed(LAYER, name="a\udced\udca0\udc80"), "bad_field", "name"),
    "name-cut-utf8": (changed(LAYER, name="a\udce2\udc82"), "bad_field", "name"),
    "name-dotdot": (changed(LAYER, name="../etc/passwd"), "bad_field", "name"),
    "name-dotdot-within": (changed(LAYER, name="a/../b"), "bad_field", "name"),
    "name-dot": (changed(LAYER, name="a/."), "bad_field", "name"),
    "name-empty-part": (changed(LAYER, name="a//b"), "bad_field", "name"),
    "name-slash-last": (changed(LAYER, name="a/"), "bad_field", "name"),
    "name-newline": (changed(LAYER, name="a\nb"), "bad_field", "name"),
    "name-delete": (changed(LAYER, name="a\x7f"), "bad_field", "name"),
    "name-c1": (changed(LAYER, name="a\x85b"), "bad_field", "name"),
    "name-257": (changed(LAYER, name="é" * 128 + "x"), "bad_field", "name"),
    "layer-number": (changed(LAYER, layer=65536), "bad_field", "layer"),
    "shape-zero": (changed(LAYER, shape=[0, 1]), "bad_field", "shape"),
    "shape-three": (changed(LAYER, shape=[1, 1, 1]), "bad_field", "shape"),
    "shape-float": (changed(LAYER, shape=[1.0, 1]), "bad_field", "shape"),
    "shape-large": (changed(LAYER, shape=[1, 2**31]), "bad_field", "shape"),
    "shape-map": (changed(LAYER, shape={"a": 1, "b": 1}), "bad_field", "shape"),
    "dtype": (changed(LAYER, dtype="int8"), "bad_field", "dtype"),
    "role": (changed(LAYER, role="attn"), "bad_field", "role"),
    "rows-backwards": (changed(LAYER, rows=[1, 0]), "bad_field", "rows"),
    "rows-not-shape": (changed(LAYER, rows=[0, 2]), "bad_field", "rows"),
    "shard-true": (changed(LAYER, shard=True), "bad_field", "shard"),
    "shard-null": (changed(LAYER, shard=None), "bad_field", "shard"),
    "shard-two": (changed(LAYER, shard=["rows", 0]), "bad_field", "shard"),
    "shard-four": (changed(LAYER, shard=["rows", 0, 1, 1]), "bad_field", "shard"),
    "shard-map": (changed(LAYER, shard={"rows": 0, "a": 0, "b": 1}), "bad_field", "shard"),
    "shard-axis": (changed(LAYER, shard=["columns", 0, 1]), "bad_field", "shard"),
    "shard-axis-integer": (changed(LAYER, shard=[0, 0, 1]), "bad_field", "shard"),
    "shard-negative": (changed(LAYER, shard=["rows", -1, 1]), "bad_field", "shard"),
    "shard-float": (changed(LAYER, shard=["rows", 0, 1.0]), "bad_field", "shard"),
    "shard-empty": (changed(LAYER, shard=["rows", 0, 0]), "bad_field", "shard"),
    "shard-backwards": (changed(LAYER, shard=["cols", 1, 0]), "bad_field", "shard"),
    "shard-beyond-rows": (
        changed(LAYER, shape=[4, 9], shard=["rows", 2, 5]),
        "bad_field",
        "shard",
    ),
    "shard-beyond-cols": (
        changed(LAYER, shape=[9, 4], shard=["cols", 2, 5]),
        "bad_field",
        "shard",
    ),
    "step-negative": (changed(SCALARS, step=-1), "bad_field", "step"),
    "step-2-to-53": (changed(SCALARS, step=2**53), "bad_field", "step"),
    "step-float": (changed(SCALARS, step=1.0), "bad_field", "step"),
    "step-missing": (without(SCALARS, "step"), "bad_field", "step"),
    "values-257": (changed(SCALARS, values={f"s{i}": 0 for i in range(257)}), "limit", "values"),
    "values-array": (changed(SCALARS, values=[1.0]), "bad_field", "values"),
    "values-text": (changed(SCALARS, values={"a": "1"}), "bad_field", "values"),
    "values-true": (changed(SCALARS, values={"a": True}), "bad_field", "values"),
    "values-null": (changed(SCALARS, values={"a": None}), "bad_field", "values"),
    "values-name": (changed(SCALARS, values={"1a": 1.0}), "bad_field", "values"),
    "values-name-long": (changed(SCALARS, values={"x" * 65: 1.0}), "bad_field", "values"),
    "values-name-reserved": (changed(SCALARS, values={"sa.top": 1.0}), "bad_field", "values"),
    "dropped-2-to-53": (changed({"type": "bye", "dropped": 2**53}), "bad_field", "dropped"),
    "dropped-negative": (changed({"type": "heartbeat", "dropped": -1}), "bad_field", "dropped"),
    "token-missing": (changed({"type": "flush", "ticket": TICKET}), "bad_field", "token"),
    "ticket-15": (changed(TENSOR, ticket=TICKET[:15]), "bad_field", "ticket"),
    "ticket-text": (changed(TENSOR, ticket="0123456789abcdef"), "bad_field", "ticket"),
    "ticket-missing": (without(TENSOR, "ticket"), "bad_field", "ticket"),
    "kind": (changed(TENSOR, kind="gradients"), "bad_field", "kind"),
    "kind-integer": (changed(TENSOR, kind=0), "bad_field", "kind"),
    "tensor-dtype": (changed(TENSOR, dtype="float"), "bad_field", "dtype"),
    "total": (changed(TENSOR, total=25), "tensor_mismatch", "total"),
    "total-overflow": (
        changed(TENSOR, dtype="float64", shape=[2**31 - 1] * 2, total=8 * (2**31 - 1) ** 2 % 2**64),
        "tensor_mismatch",
        "total",
    ),
    "offset": (changed(TENSOR, offset=24), "tensor_mismatch", "offset"),
    "initial-activations": (
        changed(TENSOR, kind="activations", initial=True),
        "bad_field",
        "initial",
    ),
    "alert-layers-65": (changed(ALERT, layers=["l"] * 65), "limit", "layers"),
    "alert-layers-map": (changed(ALERT, layers={"a": 1}), "bad_field", "layers"),
    "alert-layers-name": (changed(ALERT, layers=["a", ""]), "bad_field", "layers"),
    "alert-severity": (changed(ALERT, severity="info"), "bad_field", "severity"),
    "alert-title-not-utf8": (changed(ALERT, title=NOT_UTF8), "bad_field", "title"),
}


def to_json(value: Any) -> Any:
    """A message as JSON can hold it."""
    if isinstance(value, bytes):
        return {HEX_KEY: value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {FLOAT_KEY: repr(value)}
    if isinstance(value, dict):
        return {key: to_json(element) for key, element in value.items()}
    if isinstance(value, list):
        return [to_json(element) for element in value]
    return value


def from_json(value: Any) -> Any:
    """The reverse of to_json."""
    if isinstance(value, list):
        return [from_json(element) for element in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {HEX_KEY}:
        return bytes.fromhex(value[HEX_KEY])
    if set(value) == {FLOAT_KEY}:
        return float(value[FLOAT_KEY])
    return {key: from_json(element) for key, element in value.items()}


def _json_text(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def vectors() -> Dict[str, bytes]:
    """All files: name to contents."""
    files: Dict[str, bytes] = {}
    for name, message in GOOD.items():
        files[f"{name}.msgpack"] = wire.encode(message)
        files[f"{name}.json"] = _json_text(to_json(message))
    for name, (message, header) in OTHER_FORMS.items():
        files[f"other-{name}.msgpack"] = header
        files[f"other-{name}.canonical"] = wire.encode(message)
        files[f"other-{name}.json"] = _json_text(to_json(message))
    for name, (header, code, field) in BAD.items():
        files[f"bad-{name}.msgpack"] = header
        files[f"bad-{name}.json"] = _json_text({"code": code, "field": field})
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=HERE)
    folder = parser.parse_args().folder
    for name, contents in vectors().items():
        (folder / name).write_bytes(contents)


if __name__ == "__main__":
    main()
