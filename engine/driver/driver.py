"""Feeds the core with events and performs its effects: the only place where both worlds meet."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from recloser import log
from recloser.clock import Alarm, Clock, LoopClock
from recloser.driver.dial import dial, outcome_of, pause
from recloser.driver.generation import Generation, Releasing
from recloser.driver.inbound import UNPLUGGED, Inbound
from recloser.driver.inputs import Inputs
from recloser.driver.observers import Observers
from recloser.driver.opening import OnOpen
from recloser.driver.sender import Outlet
from recloser.driver.statistics import Counters
from recloser.ending import error_of, quiet
from recloser.fsm.change import StateChange
from recloser.fsm.core import Core
from recloser.fsm.effects import Abort, Announce, Dial, Effect, Shut
from recloser.fsm.errors import WrongLoop
from recloser.fsm.events import Ask, Event, Expired, Lost, Opened
from recloser.fsm.record import Close
from recloser.fsm.states import State, Trigger, Wish
from recloser.transport.base import Transport


class Home:
    """Bound to a loop at first use; may move to another when the engine holds nothing."""

    __slots__ = ("_clock", "_given", "loop")

    def __init__(self, clock: Clock | None) -> None:
        self._given: Final = clock
        self._clock = clock
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def clock(self) -> Clock:
        """The clock that was given, or that of the loop."""
        if self._clock is None:
            self._clock = LoopClock(asyncio.get_running_loop() if self.loop is None else self.loop)
        return self._clock

    def enter(self, *, vacant: bool, idle: bool) -> bool:
        """Check that the running loop is the engine's; True if the engine has just moved.

        `vacant`: the machine is closed; `idle`: nothing is left to release. Raises
        `WrongLoop` from another loop or thread while the old loop still has something.
        """
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            raise WrongLoop from None
        before = self.loop
        if before is running:
            return False
        if before is not None and not (vacant and (idle or before.is_closed())):
            raise WrongLoop
        self.loop, self._clock = running, self._given
        return True


class Leavers:
    """The tasks that wait for the present closing to end."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: tuple[tuple[Wish, asyncio.Future[None]], ...] = ()

    async def wait(self, wish: Wish) -> None:
        """Wait until `over()`, or until another wish than this is the last one."""
        entry = (wish, asyncio.get_running_loop().create_future())
        self._waiting += (entry,)
        try:
            await entry[1]
        finally:
            self._waiting = tuple(each for each in self._waiting if each is not entry)

    def supersede(self, last: Wish) -> None:
        """Let those go whose wish is no longer the last one."""
        for wish, future in self._waiting:
            if wish is not last and not future.done():
                future.set_result(None)

    def over(self) -> None:
        """Let everybody go: the closing has ended."""
        for _, future in self._waiting:
            if not future.done():
                future.set_result(None)


class Driver:
    """One engine at work. Events go through one inbox, each to its end before the next."""

    __slots__ = (
        "_alarm",
        "_draining",
        "_home",
        "_inbox",
        "_inputs",
        "_leavers",
        "_on_open",
        "_releasing",
        "_transport",
        "core",
        "counters",
        "fields",
        "generation",
        "inbound",
        "last_change",
        "last_close",
        "observers",
        "outlet",
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
        outlet: Callable[["Driver"], Outlet] = Outlet,
    ) -> None:
        self.core = core
        self.fields = fields
        self.inbound = Inbound(UNPLUGGED, partial(error_of, None))
        self.last_change: StateChange | None = None
        self.last_close: Close | None = None
        self.observers = Observers()
        self.counters = Counters()
        self.outlet = outlet(self)
        self._inputs = inputs
        self._transport = transport
        self._on_open = on_open
        self._home = Home(clock)
        self._inbox: tuple[Event, ...] = ()  # all but always empty, and an empty tuple is free
        self._draining = False
        self._alarm = Alarm()
        self.generation: Generation | None = None  # dialled, open or closing
        self._releasing = Releasing(
            transport, self.outlet.released, bound=close_timeout, fields=fields
        )
        self._leavers = Leavers()

    @property
    def clock(self) -> Clock:
        """The clock that was given, or that of the loop."""
        return self._home.clock

    def bind(self) -> asyncio.AbstractEventLoop:
        """Return the engine's loop, which must be the running one; raises `WrongLoop`.

        An engine in closed holds nothing of a loop, so another may take it over.
        """
        if self._home.enter(vacant=self.core.state is State.CLOSED, idle=self._releasing.over):
            self._releasing.forget()
        return asyncio.get_running_loop()

    def feed(self, event: Event) -> None:
        """Put an event into the inbox; it is worked off now, or after the one at work."""
        self._inbox += (event,)
        if self._draining:
            return
        self._draining = True
        try:
            while self._inbox:
                event, *rest = self._inbox
                self._inbox = tuple(rest)
                self.core.held = self.outlet.apart
                try:
                    effects = self.core.handle(event, self.clock.monotonic())
                except (KeyboardInterrupt, SystemExit):
                    self._inbox = (event, *self._inbox)  # the policy was interrupted; no change
                    raise
                for effect in effects:
                    self._perform(effect)
                self._leavers.supersede(self.core.wish)
        finally:
            self._draining = False
            self._alarm.set(self.core.deadline, self.clock, self._expired)

    async def leave(self, ask: Ask, *, patience: float | None = None) -> None:
        """Close or suspend, and wait until that is done or a later wish came.

        `patience` bounds, in seconds, the wait for what is released after the closing.
        """
        self.bind()
        if self.generation is not None:
            self.generation.spare(asyncio.current_task())
        self.feed(ask)
        if self._draining:
            await asyncio.sleep(0)  # a listener started this task eagerly; its turn comes now
        if self.core.state is State.CLOSING and self.core.wish is ask.wish:
            await self._leavers.wait(ask.wish)
        if self.core.state in (State.CLOSED, State.PASSIVE):
            await self._releasing.wait(patience)

    def forget(self) -> None:
        """Close an engine whose owner is gone; may be called from anywhere."""
        loop = self._home.loop
        if loop is not None and not loop.is_closed():
            with suppress(RuntimeError):  # closed by another thread meanwhile
                loop.call_soon_threadsafe(self.feed, Ask(Wish.CLOSE))

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Announce(change):
                self._announce(change)
            case Dial():
                self._dial(effect)
            case Shut(_, code, reason) if self.generation is not None:
                self.generation.shut(code, reason)
            case Abort() if self.generation is not None:
                self.generation.abort()

    def _dial(self, effect: Dial) -> None:
        generation = Generation(effect.generation, self.fields, self._wire_ended)
        self.generation = generation
        name = f"recloser dial {effect.generation}"
        generation.task = self.bind().create_task(self._dialling(generation, effect), name=name)
        generation.task.add_done_callback(partial(self._dialled, generation))

    async def _dialling(self, generation: Generation, effect: Dial) -> None:
        await self._releasing.wait()
        await pause(self.clock, effect.not_before)
        await dial(
            generation,
            request=self._inputs.request(self.clock, refresh=effect.refresh),
            transport=self._transport,
            on_open=self._on_open,
            ended=generation.ended,
            wanted=partial(self._wants, generation),
        )

    def _wants(self, generation: Generation) -> bool:
        return generation is self.generation and self.core.state is State.CONNECTING

    def _dialled(self, generation: Generation, task: asyncio.Task[None]) -> None:
        close = outcome_of(task)
        generation.task = None
        if generation is not self.generation:
            generation.abort()  # it was given up and yet went on; nothing of it may stay
        elif self.core.state is State.CLOSING and generation.up:
            pass  # shut() cancelled on_open; the wire will tell how the closing went
        elif close is None:
            self.feed(Opened(generation.number, self.inbound.unread))
        else:
            self.feed(Lost(generation.number, close, self._unread(generation)))

    def _wire_ended(self, generation: Generation, close: Close) -> None:
        self.feed(Lost(generation.number, close, self._unread(generation)))

    def _unread(self, generation: Generation) -> int:
        """Count what goes unread with it; when closing, also what an earlier one had left."""
        unread = 0 if generation.wire is None else generation.wire.unread
        if self.core.state is State.CLOSING and self.inbound.wire is not generation.wire:
            unread += self.inbound.unread
        return unread

    def _announce(self, change: StateChange) -> None:
        closed = change.current is State.CLOSED
        self.last_change = change if closed else None  # nobody asks for it in another state
        generation = self.generation
        if generation is not None:
            if change.previous is State.OPEN or change.current is State.CLOSING:
                self.outlet.left()
                generation.leave()
            if change.trigger is Trigger.LOST:
                self.last_close = change.close
                self.generation = None
                self._releasing.start(self.bind(), generation, last=closed)
        elif closed:
            self._releasing.start(self.bind(), None, last=True)
        self._deliver(change)
        self.counters.count(change)
        log.changed(change, self.clock.wall(), self.fields)
        self.outlet.changed(change, generation)
        if change.previous is State.CLOSING:
            self._leavers.over()
        self.observers.tell(change, self.clock, self.fields)

    def _deliver(self, change: StateChange) -> None:
        """Show the change to the consumer."""
        inbound = self.inbound
        ended = change.current is State.OPEN or change.previous is State.CLOSING
        if ended:
            inbound.wire.discard()
        wire = None if self.generation is None else self.generation.wire
        if change.current is State.OPEN and wire is not None:
            inbound.plug(wire)
        elif change.current is State.CONNECTING:
            inbound.reopen()
        elif change.current is State.CLOSED:
            inbound.end(partial(error_of, change), quiet=quiet(change))

    def _expired(self, deadline: float) -> None:
        generation = self.generation
        if generation is None:
            self.feed(Expired(deadline))
        else:
            self.feed(generation.expired(deadline, self._unread(generation)))
