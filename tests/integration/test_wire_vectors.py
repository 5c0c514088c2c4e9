"""The Python codec against proto/vectors, which the C codec's test reads too."""

from __future__ import annotations

import importlib.util
import json
import math
import pathlib

import pytest

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "proto" / "vectors"

_spec = importlib.util.spec_from_file_location("wire_vectors", VECTORS / "make.py")
make = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)
wire = make.wire

ALL = sorted(path.stem for path in VECTORS.glob("*.msgpack"))
GOOD = [name for name in ALL if not name.startswith(("bad-", "other-"))]
OTHER = [name for name in ALL if name.startswith("other-")]
BAD = [name for name in ALL if name.startswith("bad-")]


def header_of(name: str) -> bytes:
    return (VECTORS / f"{name}.msgpack").read_bytes()


def json_of(name: str):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def refusal(header: bytes) -> wire.WireError:
    with pytest.raises(wire.WireError) as caught:
        wire.decode(header)
    return caught.value


def test_the_files_are_what_make_writes():
    files = {path.name: path.read_bytes() for path in VECTORS.iterdir() if path.is_file()}
    del files["make.py"]
    assert files == make.vectors()


def test_each_type_has_vectors():
    types = {json_of(name)["type"] for name in GOOD}
    assert len(types) == 17


@pytest.mark.parametrize("name", GOOD)
def test_encode_writes_the_vector(name):
    assert wire.encode(make.from_json(json_of(name))) == header_of(name)


@pytest.mark.parametrize("name", GOOD)
def test_decode_reads_the_vector(name):
    message = wire.decode(header_of(name))
    assert make.to_json(message) == json_of(name)
    assert wire.encode(message) == header_of(name)


@pytest.mark.parametrize("name", OTHER)
def test_decode_reads_other_forms(name):
    message = wire.decode(header_of(name))
    assert make.to_json(message) == json_of(name)
    assert wire.encode(message) == (VECTORS / f"{name}.canonical").read_bytes()


@pytest.mark.parametrize("name", BAD)
def test_decode_refuses(name):
    error = refusal(header_of(name))
    assert {"code": error.code, "field": error.field} == json_of(name)
    assert error.expected
    assert len(error.value) <= 128 and error.value.isprintable()


@pytest.mark.parametrize("name", [name for name in GOOD if len(header_of(name)) < 1000])
def test_decode_refuses_every_prefix(name):
    header = header_of(name)
    for size in range(len(header)):
        assert refusal(header[:size]).code == "bad_header"


def test_scalars_keep_their_bits():
    values = wire.decode(header_of("scalars-full"))["values"]
    assert math.isnan(values["loss"])
    assert values["grad/norm"] == math.inf and values["lowest"] == -math.inf
    assert math.copysign(1.0, values["zero"]) == -1.0
    assert values["tiny"] == 5e-324 and values["third"] == 1 / 3


def test_canonical_bytes_spelled_out():
    message = {"dropped": 300, "type": "heartbeat"}
    assert wire.encode(message) == b"\x82\xa4type\xa9heartbeat\xa7dropped\xcd\x01\x2c"
    message = {"values": {"loss": 1}, "step": 2, "type": "scalars"}
    expected = b"\x83\xa4type\xa7scalars\xa4step\x02\xa6values\x81\xa4loss\xcb\x3f\xf0" + bytes(6)
    assert wire.encode(message) == expected


def test_encode_leaves_out_none_and_defaults():
    hello = {**make.HELLO, "name": None, "tags": {}, "lossless": False}
    assert wire.encode(hello) == header_of("hello-minimal")
    layer = {**make.LAYER, "role": "linear", "transposed": False, "rows": None}
    assert wire.encode(layer) == header_of("layer-minimal")


def test_encode_takes_numbers_of_numpy():
    numpy = pytest.importorskip("numpy")
    message = {"type": "scalars", "step": numpy.int64(7), "values": {"loss": numpy.float32(0.5)}}
    plain = {"type": "scalars", "step": 7, "values": {"loss": 0.5}}
    assert wire.encode(message) == wire.encode(plain)


@pytest.mark.parametrize(
    "change, code, field",
    [
        ({"run": "a b"}, "bad_field", "run"),
        ({"run": None}, "bad_field", "run"),
        ({"rank": -1}, "bad_field", "rank"),
        ({"rank": 1}, "bad_field", "rank"),
        ({"rank": 0.0}, "bad_field", "rank"),
        ({"tags": {1: "x"}}, "bad_field", "tags"),
        ({"tags": {f"t{i}": "" for i in range(33)}}, "limit", "tags"),
        ({"name": "a\udcff"}, "bad_field", "name"),
        ({"nmae": "a"}, "bad_field", "nmae"),
        ({"type": "hallo"}, "unknown_type", "type"),
        ({"type": None}, "bad_field", "type"),
    ],
)
def test_encode_refuses(change, code, field):
    with pytest.raises(wire.WireError) as caught:
        wire.encode({**make.HELLO, **change})
    assert (caught.value.code, caught.value.field) == (code, field)


def test_encode_refuses_a_header_too_long():
    with pytest.raises(wire.WireError) as caught:
        wire.encode({**make.ALERT, "summary": "x" * 65536})
    assert caught.value.code == "bad_header"


@pytest.mark.parametrize(
    "name, good",
    [
        ("transformer.h.0.mlp", True),
        ("a/b", True),
        ("...", True),
        ("é" * 128, True),
        ("é" * 128 + "a", False),
        ("", False),
        (".", False),
        ("..", False),
        ("/a", False),
        ("a/", False),
        ("a\tb", False),
        ("a\x9fb", False),
        ("a\xa0b", True),
    ],
)
def test_valid_name(name, good):
    assert wire.valid_name(name) is good


def test_valid_run_and_scalar_name():
    assert wire.valid_run("1.a_b:c-D") and wire.valid_run("r" * 128)
    assert not any(map(wire.valid_run, ["", "-a", "a/b", "a\n", "r" * 129, "é"]))
    assert wire.valid_scalar_name("train/loss.1-a_b") and wire.valid_scalar_name("gated.x")
    assert not any(map(wire.valid_scalar_name, ["", "1a", "gate.x", "weights.", "x" * 65, "a b"]))
