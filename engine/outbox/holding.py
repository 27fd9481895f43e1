"""The sending half of an engine with an outbox: keeps what cannot go, and sends it in order."""

import asyncio
from collections.abc import Coroutine, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from recloser.ending import error_of
from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Unsent
from recloser.fsm.errors import NotOpen, OutboxFull
from recloser.fsm.states import State, Trigger
from recloser.outbox.drops import Reason
from recloser.outbox.held import Held
from recloser.outbox.message import Message, made
from recloser.outbox.options import Outbox
from recloser.outbox.taking import Taking
from recloser.outlet import Data
from recloser.transport.base import Wire
from recloser.transport.delivery import Delivery

if TYPE_CHECKING:
    from recloser.driver import Driver
    from recloser.generation import Generation

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
        self, message: Data, ttl: float | None, key: Hashable, *, this_generation: bool
    ) -> Coroutine[Any, Any, Delivery]:
        """See `Outlet.offer`."""
        return self._accept(message, ttl, key, this_generation=this_generation)

    async def _accept(
        self,
        message: Data,
        ttl: float | None = None,
        key: Hashable = None,
        *,
        this_generation: bool = False,
    ) -> Delivery:
        driver = self._driver
        driver.bind()
        generation = driver.core.generation if this_generation else None
        now = driver.clock.monotonic()
        return await self._go(made(message, now=now, ttl=ttl, key=key, generation=generation))

    async def _go(self, message: Message) -> Delivery:
        generation = self._generation
        if generation is not None and generation.wire is not None and not self._flushing:
            return await generation.wire.send(message.data, message)
        return await self.take(message)

    # -- what the application asks ------------------------------------------------------

    def shown(self) -> Held:
        """See `Outlet.shown`."""
        return Held(self)

    def clear(self) -> tuple[Message, ...]:
        """See `Held.clear`."""
        taken = self.peek()
        self._queue = None
        self._admit()
        return taken

    def move_to(self, other: "Holding") -> int:
        """See `Held.move_to`."""
        moving = [message for message in self.peek() if message.generation is None]
        if other is self or self._queue is None or not moving:
            return 0
        for message in moving:
            other.check(message)
        if not other.takes(moving):
            raise OutboxFull("messages or bytes", other.held)
        for message in moving:
            self._queue.remove(message)
        self._admit()
        for message in moving:
            other.put(message)
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
            raise error_of(driver.last_change)

    def _drained(self) -> None:
        for future in self._drainers:
            if not future.done():
                future.set_result(None)

    # -- the life of the connection -----------------------------------------------------

    def opened(self, generation: "Generation", wire: Wire) -> None:
        """See `Outlet.opened`: direct at once, or after the flush."""
        wire.adopt(partial(self._adopt, generation), keep=self._options.resend)
        self._generation = generation
        self.resume()

    def resume(self) -> None:
        """Flush what is held, if there is an open connection; send directly if nothing is."""
        generation = self._generation
        if generation is None or generation.wire is None or self._flushing:
            return
        if self.held:
            self.send, self._flushing = self._accept, True
            flush = self._flush(generation, generation.wire)
            generation.scope.create_task(flush, name="recloser flush")
        else:
            self.send = generation.wire.send
            self._drained()

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
                self._room.fail(partial(error_of, change))
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
            items = map(self._message, wire.unsent_messages())
            back = [message for message in items if message is not None]
            self._driver.counters.resent += len(back)
            self._put_back(back)
        if self._room is not None:
            self._room.fail(partial(NotOpen, change.current), change.generation)
        self._expire()
        if self._queue is not None:
            self._drop(self._queue.take(change.generation), Reason.GENERATION)
        dropped = change.decision is not None and change.decision.unsent is Unsent.DROP
        if dropped and self._queue is not None:
            self._drop(self._queue.take(), Reason.DECISION)

    async def _flush(self, generation: "Generation", wire: Wire) -> None:
        """Send what is held, first things first; from then on messages go directly."""
        sent = 0
        while generation is self._generation:
            self._expire()
            if self._queue is None or not self.held:
                break
            self._at_hand = message = self._queue.pop()
            try:
                delivery = await wire.send(message.data, message)
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
            self._queue, self._flushing = None, False
            self.resume()

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
