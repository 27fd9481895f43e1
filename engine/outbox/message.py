"""One message that waits, with what was said about it."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

from recloser.fsm.numbers import check_seconds

Id = str | int | bytes
"""What an acknowledgement names a message by."""


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
    number: int = 0
    """Counts the messages of an outbox that has a file or acknowledgements, from 1; with a file
    it goes on where the process before ended. 0 elsewhere."""
    id: Id | None = None
    """What acknowledges it; None: nothing does."""
    deliveries: int = 0
    """How often it was handed to a connection so far, by processes before this one, too."""

    @property
    def redelivered(self) -> bool:
        """Whether the peer may have it already: it was handed to a connection before this one."""
        return self.deliveries > 1

    def handed(self) -> "Message":
        """Give the same message, delivered once more."""
        return replace(self, deliveries=self.deliveries + 1)


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
    if ttl is not None:
        check_seconds("ttl", ttl)
    hash(key)
    return Message(data, size, key, None if ttl is None else now + ttl, generation)
