"""`ReceiveBuffer`: the messages of one connection that wait for a consumer, within a bound."""

from collections import deque
from collections.abc import Callable
from typing import Final, Literal

Message = str | bytes

Overflow = Literal["pause", "drop-oldest"]
"""What gives way when the receive buffer is full: the peer, or the oldest message."""

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
    is closing or has ended, is kept within a second bound; what does not fit is counted. A buffer
    that drops is never full: the oldest message gives way, and is counted.
    """

    __slots__ = ("drops", "earlier", "excess", "limit", "messages", "overflowed", "size")

    def __init__(self) -> None:
        self.messages: deque[Message] = _NOTHING
        """The messages: a shared empty deque where there has been none, since one costs 600 bytes.
        """
        self.size: int = 0
        """Bytes of the messages, each with `OVERHEAD`."""
        self.earlier: ReceiveBuffer | None = None
        """The messages of earlier connections, which count against the limit."""
        self.limit: int = LIMIT
        """Bytes beyond which reading ahead stops."""
        self.drops: Callable[[], object] | None = None
        """Called when the oldest messages begin to give way; None: they do not, reading pauses."""
        self.overflowed: bool = False
        """Whether messages have given way since the consumer was last up to date."""
        self.excess: int = 0
        """Number of messages that no consumer gets: they did not fit, or gave way."""

    @property
    def total(self) -> int:
        """Bytes of the messages of this connection and of earlier ones."""
        return self.size if self.earlier is None else self.size + self.earlier.size

    @property
    def full(self) -> bool:
        """Whether no more is read ahead."""
        return self.drops is None and self.total >= self.limit

    def receive(self, message: Message, *, last: bool) -> None:
        """Keep a message that was read; count one that does not fit, or that gives way to it.

        `last` says that the peer is gone. Then no more can arrive than the kernel has, so all is
        kept, unless the consumer is behind by more than this connection.
        """
        if self.drops is not None:
            self.add(message)
            if self.total > self.limit:
                self._drop_oldest(self.drops)
        elif self.total < self.limit + ARRIVED or (last and self.total == self.size):
            self.add(message)
        else:
            self.excess += 1

    def _drop_oldest(self, report: Callable[[], object]) -> None:
        """Drop the oldest messages until the others fit; the newest one stays in any case."""
        while self.total > self.limit:
            oldest = self
            if self.earlier is not None and self.earlier.messages:
                oldest = self.earlier
            elif len(self.messages) == 1:
                break
            oldest.pop()
            self.excess += 1
            if not self.overflowed:
                self.overflowed = True
                report()

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
        if not self.messages:
            self.overflowed = False
        return message

    def pop_all(self) -> deque[Message]:
        """Give all messages, and keep none."""
        messages, self.messages, self.size = self.messages, _NOTHING, 0
        return messages
