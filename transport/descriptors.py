"""A dial that finds no file descriptor left says which limit was reached (E8)."""

import errno
import sys
from typing import Final

if sys.platform != "win32":
    import resource  # now: a shared library, for which no descriptor is left when it is needed

_FEWER: Final = "raise the limit, or hold fewer connections in one process"
_DEPTH: Final = 8
"""So far down the causes of an error are followed: a library may wrap one in another."""


def descriptors_spent(error: BaseException) -> OSError | None:
    """Return an error that names the limit, if this one came of it; None if it did not."""
    found: BaseException | None = error
    for _ in range(_DEPTH):
        if found is None:
            return None
        number = getattr(found, "errno", None)
        if number in (errno.EMFILE, errno.ENFILE):
            return OSError(number, _whose(number))
        found = getattr(found, "os_error", None) or found.__cause__
    return None


def _whose(number: int) -> str:
    if number == errno.ENFILE:
        return f"the machine has no file descriptor left (fs.file-max): {_FEWER}"
    return (
        "this process has no file descriptor left: its limit"
        f"{_limit()} is RLIMIT_NOFILE (`ulimit -n`); {_FEWER}"
    )


def _limit() -> str:
    if sys.platform == "win32":
        return ""  # there the limit is that of the event loop, and nobody can be asked for it
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f" of {soft}"
