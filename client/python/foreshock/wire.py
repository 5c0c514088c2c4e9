"""The codec of the wire protocol (docs/protocol.md, version 1): headers to and from bytes.

A message is a dict with the keys of docs/protocol.md's tables: text is str, a ticket is bytes of length
16, `shape` and `rows` are lists of two ints, `shard` is a list of an axis and two ints, `values` maps
str to float. `encode` and `decode` both check every field and raise `WireError` for the first that is
wrong; optional keys that are absent stay absent.
"""

from __future__ import annotations

import operator
import re
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import msgpack

VERSION = 1
HEADER_MAX = 65536  # bytes
DEPTH_MAX = 4  # maps and arrays within each other
PIECE_MAX = 16 * 1024 * 1024  # bytes
NAME_MAX = 256  # bytes of UTF-8
TAGS_MAX = 32
SCALARS_MAX = 256
ALERT_LAYERS_MAX = 64
LAYER_NUMBER_MAX = 65535
WORLD_MAX = 65536
DIM_MAX = 2**31 - 1
STEP_MAX = 2**53 - 1
COUNT_MAX = 2**53 - 1  # what JSON and SQLite hold exactly
UINT_MAX = 2**64 - 1
TICKET_SIZE = 16  # bytes

DTYPES: Dict[str, int] = {  # bytes of one element
    "float64": 8,
    "float32": 4,
    "bfloat16": 2,
    "float16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
}
ROLES = (
    "linear",
    "attn.q",
    "attn.k",
    "attn.v",
    "attn.o",
    "mlp.gate",
    "mlp.in",
    "mlp.out",
    "embedding",
    "head",
)
KINDS = ("weights", "activations")
AXES = ("rows", "cols")  # of W [out, in]

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_SCALAR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,63}")
_RESERVED_PREFIXES = ("spectral.", "sa.", "rotation.", "weights.", "gate.", "activation.", "run.")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

_HEADER_EXPECTED = (
    "one MessagePack map of at most 65536 bytes and four levels, with string keys, "
    "each known key once"
)


class WireError(ValueError):
    """A header, or one field of a message, is not as docs/protocol.md says.

    `code` is an error code of docs/protocol.md, `field` a key ("" for the header as a whole), `value`
    what stood there as text, `expected` what should have.
    """

    def __init__(self, code: str, field: str, value: Any, expected: str) -> None:
        self.code = code
        self.field = field
        self.value = _show(value)
        self.expected = expected
        where = f"{field} is {self.value}" if field else self.value
        super().__init__(f"{code}: {where}; expected {expected}")


def valid_run(run: object) -> bool:
    """Whether `run` has the form of a run id."""
    return isinstance(run, str) and _RUN.fullmatch(run) is not None


def valid_name(name: str) -> bool:
    """Whether `name` has the form of a layer, block or display name."""
    parts = name.split("/")
    return _is_label(name) and "" not in parts and "." not in parts and ".." not in parts


def valid_scalar_name(name: object) -> bool:
    """Whether `name` has the form of a scalar's name and is not one of the daemon's own metrics."""
    if not isinstance(name, str) or _SCALAR_NAME.fullmatch(name) is None:
        return False
    return not name.startswith(_RESERVED_PREFIXES)


def encode(message: Dict[str, Any]) -> bytes:
    """The canonical header of `message`, a dict with "type" and that type's keys.

    Optional keys may be None. Integers may be of any type with `__index__`, the numbers of `values`
    of any with `__float__`. Raises WireError, also for a key that the type does not have.
    """
    fields = _fields_of(message.get("type", _MISSING))
    known = {field.key for field in fields}
    for key in message:
        if key != "type" and key not in known:
            expected = f"no such key in {message['type']}"
            raise WireError("bad_field", str(key), message[key], expected)
    present = {key: value for key, value in message.items() if value is not None}
    checked = _check(fields, lambda key: present.get(key, _MISSING))
    canonical = {"type": message["type"]}
    for field in fields:
        if field.key in checked and not (field.optional and checked[field.key] == field.left_out):
            canonical[field.key] = checked[field.key]
    header = msgpack.packb(canonical, use_bin_type=True)
    if len(header) > HEADER_MAX:
        raise WireError("bad_header", "", f"{len(header)} bytes", _HEADER_EXPECTED)
    return header


def decode(header: bytes) -> Dict[str, Any]:
    """The message of a header, of any type, its keys in canonical order. Raises WireError."""
    pairs = _unpack(header)
    kind = _only(pairs, "type")
    return {"type": kind, **_check(_fields_of(kind), lambda key: _only(pairs, key))}


_MISSING = object()


class _Refused(Exception):
    """Raised by a form: the value (or the part of it to be shown) is not of this form."""

    def __init__(self, expected: str, code: str = "bad_field", value: Any = _MISSING) -> None:
        super().__init__(expected)
        self.expected = expected
        self.code = code
        self.value = value


class _Map(list):
    """A decoded map as its list of pairs, so that a repeated key can be seen."""


_Form = Callable[[Any], Any]  # a value to its checked value, or _Refused


class _Field(NamedTuple):
    key: str
    form: _Form
    optional: bool = False
    left_out: Any = None  # what a missing key stands for; never written


def _show(value: Any) -> str:
    """A value as text of at most 128 characters, without control characters."""
    if value is _MISSING:
        return "(missing)"
    if isinstance(value, bytes):
        return f"{len(value)} bytes of binary"
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "replace").decode("utf-8")
    return _CONTROL.sub("?", text)[:128]


def _is_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_label(value: Any) -> bool:
    return _is_text(value) and len(value.encode("utf-8")) <= NAME_MAX and not _CONTROL.search(value)


def _form(expected: str, accepts: Callable[[Any], bool]) -> _Form:
    """The form of values that `accepts` says yes to."""

    def check(value: Any) -> Any:
        if not accepts(value):
            raise _Refused(expected)
        return value

    return check


def _pattern(expected: str, accepts: Callable[[str], bool]) -> _Form:
    """The form of texts that `accepts` says yes to."""
    return _form(expected, lambda value: isinstance(value, str) and accepts(value))


def _integer(low: int, high: int, expected: str, code: str = "bad_field") -> _Form:
    def check(value: Any) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            raise _Refused(expected, code) from None
        if isinstance(value, bool) or not low <= number <= high:
            raise _Refused(expected, code)
        return number

    return check


def _pair(low: int, high: int, expected: str) -> _Form:
    number = _integer(low, high, expected)

    def check(value: Any) -> List[int]:
        if isinstance(value, _Map) or not isinstance(value, (list, tuple)) or len(value) != 2:
            raise _Refused(expected)
        return [number(value[0]), number(value[1])]

    return check


def _axis_and_pair(low: int, high: int, expected: str) -> _Form:
    number = _integer(low, high, expected)

    def check(value: Any) -> List[Any]:
        if isinstance(value, _Map) or not isinstance(value, (list, tuple)) or len(value) != 3:
            raise _Refused(expected)
        if not isinstance(value[0], str) or value[0] not in AXES:
            raise _Refused(expected)
        return [value[0], number(value[1]), number(value[2])]

    return check


def _number(value: Any, expected: str) -> float:
    if isinstance(value, (bool, str, bytes)):
        raise _Refused(expected, value=value)
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise _Refused(expected, value=value) from None


def _text_map(
    most: int, expected: str, valid_key: Callable[[str], bool], element: Callable[[Any, str], Any]
) -> _Form:
    """The form of maps of at most `most` names to values that `element` checks."""

    def check(value: Any) -> Dict[str, Any]:
        if not isinstance(value, (dict, _Map)):
            raise _Refused(expected)
        pairs = list(value.items()) if isinstance(value, dict) else value
        if len(pairs) > most:
            raise _Refused(expected, "limit", f"a map of {len(pairs)}")
        checked = dict(pairs)
        if len(checked) < len(pairs):
            raise _Refused(_HEADER_EXPECTED, "bad_header")
        for key in checked:
            if not (isinstance(key, str) and valid_key(key)):
                raise _Refused(expected, value=key)
            checked[key] = element(checked[key], expected)
        return checked

    return check


def _tag_value(value: Any, expected: str) -> str:
    if not _is_label(value):
        raise _Refused(expected, value=value)
    return value


def _layer_names(value: Any) -> List[str]:
    expected = f"at most {ALERT_LAYERS_MAX} names of layers"
    if isinstance(value, _Map) or not isinstance(value, (list, tuple)):
        raise _Refused(expected)
    if len(value) > ALERT_LAYERS_MAX:
        raise _Refused(expected, "limit", f"an array of {len(value)}")
    for name in value:
        if not (isinstance(name, str) and valid_name(name)):
            raise _Refused(expected, value=name)
    return list(value)


def _choice(*choices: str) -> _Form:
    return _form(" or ".join(choices), lambda value: isinstance(value, str) and value in choices)


def _is_ticket(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == TICKET_SIZE


_version = _integer(VERSION, VERSION, "protocol version 1", "version")
_uint = _integer(0, UINT_MAX, f"an integer from 0 to {UINT_MAX}")
_step = _integer(0, STEP_MAX, f"an integer from 0 to {STEP_MAX}")
_count = _integer(0, COUNT_MAX, f"an integer from 0 to {COUNT_MAX}")
_layer_number = _integer(0, LAYER_NUMBER_MAX, f"an integer from 0 to {LAYER_NUMBER_MAX}")
_rank = _integer(0, WORLD_MAX - 1, f"an integer from 0 to {WORLD_MAX - 1}, below world")
_world = _integer(1, WORLD_MAX, f"an integer from 1 to {WORLD_MAX}")
_shape = _pair(1, DIM_MAX, f"two integers from 1 to {DIM_MAX}")
_rows = _pair(0, DIM_MAX, f"two integers [r0, r1) from 0 to {DIM_MAX}")
_shard = _axis_and_pair(
    0, DIM_MAX, f"[axis, begin, end): rows or cols, and two integers from 0 to {DIM_MAX}"
)
_bool = _form("true or false", lambda value: isinstance(value, bool))
_text = _form("text in UTF-8", _is_text)
_label = _form(f"at most {NAME_MAX} bytes of UTF-8 without control characters", _is_label)
_endpoint = _form("a ZeroMQ endpoint or :PORT", lambda value: _is_label(value) and value != "")
_ticket = _form(f"{TICKET_SIZE} bytes of binary", _is_ticket)
_name = _pattern(
    "1 to 256 bytes of UTF-8 without control characters and without empty, . or .. parts between /",
    valid_name,
)
_run = _pattern(
    "1 to 128 letters, digits and . _ : -, beginning with a letter or a digit", valid_run
)
_session = _pattern(
    "1 to 64 letters, digits and . _ : -, beginning with a letter or a digit",
    lambda value: _SESSION.fullmatch(value) is not None,
)
_tags = _text_map(
    TAGS_MAX,
    "at most 32 tags, each a name with a text of at most 256 bytes",
    valid_name,
    _tag_value,
)
_scalars = _text_map(
    SCALARS_MAX,
    "at most 256 numbers, each with a name of 1 to 64 letters, digits and _ . / -, beginning with "
    "a letter and not with spectral. sa. rotation. weights. gate. activation.",
    valid_scalar_name,
    _number,
)

_DROPPED = (_Field("dropped", _count),)

# The tables of docs/protocol.md, in its order.
_FIELDS: Dict[str, Tuple[_Field, ...]] = {
    "hello": (
        _Field("version", _version),
        _Field("run", _run),
        _Field("session", _session),
        _Field("rank", _rank),
        _Field("world", _world),
        _Field("name", _name, True),
        _Field("client", _label, True),
        _Field("tags", _tags, True, {}),
        _Field("lossless", _bool, True, False),
    ),
    "layer": (
        _Field("layer", _layer_number),
        _Field("name", _name),
        _Field("shape", _shape),
        _Field("dtype", _choice(*DTYPES)),
        _Field("role", _choice(*ROLES), True, "linear"),
        _Field("block", _name, True),
        _Field("transposed", _bool, True, False),
        _Field("rows", _rows, True),
        _Field("shard", _shard, True),
    ),
    "scalars": (_Field("step", _step), _Field("values", _scalars)),
    "heartbeat": _DROPPED,
    "rewind": (_Field("step", _step),),
    "want": (_Field("tensor", _uint), _Field("bytes", _uint)),
    "flush": (_Field("ticket", _ticket, True), _Field("token", _uint)),
    "bye": _DROPPED,
    "tensor": (
        _Field("ticket", _ticket),
        _Field("tensor", _uint),
        _Field("kind", _choice(*KINDS)),
        _Field("layer", _layer_number),
        _Field("step", _step),
        _Field("dtype", _choice(*DTYPES)),
        _Field("shape", _shape),
        _Field("offset", _uint),
        _Field("total", _uint),
        _Field("initial", _bool, True, False),
    ),
    "welcome": (
        _Field("version", _version),
        _Field("attempt", _uint),
        _Field("tensors", _endpoint),
        _Field("ticket", _ticket),
        _Field("lease_ms", _uint),
        _Field("heartbeat_ms", _uint),
        _Field("piece_bytes", _uint),
        _Field("tensor_bytes", _uint),
        _Field("daemon", _text),
    ),
    "error": (
        _Field("code", _text),
        _Field("field", _text),
        _Field("value", _text),
        _Field("expected", _text),
        _Field("about", _text),
        _Field("fatal", _bool),
    ),
    "pulse": _DROPPED,
    "grant": (_Field("tensor", _uint),),
    "flushed": (_Field("token", _uint), _Field("dropped", _count)),
    "alert": (
        _Field("id", _uint),
        _Field("rule", _text),
        _Field("severity", _choice("warning", "critical")),
        _Field("state", _choice("firing", "resolved")),
        _Field("title", _text),
        _Field("summary", _text),
        _Field("layers", _layer_names),
        _Field("step", _step),
        _Field("recorded", _bool, True, True),
    ),
    "ping": (),
    "closing": (),
}


def _fields_of(kind: Any) -> Tuple[_Field, ...]:
    if not isinstance(kind, str):
        raise WireError("bad_field", "type", kind, "the type of a message")
    if kind not in _FIELDS:
        raise WireError("unknown_type", "type", kind, "the type of a message")
    return _FIELDS[kind]


def _check(fields: Tuple[_Field, ...], lookup: Callable[[str], Any]) -> Dict[str, Any]:
    """The fields that `lookup` finds (_MISSING: it does not), checked, in canonical order."""
    checked: Dict[str, Any] = {}
    for field in fields:
        value = lookup(field.key)
        if value is _MISSING and field.optional:
            continue
        try:
            checked[field.key] = field.form(value)
        except _Refused as refused:
            code = "bad_field" if value is _MISSING else refused.code
            shown = value if refused.value is _MISSING else refused.value
            raise WireError(code, field.key, shown, refused.expected) from None
    _check_together(checked)
    return checked


def _check_together(message: Dict[str, Any]) -> None:
    """What docs/protocol.md says of several fields of one message."""
    if "world" in message and message["rank"] >= message["world"]:
        raise WireError("bad_field", "rank", message["rank"], "less than world")
    if "rows" in message:
        first, end = message["rows"]
        if first >= end or end - first != message["shape"][0]:
            expected = "[r0, r1) of as many rows as the shape has"
            raise WireError("bad_field", "rows", message["rows"], expected)
    if "shard" in message:
        axis, first, end = message["shard"]
        if first >= end or end > message["shape"][AXES.index(axis)]:
            expected = "[begin, end) within the shape, one or more"
            raise WireError("bad_field", "shard", message["shard"], expected)
    if "total" in message:
        _check_tensor(message)


def _check_tensor(message: Dict[str, Any]) -> None:
    out, columns = message["shape"]
    if message["total"] != out * columns * DTYPES[message["dtype"]]:
        expected = "the product of shape and the size of dtype"
        raise WireError("tensor_mismatch", "total", message["total"], expected)
    if message["offset"] >= message["total"]:
        raise WireError("tensor_mismatch", "offset", message["offset"], "less than total")
    if message.get("initial") and message["kind"] != "weights":
        raise WireError("bad_field", "initial", True, "false unless kind is weights")


def _unpack(header: bytes) -> _Map:
    """The pairs of the header's map. Text that is not UTF-8 has surrogates, to be refused."""
    try:
        if len(header) > HEADER_MAX:
            raise ValueError("too long")
        pairs = msgpack.unpackb(
            header, raw=False, unicode_errors="surrogateescape", object_pairs_hook=_Map
        )
        if not isinstance(pairs, _Map):
            raise ValueError("not a map")
        _check_structure(pairs, 1)
    except (ValueError, msgpack.UnpackException):
        raise WireError("bad_header", "", f"{len(header)} bytes", _HEADER_EXPECTED) from None
    return pairs


def _check_structure(value: Any, depth: int) -> None:
    """Raises ValueError when `value`, within `depth` - 1 others, is not as every header must be."""
    if isinstance(value, (msgpack.ExtType, msgpack.Timestamp)):
        raise ValueError("an extension type")
    if not isinstance(value, list):
        return
    if depth > DEPTH_MAX:
        raise ValueError("too deep")
    for element in value:
        if isinstance(value, _Map):
            key, element = element
            if not isinstance(key, str):
                raise ValueError("a key is not a string")
        _check_structure(element, depth + 1)


def _only(pairs: _Map, key: str) -> Any:
    """The value of `key`, or _MISSING."""
    found = [value for name, value in pairs if name == key]
    if len(found) > 1:
        raise WireError("bad_header", key, found[-1], _HEADER_EXPECTED)
    return found[0] if found else _MISSING
