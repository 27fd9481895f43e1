"""`ws.outbox`: what waits, for whoever wants to see it, take it or hand it on."""

from typing import TYPE_CHECKING

from recloser.outbox.message import Id, Message

if TYPE_CHECKING:
    from recloser.client import ReconnectingWebSocket
    from recloser.outbox.holding import Holding


class Held:
    """The messages of one engine that were accepted and not handed to a connection.

    Those in the write buffer of an open connection are not among them: they come back if the
    connection ends before they have left, see `Outbox.resend`. Where messages are acknowledged,
    those that are not yet are held, too.
    """

    __slots__ = ("_outlet",)

    def __init__(self, outlet: "Holding") -> None:
        self._outlet = outlet

    def __len__(self) -> int:
        """How many there are."""
        return self._outlet.held

    @property
    def bytes(self) -> int:
        """Their size, text as UTF-8."""
        return sum(message.size for message in self.peek())

    def peek(self) -> tuple[Message, ...]:
        """Show them in the order in which they will go out."""
        return self._outlet.peek()

    def clear(self) -> tuple[Message, ...]:
        """Take them out: they are the caller's now, and are not reported as dropped."""
        self._outlet.bind()
        return self._outlet.clear()

    def move_to(self, other: "ReconnectingWebSocket") -> int:
        """Hand them over to another engine, behind what waits there; how many they were.

        Keys and times to live go with them; messages meant for one generation stay. Raises
        `OutboxFull`, with nothing moved, if they do not all fit there, and what `send` raises
        where the other engine takes no messages.
        """
        target = other.outbox._outlet  # noqa: SLF001 - both are of one class
        self._outlet.bind()
        target.bind()
        return self._outlet.move_to(target)

    def ack(self, id: Id, *, up_to: bool = False) -> int:  # noqa: A002 - as in `send`
        """Say that the peer has a message, or with `up_to` all up to it; how many that settled.

        0 for one that is not held: acknowledged before, dropped, or never sent. Raises
        `RecloserError` without `Outbox(acknowledgements=...)`, `TypeError` for what is no id.
        """
        self._outlet.bind()
        return self._outlet.acknowledge(id, up_to=up_to)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)} messages, {self.bytes} bytes>"
