"""`ws.outbox`: a view of the held messages, to see them, take them out or move them."""

import asyncio
from functools import partial
from typing import Protocol

from recloser import log
from recloser.fsm.errors import RecloserError
from recloser.outbox import effects, events
from recloser.outbox.errors import OutboxUnusable
from recloser.outbox.message import Id, Message
from recloser.outbox.sender import OutboxSender


class OutboxOwner(Protocol):
    """An engine, as another engine's outbox knows it."""

    @property
    def outbox(self) -> "OutboxView":
        """The outbox of the engine."""
        ...


class OutboxView:
    """The messages of one engine that were accepted and not handed to a connection.

    Messages in the write buffer of an open connection are not among them: they come back if the
    connection ends before they have left, see `Outbox.resend`. With acknowledgements, the
    unacknowledged messages are among them.
    """

    __slots__ = ("_sender",)

    def __init__(self, sender: object) -> None:
        if not isinstance(sender, OutboxSender):
            raise RecloserError("there is no outbox: give connect(outbox=recloser.Outbox())")
        self._sender = sender

    def __len__(self) -> int:
        """Count the messages."""
        return self._sender.core.held

    @property
    def bytes(self) -> int:
        """Their size, text as UTF-8."""
        self._sender.tell(events.Shown())
        return self._sender.core.bytes

    def peek(self) -> tuple[Message, ...]:
        """Show them in the order in which they will go out.

        Those that are in the file alone are read at once, and stay in memory. Raises
        `OutboxUnusable` if that fails.
        """
        self._sender.read_all()
        self._sender.tell(events.Shown())
        return tuple([entry.message for entry in self._sender.core.entries()])

    def clear(self) -> tuple[Message, ...]:
        """Take the messages out and return them; they are not reported as dropped.

        Raises `OutboxUnusable` in closed, with no message taken, if another engine has the file.
        """
        sender = self._sender
        sender.bind()
        messages = self.peek()
        if messages:
            with sender.store.claim():
                sender.tell(events.Cleared())
        return messages

    def move_to(self, other: OutboxOwner) -> int:
        """Move the messages to another engine, behind those that wait there; return their number.

        Keys and times to live go with them; messages for one generation stay. Raises
        `OutboxFull`, with no message moved, if they do not all fit there, and as `send` does if
        the other engine accepts no messages.
        """
        source, target = self._sender, other.outbox._sender  # noqa: SLF001 - both are of one class
        source.bind()
        target.bind()
        self.peek()
        if not target.core.counted:
            target.read_all()
        moving = [each for each in source.core.entries() if each.message.generation is None]
        if target is source or not moving:
            return 0
        with source.store.claim():
            pass  # raises before one has moved
        at = target.engine.core
        arriving = events.MovedIn([each.message for each in moving], at.state, at.wish)
        received = target.core.handle(arriving, target.now())
        match received:
            case [effects.Answer(_, Exception() as problem)]:
                raise problem
        # Reports come when both outboxes are complete.
        given = source.core.handle(events.MovedOut(moving), source.now())
        target.perform(received)
        source.perform(given)
        numbers = tuple(each.message.number for each in moving)
        waiter = target.store.saved()
        if waiter is None:
            _forget(source, numbers)
        else:
            waiter.add_done_callback(partial(_arrived, source, numbers))
            source.store.hold(waiter)
        return len(moving)

    def ack(self, id: Id, *, up_to: bool = False) -> int:  # noqa: A002 - as in `send`
        """Settle a message that the peer has, or with `up_to` all up to it; return their number.

        0 for a message that is not held: acknowledged before, dropped, or never sent. Raises
        `RecloserError` without `Outbox(acknowledgements=...)`, `TypeError` unless it is an id.
        """
        return self._sender.acknowledge(id, up_to=up_to)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)} messages, {self.bytes} bytes>"


def _arrived(
    source: OutboxSender,
    numbers: tuple[int, ...],
    waiter: asyncio.Future[OutboxUnusable | None],
) -> None:
    """Take the moved messages out of one file; they are in the other, or that was logged."""
    if not waiter.cancelled() and waiter.result() is None:
        _forget(source, numbers)


def _forget(source: OutboxSender, numbers: tuple[int, ...]) -> None:
    try:
        with source.store.claim():
            source.store.note(effects.Forget(numbers))
            source.store.write()
    except OutboxUnusable as error:  # closed meanwhile, and its file is in use
        log.outbox_not_saved(source.engine.fields, error.path, error)
