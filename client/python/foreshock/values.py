"""Steps and scalars of any kind, as what travels: whole numbers and floats.

The checks raise ValueError, which names the value and what was expected, whatever the value does.
"""

import operator

from . import wire

SHOWN_MAX = 80  # characters


def checked_step(step: object) -> int:
    """`step` as a whole number. A float, a tensor or an array of one element will do where it holds
    one."""
    number = _whole(step)
    if not 0 <= number <= wire.STEP_MAX:
        raise ValueError(f"step {shown(step)}: expected a whole number from 0 to 2^53 - 1")
    return number


def checked_number(name: str, value: object) -> float:
    """The value of the scalar `name` as a float."""
    try:
        if not isinstance(value, (str, bytes)) and not _is_complex(value):
            # PyTorch warns of tensors that have a gradient, and the user cannot help it here.
            plain = value.detach() if hasattr(value, "detach") else value
            return float(plain)  # type: ignore[arg-type]
    except Exception:
        pass  # whatever a foreign __float__ raises
    raise ValueError(f"scalar {name!r}: {shown(value)}; expected a number")


def check_scalar_name(name: object) -> None:
    """ValueError for a name that no scalar may have."""
    if not wire.valid_scalar_name(name):
        raise ValueError(
            f"scalar name {shown(name)}: expected [A-Za-z][A-Za-z0-9_./-]{{0,63}}, and none that "
            "begins as the daemon's own metrics do"
        )


def shown(value: object) -> str:
    """A value as a short text. Never raises."""
    try:
        shape = getattr(value, "shape", ())
        text = f"{type(value).__name__} of shape {tuple(shape)}" if shape else repr(value)
    except Exception:
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def _whole(value: object) -> int:
    """-1: it holds no whole number."""
    if isinstance(value, (bool, str, bytes)):
        return -1
    try:
        return int(operator.index(value))  # type: ignore[arg-type]
    except Exception:
        pass
    try:
        number = float(value)  # type: ignore[arg-type]
        return int(number) if number.is_integer() else -1
    except Exception:
        return -1


def _is_complex(value: object) -> bool:
    """NumPy makes a float of a complex number, with no more than a warning."""
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return kind == "c"
