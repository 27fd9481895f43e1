"""`Remainder`: what ended connections have left for a consumer that is behind."""

from collections import deque
from collections.abc import Iterable
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

    __slots__ = ("buffer", "following", "given")

    busy = True

    def __init__(self) -> None:
        self.buffer = ReceiveBuffer()
        self.following: Wire | None = None
        """The wire that reads less until these messages are taken."""
        self.given = 0
        """Number of messages that were taken."""

    @property
    def unread(self) -> int:
        """Number of messages that are left."""
        return len(self.buffer.messages)

    def add(self, messages: Iterable[Message]) -> None:
        """Put the messages of one more ended connection behind the others."""
        for message in messages:
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
