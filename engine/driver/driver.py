"""Feeds the core with events and performs its effects: the only place where both worlds meet."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from recloser import log
from recloser.clock import Alarm, Clock
from recloser.closed import closed_error
from recloser.driver.callers import CloseWaiters, Moves
from recloser.driver.dial import Spend, dial, failure_of, log_bug, sleep_until
from recloser.driver.generation import Generation, Releaser
from recloser.driver.hosts import Neighbour
from recloser.driver.inbound import Inbound
from recloser.driver.inputs import Inputs
from recloser.driver.loop import LoopBinding, running_loop
from recloser.driver.observers import Observers
from recloser.driver.opening import OnOpen
from recloser.driver.sender import DirectSender
from recloser.driver.stable import settle, timed
from recloser.driver.statistics import Counters
from recloser.driver.terms import FREE, Terms, follow, late, meet, part, waits
from recloser.driver.watchdog import Watchdog, watch_subscription
from recloser.fsm import effects, states
from recloser.fsm.change import StateChange
from recloser.fsm.core import Core
from recloser.fsm.events import Advise, Ask, Event, Expired, Lost, Move, Opened, Wait
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import Trigger, Wish
from recloser.providers import dial_failure
from recloser.transport.base import Request
from recloser.transport.errors import NotOpen
from recloser.transport.wire import Transport, Wire

if TYPE_CHECKING:
    from recloser.contract import Sender
    from recloser.driver.limits import Limits
    from recloser.fsm.decisions import Session


class Driver:
    """Feeds one core through one inbox: an event is finished before the next one begins."""

    __slots__ = (
        "__weakref__",
        "_alarm",
        "_binding",
        "_close_waiters",
        "_handling",
        "_inbox",
        "_inputs",
        "_limits",
        "_neighbour",
        "_on_open",
        "_releaser",
        "_terms",
        "_transport",
        "clock",
        "core",
        "counters",
        "fields",
        "generation",
        "inbound",
        "last_change",
        "last_close",
        "moves",
        "observers",
        "sender",
        "session",
    )

    def __init__(
        self,
        core: Core,
        *,
        inputs: Inputs,
        transport: Transport,
        on_open: OnOpen | None,
        fields: Mapping[str, object],
        close_timeout: float,
        clock: Clock | None,
        inbound: Inbound,
        terms: Terms = FREE,
        limits: "Limits | None" = None,
        sender: "Callable[[Driver], Sender]" = DirectSender,
    ) -> None:
        self.core: Core = core
        self.fields: Mapping[str, object] = fields
        self.inbound: Inbound = inbound
        self.last_change: StateChange | None = None
        self.last_close: Close | None = None
        self.observers: Observers = Observers()
        self.counters: Counters = Counters()
        self.moves: Moves = Moves()
        self.sender: Sender = sender(self)
        self._inputs = inputs
        core.address, core.peer = inputs.place
        self._neighbour = core.neighbour = Neighbour()
        self._transport = transport
        self._on_open = on_open
        self._terms = terms
        self._limits = limits
        self.session: Session | None = None
        self._binding = LoopBinding(clock)
        self.clock: Clock = self._binding.clock  # the one given, or that of the loop
        self._inbox: tuple[Event, ...] = ()  # nearly always empty, which costs no memory
        self._handling = False
        self._alarm = Alarm()
        self.generation: Generation | None = None  # dialled, open or closing
        self._releaser = Releaser(
            transport, self.sender, terms.lease, bound=close_timeout, fields=fields
        )
        self._close_waiters = CloseWaiters()

    @property
    def open_wire(self) -> Wire | None:
        """The connection; None unless open."""
        generation = self.generation
        return None if generation is None or self.core.state is not states.OPEN else generation.wire

    def bind(self) -> asyncio.AbstractEventLoop:
        """Return the engine's loop, which must be the running one; raises `WrongLoop`.

        An engine in closed holds nothing of a loop, so another may take it over.
        """
        running = running_loop()
        if running is not self._binding.loop:
            closed = self.core.state is states.CLOSED
            self._binding.move(running, closed=closed, released=self._releaser.idle)
            self.clock = self._binding.clock
            self._releaser.abandon()
        return running

    def feed(self, event: Event) -> None:
        """Put an event into the inbox: it is handled now, or after the event being handled."""
        if self._handling:
            self._inbox += (event,)
            return
        self._handling = True
        try:
            self._handle(event)
            while self._inbox:
                event, self._inbox = self._inbox[0], self._inbox[1:]
                self._handle(event)
        finally:
            self._handling = False
            self._alarm.set(timed(self.core), self.clock, self._expired)

    def _handle(self, event: Event) -> None:
        core, now = self.core, self.clock.monotonic()
        settle(core, now)
        core.held = self.sender.not_on_wire
        try:
            found = core.handle(event, now)
        except (KeyboardInterrupt, SystemExit):
            self._inbox = (event, *self._inbox)  # the policy was interrupted: nothing has changed
            raise
        for effect in found:
            if type(effect) is effects.Announce:
                self._announce(effect.change)
            elif type(effect) is effects.Dial:
                self._dial(effect)
            else:
                self._perform(effect)
        if self._close_waiters.waiting:
            self._close_waiters.release_superseded(core.wish)

    async def leave(self, ask: Ask, *, release_timeout: float | None = None) -> None:
        """Close or suspend; return when that has ended, or when a later wish supersedes it.

        `release_timeout` bounds, in seconds, the wait for the release that follows the closing.
        """
        self.bind()
        if self.generation is not None:
            self.generation.detach(asyncio.current_task())
        self.feed(ask)
        if self._handling:
            await asyncio.sleep(0)  # a listener started this task eagerly: let that return first
        if self.core.state is states.CLOSING and self.core.wish is ask.wish:
            await self._close_waiters.wait(ask.wish)
        if self.core.state in (states.CLOSED, states.PASSIVE):
            await self._releaser.wait(release_timeout)

    async def move(self, move: Move) -> None:
        """Dial a successor and leave the connection for it; see `Moves.wait` for what it raises."""
        self.bind()
        if self.core.successor is None:
            if self.core.state is states.CLOSED:
                raise closed_error(self.last_change)
            if self.core.state is not states.OPEN:
                raise NotOpen(self.core.state)
            self.feed(move)
        await self.moves.wait()

    def fail(
        self,
        close: Close,
        code: int | None,
        reason: str = "",
        *,
        advice: Advise | None = None,
        number: int | None = None,
    ) -> None:
        """End the open generation, or only that of this `number`, as one that has failed.

        `close` is the record, to which what the wire knows is added; `code` and `reason` are
        for the close frame; None: the socket is dropped without one.
        """
        generation = self.generation
        if generation is not None and number in (None, generation.number):
            undelivered = self.inbound.lost_with(generation.wire)
            self.feed(generation.failed(close, code, reason, advice, undelivered))

    def revoke(self, close: Close, code: int | None) -> None:
        """End the connection, or the dial, of an engine that must not have it any more.

        `close` is the record; without a code for a close frame nothing more is written.
        """
        generation = self.generation
        if self.core.state is states.OPEN:
            self.fail(close, code)
        elif self.core.state is states.CONNECTING and generation is not None:
            self.feed(Lost(generation.number, close, self.inbound.lost_with(generation.wire)))
        elif self.core.state is states.CLOSING and self.core.deadline is not None:
            self._expired(self.core.deadline)

    def close_from_finalizer(self) -> None:
        """Close an engine that the application has lost; may be called from any thread."""
        loop = self._binding.loop
        try:
            if loop is not None and (loop.is_closed() or self.core.state is not states.CLOSED):
                loop.call_soon_threadsafe(self._close_unowned)
        except RuntimeError:  # the loop is closed
            self._releaser.drop_wires(self.generation, self.moves.take())
            self.sender.abandon()

    def _close_unowned(self) -> None:
        """Say good-bye and end at once: nobody waits for more, and the loop may be about to end."""
        self._releaser.unowned = True
        self.feed(Ask(Wish.CLOSE, within=0.0))
        if self.core.state is states.CLOSING and self.core.deadline is not None:
            self._expired(self.core.deadline)
        self.sender.abandon()

    def _perform(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Promote():
                self._promote()
            case effects.Drop() | effects.Failed():
                self.moves.end(effect, self.inbound, self._releaser, self.fields)
                part(self._terms, self.core)
            case effects.Shut(_, code, reason) if self.generation is not None:
                self.generation.shut(code, reason)
            case effects.Abort() if self.generation is not None:
                self.generation.abort()
            case effects.Farewell(_, int() as code, reason) if self.generation is not None:
                self.generation.farewell = code, reason

    def _dial(self, effect: effects.Dial) -> None:
        generation = Generation(effect.generation, self)
        if self.generation is None:
            self.generation = generation
        else:
            self.moves.successor = generation
        body = dial(generation, self, effect, self._inputs.plain, self._transport, self._on_open)
        generation.begin(body)

    def _promote(self) -> None:
        """Go on with the successor; it may be ready, or its dial goes on."""
        generation = self.generation = self.moves.take()
        self.inbound.set_aside()
        if generation is not None and generation.wire is not None:
            self.inbound.precede(generation.wire)
            if generation.task is None:
                self._opened(generation)

    async def prepare(self, generation: Generation, effect: effects.Dial) -> Spend | None:
        """See `Dialler.prepare`."""
        if not self._releaser.idle:
            await self._releaser.wait()
            late(self._terms, self.core)
        if self.clock.monotonic() < effect.not_before:
            await sleep_until(effect.not_before, self.clock)
            late(self._terms, self.core)
        if generation is self.generation:
            self.inbound.set_aside()
        return await meet(self._terms, self, effect, known=not self._inputs.asks)

    def request(self, effect: effects.Dial) -> Coroutine[Any, Any, Request]:
        """See `Dialler.request`."""
        return self._inputs.request(self.clock, refresh=effect.refresh)

    def connected(self, generation: Generation, wire: Wire) -> None:
        """See `Dialler.connected`."""
        if self._terms.lease is not None:
            with dial_failure(Cause.CONFIGURATION):
                wire.restrict(self._terms.lease.writable)
        (self.inbound.precede if generation is self.generation else self.inbound.limit)(wire)

    def addressed(self, request: Request) -> None:
        """See `Dialler.addressed`."""
        self.core.address, self.core.peer = self._inputs.address_of(request)
        self._neighbour.at(self.core.peer)

    def wants(self, generation: Generation) -> bool:
        """See `Dialler.wants`."""
        if generation is self.generation:
            return self.core.state is states.CONNECTING
        return generation is self.moves.successor

    def dialled(self, generation: Generation, task: asyncio.Task[None] | None) -> None:
        """See `Owner.dialled`."""
        close = None if task is None else failure_of(task)
        if generation is self.moves.successor:
            part(self._terms, self.core)
        elif generation is not self.generation:
            generation.abort()  # it was cancelled and went on: its socket must not stay
            return
        elif self.core.state is states.CLOSING and generation.connected:
            return  # shut() cancelled on_open: the end of the wire is still to come
        if task is None or close is None:
            self._opened(generation)
        else:
            log_bug(task, close, self.fields, self._on_open)
            self.feed(Lost(generation.number, close, self.inbound.lost_with(generation.wire)))

    def _opened(self, generation: Generation) -> None:
        if self.inbound.discards and self.core.state is states.CONNECTING:
            self.inbound.discard()
        self.feed(Opened(generation.number, self.inbound.undelivered))

    def wire_ended(self, generation: Generation, close: Close) -> None:
        """See `Owner.wire_ended`."""
        self.feed(Lost(generation.number, close, self.inbound.lost_with(generation.wire)))

    def _announce(self, change: StateChange) -> None:
        current, generation = change.current, self.generation
        left = change.trigger in states.ENDS
        if left:
            self._leave(change, generation)
        if current is states.CONNECTING:
            self.counters.dials += 1
            if change.previous is states.CLOSED:
                self.last_change = None
                self.inbound.reopen()
        elif current is states.OPEN:
            self._neighbour.opened()
            if self._limits is not None and generation is not None:
                self._limits.watch(self, generation)  # before the sender, which withholds messages
        elif current is states.CLOSED:
            self.last_change = change
            self.inbound.end(change)
        log.state_change(change, self.clock, self.fields)
        if left or current is states.OPEN:
            follow(self._terms, self.core, change, self)
            if change.undelivered:
                self.counters.undelivered += change.undelivered
                self.inbound.mark_reported(change.undelivered)
                log.messages_undelivered(self.fields, change.undelivered)
            self.sender.changed(change, generation)
            if change.previous is states.CLOSING:
                self._close_waiters.release()
            elif not left and generation is not None and generation.wire is not None:
                self.counters.opens += 1
                self.inbound.attach(generation.wire, generation.number)
            self.moves.changed(change)
        self.observers.notify(change, self.clock, self.fields)

    def _leave(self, change: StateChange, generation: Generation | None) -> None:
        """Let go of what a change ends, and of a generation that has ended with it."""
        self._neighbour.left(change)
        if generation is None:
            self._releaser.start(None, last=change.current is states.CLOSED)
            return
        lost = change.trigger is Trigger.LOST
        if not lost or change.previous is states.OPEN:
            self.sender.leave()
        else:
            self.inbound.lose(self.inbound.unserved(generation.wire))
        generation.leave()
        if lost:
            self.counters.ended(change)
            self.last_close, session = change.close, change.session
            if session is not None or change.uptime is not None:
                self.session = session  # a failed dial does not forget what stands
            self.generation = None
            self._releaser.start(generation, last=change.current is states.CLOSED)

    def watch(self, number: int, after: float, name: str) -> Watchdog:
        """See `Owner.watch`."""
        return watch_subscription(self, number, after, name)

    def _expired(self, deadline: float) -> None:
        generation = self.generation
        if (number := waits(self._terms, self.core, deadline)) is not None:
            self.feed(Wait(number))
        elif generation is None:
            self.feed(Expired(deadline))
        else:
            self.feed(generation.expired(deadline, self.inbound.lost_with(generation.wire)))
