"""One message that waits, with what was said about it."""

from collections.abc import Hashable
from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A message in the outbox. Two are equal only if they are the same one."""

    data: str | bytes
    size: int
    """Bytes, text as UTF-8."""
    key: Hashable = None
    """Replaces an older message of the same key; None replaces nothing."""
    expires_at: float | None = None
    """When it is no longer worth sending, on the engine's monotonic clock; None: never."""
    generation: int | None = None
    """The generation it must not outlive; None: it crosses reconnections."""


def made(
    data: object, *, now: float, ttl: float | None, key: Hashable, generation: int | None
) -> Message:
    """Check a message as the connection would, and put down its own copy.

    Raises `TypeError` for what is neither `str` nor `bytes`, `UnicodeEncodeError` for text
    that UTF-8 cannot carry, `ValueError` for a `ttl` that is negative or not finite.
    """
    if isinstance(data, str):
        size = len(data.encode())
    elif isinstance(data, bytes | bytearray | memoryview):
        data = bytes(data)
        size = len(data)
    else:
        raise TypeError(f"a message is str or bytes, not {type(data).__name__}: encode it first")
    if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int | float)):
        raise TypeError(f"ttl must be a number of seconds, not {ttl!r}")
    if ttl is not None and not (isfinite(ttl) and ttl >= 0):
        raise ValueError(f"ttl must be finite and at least 0, not {ttl!r}")
    hash(key)
    return Message(data, size, key, None if ttl is None else now + ttl, generation)
