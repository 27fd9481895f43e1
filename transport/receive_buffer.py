"""`ReceiveBuffer`: the messages of one connection that wait for a consumer, within a bound."""

from collections import deque
from typing import Final

Message = str | bytes

LIMIT: Final = 512 * 1024
"""Bytes of messages that are read ahead for a consumer that is busy."""

ARRIVED: Final = 2**20
"""Bytes that are kept beyond the limit of what had arrived when a connection ends.

aiohttp 3.14.5 queues 512 KiB before it pauses reading, and a read of asyncio is 256 KiB.
"""

OVERHEAD: Final = 128
"""Bytes that a message counts besides its length, as in aiohttp's queue."""

_NOTHING: Final[deque[Message]] = deque(maxlen=0)


class ReceiveBuffer:
    """Messages in order, with their size in bytes.

    Reading ahead stops when the buffer is full. What arrives all the same, because a connection
    is closing or has ended, is kept within a second bound; what does not fit is counted.
    """

    __slots__ = ("excess", "limit", "messages", "reserved", "size")

    def __init__(self) -> None:
        self.messages = _NOTHING
        """The messages: a shared empty deque where there has been none, since one costs 600 bytes.
        """
        self.size = 0
        """Bytes of the messages, each with `OVERHEAD`."""
        self.reserved = 0
        """Bytes of messages of earlier connections, which count against the limit."""
        self.limit = LIMIT
        """Bytes beyond which reading ahead stops."""
        self.excess = 0
        """Number of messages that did not fit, and that no consumer gets."""

    @property
    def full(self) -> bool:
        """Whether no more is read ahead."""
        return self.size + self.reserved >= self.limit

    def receive(self, message: Message, *, last: bool) -> None:
        """Keep a message that was read; count it where it does not fit.

        `last` says that the peer is gone. Then no more can arrive than the kernel has, so all is
        kept, unless the consumer is behind by more than this connection.
        """
        if self.size + self.reserved < self.limit + ARRIVED or (last and not self.reserved):
            self.add(message)
        else:
            self.excess += 1

    def add(self, message: Message) -> None:
        """Put a message behind the others."""
        if self.messages is _NOTHING:
            self.messages = deque()
        self.messages.append(message)
        self.size += len(message) + OVERHEAD

    def pop(self) -> Message:
        """Give the first message; there must be one."""
        message = self.messages.popleft()
        self.size -= len(message) + OVERHEAD
        return message

    def pop_all(self) -> deque[Message]:
        """Give all messages, and keep none."""
        messages, self.messages, self.size = self.messages, _NOTHING, 0
        return messages
