"""foreshock: shows a training to foreshockd, which warns before the loss explodes.

`watch(model)` for PyTorch models, `Run` for everything else. `FORESHOCK_DISABLED=1` turns all of it
into nothing. Importing this package imports no framework.
"""

from .errors import EndpointError, ForeshockError, Refused, Timeout
from .inbox import Alert, DaemonError
from .run import VERSION as __version__
from .run import Run

__all__ = [
    "Alert",
    "DaemonError",
    "EndpointError",
    "ForeshockError",
    "Monitor",
    "Refused",
    "Run",
    "Timeout",
    "__version__",
    "watch",
]


def __getattr__(name: str):
    """`watch` and `Monitor` need PyTorch and are loaded when first used."""
    if name in ("watch", "Monitor"):
        from . import watching

        return getattr(watching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
