"""Where the daemon listens: the control endpoint by argument, environment or default, and the
tensor endpoint that the welcome names."""

import os
from typing import Optional

from .errors import EndpointError

SYSTEM_FOLDER = "/run/foreshock"
SOCKET_NAME = "ingest.sock"
PATH_MAX_BYTES = 107  # sun_path of a Unix socket, less its terminating zero
TENSOR_SUFFIX = (
    ".tensors"  # the daemon's tensor socket stands beside the control socket under this suffix
)


def resolve(endpoint: Optional[str] = None) -> str:
    """The control endpoint: `endpoint`, else FORESHOCK_ENDPOINT, else the default ipc socket.

    Raises EndpointError when it is no ZeroMQ endpoint or its path does not fit a Unix socket.
    """
    found = endpoint or os.environ.get("FORESHOCK_ENDPOINT") or _default()
    return check(found)


def check(endpoint: str) -> str:
    """`endpoint` itself, or EndpointError."""
    scheme, separator, rest = endpoint.partition("://")
    if not separator or scheme not in ("ipc", "tcp") or not rest:
        raise EndpointError(f"endpoint {endpoint!r}: expected ipc://PATH or tcp://HOST:PORT")
    if scheme == "ipc":
        length = len(os.fsencode(rest + TENSOR_SUFFIX))
        if length > PATH_MAX_BYTES:
            raise EndpointError(
                f"endpoint {endpoint!r}: with {TENSOR_SUFFIX} for the tensor socket its path has "
                f"{length} bytes; expected at most {PATH_MAX_BYTES}"
            )
    return endpoint


def tensor_endpoint(control: str, named: str) -> str:
    """The endpoint of the tensor socket: `named` by the welcome; `:PORT` means that port on the
    control host."""
    if not named.startswith(":"):
        return check_tensor(named)
    scheme, _, address = control.partition("://")
    if scheme != "tcp":
        raise EndpointError(
            f"the daemon named the tensor port {named!r} on {control!r}: expected a tcp endpoint"
        )
    return f"tcp://{address.rpartition(':')[0]}{named}"


def check_tensor(endpoint: str) -> str:
    """A tensor endpoint in full, or EndpointError."""
    if endpoint.partition("://")[0] not in ("ipc", "tcp"):
        raise EndpointError(
            f"the daemon named the tensor endpoint {endpoint!r}: expected ipc://, tcp:// or :PORT"
        )
    return endpoint


def denied(endpoint: str) -> bool:
    """Whether this user may not enter the folder of an ipc endpoint, or not connect to its
    socket."""
    scheme, _, path = endpoint.partition("://")
    folder = os.path.dirname(path)
    if scheme != "ipc" or not os.path.isdir(folder):
        return False
    if not os.access(folder, os.X_OK):
        return True
    return os.path.exists(path) and not os.access(path, os.W_OK)


def _default() -> str:
    """The first default socket that is seen; with none, the system's if its folder is there: one
    that this user may not enter hides a daemon rather than lacks it."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    folders = [SYSTEM_FOLDER, os.path.join(runtime, "foreshock")]
    for folder in folders:
        if os.path.exists(os.path.join(folder, SOCKET_NAME)):
            return f"ipc://{os.path.join(folder, SOCKET_NAME)}"
    folder = folders[0] if os.path.isdir(folders[0]) else folders[1]
    return f"ipc://{os.path.join(folder, SOCKET_NAME)}"
