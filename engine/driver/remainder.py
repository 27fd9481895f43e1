"""`Remainder`: what ended connections have left for a consumer that is behind."""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING

from recloser.transport.receive_buffer import Message, ReceiveBuffer

if TYPE_CHECKING:
    from recloser.transport.wire import Wire


class Remainder:
    """The messages of ended connections that no consumer has taken, in order.

    It stands in the place of a wire and is always busy, so `receive()` asks it for each message
    and need not test for each message of a live wire whether something earlier is left. Its
    bytes count against the receive buffer of `following`, the wire of the next connection.
    """

    __slots__ = ("_ends", "buffer", "following", "given")

    busy = True

    def __init__(self) -> None:
        self.buffer: ReceiveBuffer = ReceiveBuffer()
        self.following: Wire | None = None
        """The wire that reads less until these messages are taken."""
        self._ends: list[tuple[int, int]] = []
        """Generation, and number of its messages, for each connection that left some."""
        self.given: int = 0
        """Number of messages that were taken."""

    @property
    def unread(self) -> int:
        """Number of messages that are left."""
        return len(self.buffer.messages)

    def add(self, messages: Iterable[Message], generation: int) -> None:
        """Put the messages of one more ended connection behind the others."""
        if not self.buffer.messages:
            self._ends.clear()
        before = self.unread
        for message in messages:
            self.buffer.add(message)
        self._ends.append((generation, self.unread - before))

    def replace(self, make: Callable[[int], Callable[[Message], Message]]) -> None:
        """Give other messages in their place: `make(generation)(message)` for each that is left."""
        last: list[Message] = list(self.buffer.pop_all())
        parts: list[list[Message]] = []
        for generation, count in reversed(self._ends):
            begin = max(0, len(last) - count)
            parts.append(list(map(make(generation), last[begin:])))
            del last[begin:]
        for message in chain.from_iterable(reversed(parts)):
            self.buffer.add(message)

    def take(self) -> Message | None:
        """Give the next message; None: nothing is left."""
        if not self.buffer.messages:
            return None
        message = self.buffer.pop()
        self.given += 1
        if self.following is not None:
            self.following.read_ahead()
        return message

    def take_all(self) -> deque[Message]:
        """Give all messages that are left."""
        messages = self.buffer.pop_all()
        if self.following is not None:
            self.following.read_ahead()
        return messages
