"""The sending half of an engine with an outbox: keeps what cannot go, and sends it in order."""

import asyncio
from collections.abc import Coroutine, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from recloser.driver.sender import Data, no_acknowledgements
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Unsent
from recloser.fsm.errors import NotOpen, OutboxFull, RecloserError, closed_error
from recloser.fsm.states import State, Trigger
from recloser.outbox.drops import Reason
from recloser.outbox.held import Held
from recloser.outbox.message import Id, Message
from recloser.outbox.options import Outbox
from recloser.outbox.queue import Queue
from recloser.outbox.taking import Taking
from recloser.transport.base import Delivery
from recloser.transport.wire import Wire

if TYPE_CHECKING:
    from recloser.driver.driver import Driver
    from recloser.driver.generation import Generation

TURN: Final = 64
"""Messages after which a flush lets others have their turn of the event loop."""


class Holding(Taking):
    """Direct while open and flushed; queues otherwise, in every state that may open again."""

    __slots__ = ("_at_hand", "_drainers", "_flushing", "_generation")

    def __init__(self, driver: "Driver", options: Outbox) -> None:
        super().__init__(driver, options)
        self.send = self._accept
        self._generation: Generation | None = None  # open, and its wire takes messages
        self._flushing = False
        self._at_hand: Message | None = None
        self._drainers: tuple[asyncio.Future[None], ...] = ()

    def offer(
        self,
        message: Data,
        ttl: float | None,
        key: Hashable,
        id: Id | None,  # noqa: A002 - the name it has for who calls send
        *,
        this_generation: bool,
    ) -> Coroutine[Any, Any, Delivery]:
        """See `Outlet.offer`."""
        made = self._made(message, ttl, key, this_generation=this_generation)
        return self._enter(made, id)

    async def _accept(self, message: Data) -> Delivery:
        """Take a message that cannot go straight to the wire; `send` is this then."""
        return await self._enter(self._made(message, None, None, this_generation=False), None)

    def _enter(self, message: Message, own: Id | None) -> Coroutine[Any, Any, Delivery]:
        """Take a message, with an id of its own or none."""
        no_acknowledgements(own)
        return self._go(message)

    async def _go(self, message: Message) -> Delivery:
        """Hand a message to the connection, or queue it."""
        generation = self._generation
        if generation is not None and generation.wire is not None and not self._flushing:
            return await generation.wire.send(message.data, message)
        return await self.take(message)

    # -- what the application asks ------------------------------------------------------

    def shown(self) -> Held:
        """See `Outlet.shown`."""
        return Held(self)

    def acknowledge(self, identity: Id, *, up_to: bool) -> int:
        """See `Held.ack`."""
        del identity, up_to
        raise RecloserError("nothing is acknowledged here: give Outbox(acknowledgements=...)")

    def move_to(self, other: "Holding") -> int:
        """See `Held.move_to`."""
        moving = [message for message in self.peek() if message.generation is None]
        if other is self or not moving:
            return 0
        for message in moving:
            other.check(message)
        if not other.takes(moving):
            raise OutboxFull("messages to be held", other.held + len(moving))
        self._unfile(())  # this and the next raise before one has moved
        for message in [other.own(each) for each in moving]:
            other.put(message)
        self._take_out(moving)
        self._admit()
        self.resume()  # what stays may have waited for those
        other.once_kept(self._moved(moving))
        other.resume()
        return len(moving)

    async def drain(self) -> None:
        """Wait until nothing is held; see `ReconnectingWebSocket.drain`."""
        driver = self._driver
        driver.bind()
        if not (self.held or self._flushing):
            return
        if driver.core.state is not State.CLOSED:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drainers += (future,)
            try:
                await future
            finally:
                self._drainers = tuple(each for each in self._drainers if each is not future)
        if self.held:
            raise closed_error(driver.last_change)

    def _admit(self) -> None:
        """See `Taking._admit`; what was taken out may have been the last."""
        super()._admit()
        if not (self.held or self._flushing):
            self._drained()

    def _drained(self) -> None:
        for future in self._drainers:
            if not future.done():
                future.set_result(None)

    # -- the life of the connection -----------------------------------------------------

    def opened(self, generation: "Generation", wire: Wire) -> None:
        """See `Outlet.opened`: direct at once, or after the flush."""
        wire.on_undeliverable(partial(self._adopt, generation), resend=self._options.resend)
        self._generation = generation
        self.resume()

    def resume(self) -> None:
        """Flush what is held, if there is an open connection; send directly if nothing is."""
        generation = self._generation
        if generation is None or generation.wire is None or self._flushing:
            return
        if self._ready:
            self.send, self._flushing = self._accept, True
            flush = self._flush(generation, generation.wire)
            generation.scope.create_task(flush, name="recloser flush")
        elif not self.held:
            self._straight(generation.wire)
            self._drained()

    def _straight(self, wire: Wire) -> None:
        """Send directly from now on: nothing is held."""
        self.send = wire.send

    @property
    def _ready(self) -> bool:
        """Whether there is something that may go now."""
        return self._queue is not None and len(self._queue) > 0

    def left(self) -> None:
        """See `Outlet.left`."""
        self.send = self._accept
        self._generation, self._flushing = None, False

    def changed(self, change: StateChange, generation: "Generation | None") -> None:
        """See `Outlet.changed`."""
        if change.trigger is Trigger.LOST:
            self._lost(change, generation)
        if self._room is not None:
            if change.current is State.CLOSED:
                self._room.fail(partial(closed_error, change))
            elif change.current is State.PASSIVE and not self._options.in_passive:
                self._room.fail(partial(NotOpen, State.PASSIVE))
        self._admit()
        if change.current is State.CLOSED:
            self._drained()
        super().changed(change, generation)

    def _lost(self, change: StateChange, generation: "Generation | None") -> None:
        """Take back what may not have left, and do with it as the policy decided."""
        wire = None if generation is None else generation.wire
        if wire is not None and self._options.resend:
            self._again(self._returned(wire))
        if self._room is not None:
            self._room.fail(partial(NotOpen, change.current), change.generation)
        self._expire()
        if self._queue is not None:
            self._drop(self._queue.take(change.generation), Reason.GENERATION)
        dropped = change.decision is not None and change.decision.unsent is Unsent.DROP
        if dropped and self._queue is not None:
            self._drop(self._queue.take(), Reason.DECISION)

    def _returned(self, wire: Wire) -> list[Message]:
        """Give the messages that come back from a wire that has ended, in order."""
        items = map(self._message, wire.unsent_messages())
        return [message for message in items if message is not None]

    async def _flush(self, generation: "Generation", wire: Wire) -> None:
        """Send what is held, first things first; from then on messages go directly."""
        sent = 0
        while generation is self._generation:
            self._expire()
            if self._queue is None or not self._ready:
                break
            first = self._before(self._queue)
            if first is not None:
                await first
                continue
            lent = self._lend(self._queue)
            if lent is None:
                continue
            self._at_hand, data = lent
            try:
                delivery = await wire.send(data, self._at_hand)
            except ConnectionError:
                return  # it had been handed over, and is not to be sent again
            finally:
                self._at_hand = None
            if delivery is not Delivery.SENT:
                return  # the end will be told soon
            self._admit()
            sent += 1
            if not sent % TURN:
                await asyncio.sleep(0)
        if generation is self._generation:
            self._flushing = False
            self._admit()
            self.resume()

    def _before(self, queue: Queue) -> Coroutine[Any, Any, None] | None:
        """Give what must be over before the first message may go; None: it may."""
        del queue
        return None

    def _lend(self, queue: Queue) -> tuple[Message, Data] | None:
        """Take the first message out, and give what goes over the wire; None: it does not go."""
        message = queue.pop()
        return message, message.data

    async def _adopt(self, generation: "Generation", item: object) -> Delivery:
        """Take what the wire of a generation could not: it ended, though nobody was told yet."""
        if generation is self._generation:
            self.left()
        if self._at_hand is not None and item is self._at_hand:
            self._put_back([self._at_hand])
            return Delivery.QUEUED
        message = self._message(item)
        if message is None:
            raise NotOpen(State.CLOSING)
        return await self._go(message)
