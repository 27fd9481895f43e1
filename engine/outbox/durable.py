"""An outbox whose messages outlive the process: what is held is in a file, too."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from recloser import log
from recloser.clock import Alarm
from recloser.driver.sender import Data
from recloser.fsm.errors import OutboxUnusable
from recloser.fsm.states import State
from recloser.outbox.disk import Disk
from recloser.outbox.drops import Reason
from recloser.outbox.file import absolute
from recloser.outbox.holding import TURN
from recloser.outbox.message import Message
from recloser.outbox.numbering import storable
from recloser.outbox.options import Outbox
from recloser.outbox.queue import Queue
from recloser.outbox.rows import message_of, row_of
from recloser.outbox.tracking import Tracking
from recloser.transport.base import Delivery
from recloser.transport.wire import Wire

if TYPE_CHECKING:
    from recloser.driver.driver import Driver

LOOK: Final = 0.5
"""Seconds until a message that was in the write buffer is looked for again."""


class Durable(Tracking):
    """Puts a message into the file before it is accepted, and takes it out once it is settled.

    Settled is what was acknowledged or, where nothing is, what has left the process.
    """

    __slots__ = ("_disk", "_foretold", "_leaving", "_look")

    def __init__(self, driver: "Driver", options: Outbox, path: str) -> None:
        super().__init__(driver, options)
        self._disk = Disk(absolute(path), driver.fields, fsync=options.fsync)
        self._foretold: frozenset[int] = frozenset()
        """Messages of which the file knows that they are about to be handed over."""
        self._leaving: dict[Message, None] = {}
        """What is in the file, was handed over, and was not seen to have left."""
        self._look = Alarm()

    # -- the file -----------------------------------------------------------------------

    def prepare(self) -> None:
        """See `Outlet.prepare`: open the file, and hold what is in it."""
        if not self._disk.up and not self._disk.closing:
            self._restore()

    async def released(self) -> None:
        """See `Outlet.released`: give the file free, unless the engine has gone on."""
        disk, written = self._disk, True
        while self._closed() and (disk.up or (written and disk.unwritten)):
            if not disk.up:
                disk.open()  # for what was noted while it was being closed
            written = await disk.close(self._closed)
        if not self._closed() and not self._disk.up:
            self._restore()

    def _closed(self) -> bool:
        return self._driver.core.state is State.CLOSED

    def _restore(self) -> None:
        """Hold what is in the file: another engine may have had it meanwhile."""
        rows, last = self._disk.open()
        self._last = max(self._last, last)
        clock, numbered = self._driver.clock, self._wanted is not None and self._wanted.numbered
        known = {each.number: each for each in self._queue or ()}
        found = {
            row.number: known.get(row.number) or message_of(row, clock, numbered=numbered)
            for row in rows
        }
        lacking = (m for n, m in known.items() if m.generation is not None or self._disk.lacks(n))
        found.update((message.number, message) for message in lacking)
        self._queue = Queue(self._options) if found else None
        self._ids.clear()
        for number in sorted(found):
            super().put(found[number])

    def _note(self, message: Message) -> None:
        """Have a message in the file, as it is now."""
        if message.generation is None:  # or it would not outlive the process anyhow
            self._disk.put(row_of(message, self._driver.clock))

    # -- sending ------------------------------------------------------------------------

    async def _go(self, message: Message) -> Delivery:
        """See `Holding._go`."""
        self.check(message)
        self.prepare()
        return await super()._go(message)

    def check(self, message: Message) -> None:
        """See `Taking.check`; raises `TypeError` or `ValueError` for a key that no file keeps."""
        if message.key is not None:
            storable("key", message.key)
        super().check(message)

    def _direct(self, message: Message) -> bool:
        """See `Tracking._direct`: what is to be acknowledged goes by way of the file."""
        return not self._awaits(message)

    async def take(self, message: Message) -> Delivery:
        """See `Taking.take`; what is accepted is in the file."""
        delivery = await super().take(message)
        if message.generation is None:
            try:
                await self._disk.saved()
            except OutboxUnusable:
                if self._queue is not None and message in self._queue:
                    self._disk.remove([message.number])
                    self._take_out([message])
                    self._admit()
                    raise  # it was not handed over meanwhile
            except asyncio.CancelledError as error:
                error.add_note("recloser: the message had been put into the outbox before")
                raise
        return delivery

    async def _sent(self, wire: Wire, data: Data, message: Message) -> Delivery:
        """See `Numbering._sent`; what is left in the write buffer is put into the file."""
        delivery = await wire.send(data, message)
        generation = self._driver.generation
        over = generation is None or generation.wire is not wire  # then it has come back, or left
        if not over and any(each is message for each in reversed(wire.unsent_messages())):
            self._leaving[message] = None
            self._note(message)
        elif delivery is not Delivery.QUEUED:
            return delivery
        await self._written()
        self._settle()
        return delivery

    def put(self, message: Message) -> None:
        """See `Taking.put`."""
        super().put(message)
        self._note(message)

    def _before(self, queue: Queue) -> Coroutine[Any, Any, None] | None:
        """See `Holding._before`: the file knows first of each message that is handed over."""
        first = next(iter(queue))
        if first.number in self._foretold or (first.generation is not None and first.id is None):
            return None
        self._settle()
        batch = [each for each, _ in zip(queue, range(TURN), strict=False)]
        self._foretold = frozenset(each.number for each in batch)
        self._disk.mark({m.number: m.deliveries + 1 for m in batch if m.generation is None})
        self._disk.use(m.number for m in batch if m.generation is not None)
        return self._written()

    async def _written(self) -> None:
        with suppress(OutboxUnusable):  # it was logged, and the message can go all the same
            await self._disk.saved()

    def _lent(self, message: Message) -> None:
        """See `Tracking._lent`."""
        super()._lent(message)
        if self._flushing and not self._awaits(message):
            self._leaving[message] = None

    def resume(self) -> None:
        """See `Holding.resume`."""
        self._settle()
        super().resume()

    def _settle(self) -> None:
        """Take out of the file what has left the process, and look again if some has not."""
        generation = self._generation
        if generation is None or generation.wire is None or not self._leaving:
            self._look.set(None, self._driver.clock, self._looked)
            return
        unsent = set(generation.wire.unsent_messages())
        self._left([message for message in self._leaving if message not in unsent])
        again = self._driver.clock.monotonic() + LOOK if self._leaving else None
        self._look.set(again, self._driver.clock, self._looked)

    def _looked(self, deadline: float) -> None:
        del deadline
        self._settle()

    def _left(self, messages: list[Message]) -> None:
        for message in messages:
            self._leaving.pop(message, None)
        self._disk.remove(message.number for message in messages)

    # -- the life of the connection -----------------------------------------------------

    def left(self) -> None:
        """See `Outlet.left`."""
        super().left()
        self._foretold = frozenset()
        self._settle()

    def _returned(self, wire: Wire) -> list[Message]:
        """See `Holding._returned`."""
        back = super()._returned(wire)
        for message in back:
            self._leaving.pop(message, None)
        self._left(list(self._leaving))
        return back

    # -- what is taken out --------------------------------------------------------------

    def _put_back(self, messages: list[Message]) -> None:
        """See `Taking._put_back`."""
        for message in messages:
            self._leaving.pop(message, None)
            self._note(message)
        super()._put_back(messages)

    def once_kept(self, then: Callable[[], None]) -> None:
        """See `Taking.once_kept`."""

        def kept(error: OutboxUnusable | None) -> None:
            if error is not None:
                return  # it was logged; the other file has the messages still
            try:
                then()
            except OutboxUnusable as failed:  # closed meanwhile, and its file is in use
                log.trouble(log.NOT_SAVED, self._driver.fields, path=failed.path, error=str(failed))

        self._disk.then(kept)

    def _unfile(self, messages: Iterable[Message]) -> None:
        """See `Taking._unfile`; in closed it raises `OutboxUnusable` where the file is in use."""
        numbers = [message.number for message in messages]
        if self._disk.up or self._disk.closing:
            self._disk.remove(numbers)
        else:
            self._disk.remove_now(numbers)

    def _moved(self, messages: Iterable[Message]) -> Callable[[], None]:
        """See `Taking._moved`; they stay in the file until then, but are not read from it."""
        messages = tuple(messages)
        self._disk.hide(message.number for message in messages)
        return super()._moved(messages)

    def _drop(self, messages: list[Message], reason: Reason) -> None:
        """See `Taking._drop`."""
        if reason is not Reason.NEWEST:  # it never was in the file
            self._disk.remove(message.number for message in messages)
        super()._drop(messages, reason)
