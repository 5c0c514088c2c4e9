"""The exceptions of the client. None of them leaves the client while a training runs, but where a
caller asked to wait (`Run(wait=…)`) or made a programmer's mistake, which is a ValueError."""


class ForeshockError(Exception):
    """Anything that the client or the daemon refuses at run time."""


class Timeout(ForeshockError, TimeoutError):
    """A lossless run found no room within its `wait` seconds."""


class Refused(ForeshockError):
    """The daemon ended the session for good (another protocol version, a name that it does not
    accept)."""


class EndpointError(ForeshockError, ValueError):
    """An endpoint that cannot be used: it names the endpoint and what was expected."""
