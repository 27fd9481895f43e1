"""An outbox whose messages are numbered: each is known, from `send` until it is settled."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from recloser import log
from recloser.driver.sender import Data, no_acknowledgements
from recloser.outbox.drops import Reason
from recloser.outbox.holding import Holding
from recloser.outbox.message import Id, Message
from recloser.outbox.options import Outbox
from recloser.outbox.queue import Queue
from recloser.transport.base import Delivery
from recloser.transport.wire import Wire

if TYPE_CHECKING:
    from recloser.driver.driver import Driver

LARGEST: Final = 2**63
"""Ids and keys that are int are smaller: SQLite stores eight bytes."""


class Numbering(Holding):
    """Each message is one object with a number, and may have an id by which it is found."""

    __slots__ = ("_ids", "_last", "_wanted")

    def __init__(self, driver: "Driver", options: Outbox) -> None:
        super().__init__(driver, options)
        self._wanted = options.acknowledgements
        self._ids: dict[Id, Message] = {}
        """What is held and can be acknowledged."""
        self._last = 0

    async def _enter(self, message: Message, own: Id | None) -> Delivery:
        """See `Holding._enter`: it is given its number. Nothing of it stays if that fails."""
        if self._wanted is None:
            no_acknowledgements(own)
        message = self._numbered(message, own)
        identity = message.id
        if identity is not None:
            self._ids[identity] = message
        try:
            return await self._go(message)
        except BaseException:
            lent = identity is not None and self._ids.get(identity) is not message
            if not lent and (self._queue is None or message not in self._queue):
                self._forget([message])
            raise

    def _numbered(self, message: Message, own: Id | None) -> Message:
        number = self._last + 1
        if own is None and self._wanted is not None and self._wanted.numbered:
            while number in self._ids:  # somebody's own id: it is not this caller's to change
                number += 1
            own = number
        elif own is not None:
            storable("id", own)
            if own in self._ids:
                raise ValueError(f"a message with the id {own!r} is held: choose another")
        self._last = number
        return replace(message, number=number, id=own)

    async def _go(self, message: Message) -> Delivery:
        """See `Holding._go`."""
        generation = self._generation
        wire = None if generation is None else generation.wire
        if wire is None or self._flushing or super().held or not self._direct(message):
            return await self.take(message)
        message = message.handed()
        data = self._rendered(message)
        self._lent(message)
        return await self._sent(wire, data, message)

    def _direct(self, message: Message) -> bool:
        """Whether a message may go without waiting, as nothing is ahead of it."""
        del message
        return True

    async def _sent(self, wire: Wire, data: Data, message: Message) -> Delivery:
        """Send one directly."""
        return await wire.send(data, message)

    def _rendered(self, message: Message) -> Data:
        """Give what goes over the wire."""
        return message.data

    def _lent(self, message: Message) -> None:
        """Note a message that is being handed over."""
        if message.id is not None:
            self._ids[message.id] = message

    def _straight(self, wire: Wire) -> None:
        """See `Holding._straight`: each message is noted first, whatever there is."""

    def _lend(self, queue: Queue) -> tuple[Message, Data] | None:
        """See `Holding._lend`."""
        first = queue.pop()
        message = first.handed()
        try:
            data = self._rendered(message)
        except Exception as error:  # noqa: BLE001 - one message must not stop all behind it
            log.failed(log.LISTENER_FAILED, self._driver.fields, self._rendered, error)
            self._drop([first], Reason.UNRENDERED)
            return None
        self._lent(message)
        return message, data

    def put(self, message: Message) -> None:
        """See `Taking.put`."""
        if message.id is not None:
            self._ids[message.id] = message
        super().put(message)

    def own(self, message: Message) -> Message:
        """See `Taking.own`."""
        identity = None if message.id == message.number or self._wanted is None else message.id
        return self._numbered(super().own(message), identity)

    def _put_back(self, messages: list[Message]) -> None:
        """See `Taking._put_back`: in order, also behind what was put back before."""
        if self._queue is not None and messages:
            last = messages[-1].number
            ahead = list(takewhile(lambda each: each.number < last, self._queue))
            for message in ahead:
                self._queue.remove(message)
            messages = sorted([*messages, *ahead], key=lambda each: each.number)
        super()._put_back(messages)

    def _take_out(self, messages: Iterable[Message]) -> None:
        """See `Taking._take_out`."""
        messages = tuple(messages)
        super()._take_out(messages)
        self._forget(messages)

    def _drop(self, messages: list[Message], reason: Reason) -> None:
        """See `Taking._drop`."""
        self._forget(messages)
        super()._drop(messages, reason)

    def _forget(self, messages: Iterable[Message]) -> None:
        """Let the ids of messages be used again."""
        for message in messages:
            if message.id is not None and self._ids.get(message.id) is message:
                del self._ids[message.id]


def storable(what: str, value: object) -> None:
    """Check an id or a key: raises `TypeError` or `ValueError` for what no file could keep."""
    if isinstance(value, bool) or not isinstance(value, str | int | bytes):
        raise TypeError(f"{what} must be a str, an int or bytes here, not {value!r}")
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise ValueError(f"{what} must fit into eight bytes, not {value}")
    if isinstance(value, str):
        value.encode()
