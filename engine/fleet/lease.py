"""`Lease`: one key, one open connection among all engines that have a lease of it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final, Protocol
from uuid import uuid4

from recloser import log
from recloser.clock import Alarm, Clock
from recloser.fleet.core import (
    Acquire,
    Answered,
    Campaign,
    Effect,
    Ended,
    Event,
    Instant,
    LeaseCore,
    LeaseState,
    Lose,
    News,
    Passed,
    Quit,
    Renew,
    Unheard,
    Won,
    times_of,
)
from recloser.fleet.store import Grant, LeaseStore, Refusal
from recloser.fsm.change import StateChange
from recloser.fsm.closecodes import GOING_AWAY
from recloser.fsm.decisions import STANDBY
from recloser.fsm.errors import RecloserError
from recloser.fsm.events import Event as EngineEvent
from recloser.fsm.events import Hint
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import Guard, State
from recloser.fsm.timeouts import FAREWELL
from recloser.store_contact import StoreContact
from recloser.transport.base import DialFailed

_STORE: Final = ("acquire", "renew", "release", "watch")


class Position(Protocol):
    """The machine of the engine, to read."""

    @property
    def state(self) -> State:
        """The present state."""
        ...

    @property
    def guard(self) -> Guard | None:
        """Who put the engine to rest, in passive."""
        ...


class LeasedEngine(Protocol):
    """The engine, as its lease sees it."""

    @property
    def core(self) -> Position:
        """The machine."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock of the engine."""
        ...

    @property
    def fields(self) -> Mapping[str, object]:
        """The application's fields for log lines."""
        ...

    def feed(self, event: EngineEvent) -> None:
        """Handle an event."""
        ...

    def revoke(self, close: Close, code: int | None) -> None:
        """End the connection or the dial, with a close frame if there is a code."""
        ...


class Lease:
    """The right to be the one open connection of a key; one lease for each engine.

        lease = Lease(store, "prices", ttl=10.0)
        ws = recloser.connect(url, lease=lease, headers=lambda: {"X-Fencing": str(lease.token)})

    The engine that gets it dials. The others rest in `passive` by the rule `standby`, and dial
    when the holder has left, or its lease is over. `close()`, `suspend()`, and an end at which
    the policy gives up release it, so that the next one dials at once.

    store: a `LeaseStore`, such as `MemoryStore()` or `RedisStore(url)`.
    key: names the connection; all engines of one key must give the same `ttl`.
    ttl: seconds after which the lease of a holder that is gone is another's. It is renewed each
        third of that.
    margin: seconds before its end at which a holder without an answer of the store ends its
        connection; a tenth of `ttl` if None. In the second half of them it writes nothing more.
        They cover the clocks: one that is slow by 5 % does no harm with a tenth.

    Raises `TypeError` or `ValueError` for values that cannot work.
    """

    def __init__(
        self, store: LeaseStore, key: str, *, ttl: float = 10.0, margin: float | None = None
    ) -> None:
        if not all(callable(getattr(store, name, None)) for name in _STORE):
            raise TypeError(f"store must be a LeaseStore such as MemoryStore(), not {store!r}")
        if not isinstance(key, str):
            raise TypeError(f"key must be a str, not {type(key).__name__}")
        if not key:
            raise ValueError("key must not be empty: name the connection that there is once")
        self._core = LeaseCore(times_of(ttl, margin))
        self._store = store
        self._key = key
        self._owner = uuid4().hex
        self._engine: LeasedEngine | None = None
        self._alarm = Alarm()
        self._request: asyncio.Task[None] | None = None
        self._answer: asyncio.Event | None = None
        self._unwatch: Callable[[], None] | None = None
        self._contact = StoreContact()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._key!r} {self.state.value}>"

    @property
    def key(self) -> str:
        """The name of the connection."""
        return self._key

    @property
    def state(self) -> LeaseState:
        """Where this engine stands: released, candidate, holder or lost."""
        return self._core.state

    @property
    def valid(self) -> bool:
        """Whether this engine holds the lease now, and certainly no other does."""
        return self._engine is not None and self._core.valid(self._now(self._engine))

    @property
    def token(self) -> int | None:
        """The fencing number of the lease; None unless it is `valid`.

        It is higher than that of every holder before. Pass it on: to the peer, in a header or in
        `on_open`, and to whatever else the holder writes to. Who gets it refuses a lower number
        than it has seen.
        """
        return self._core.token if self.valid else None

    # -- the engine's side --------------------------------------------------------------

    def attach(self, engine: LeasedEngine) -> None:
        """Belong to this engine from now on; raises `RecloserError` for a second one."""
        if self._engine is not None:
            raise RecloserError("this Lease belongs to another engine: make one for each engine")
        self._engine = engine

    async def obtain(self) -> None:
        """Return if the lease is held, after asking for it once; else raise `DialFailed`."""
        if self.valid:
            return
        self._handle(Campaign())
        while self._core.asking and self._core.state is LeaseState.CANDIDATE:
            self._answer = self._answer or asyncio.Event()
            await self._answer.wait()
        if not self.valid:
            raise DialFailed(Close.by_engine(Cause.LEASE, error=self._contact.problem))

    def writable(self) -> bool:
        """Return whether the connection of the lease may write anything."""
        return self._engine is not None and self._core.writable(self._now(self._engine))

    def changed(self, change: StateChange) -> None:
        """Follow the engine: begin to wait at a standby, want nothing after any other rest."""
        if change.current is State.PASSIVE and change.rule == STANDBY:
            self._handle(Ended())
        elif change.current in (State.PASSIVE, State.CLOSED):
            self._quit()

    async def released(self) -> None:
        """Tell the store that the lease is free, if it was this engine's and is wanted no more."""
        request = self._request
        if request not in (None, asyncio.current_task()) and not self._wanted:
            await asyncio.wait((request,))
        if self._core.owed and not self._wanted:
            self._core.owed = False
            try:
                async with asyncio.timeout(self._core.times.patience):
                    await self._store.release(self._key, self._owner)
            except Exception as error:  # noqa: BLE001 - of any store; the lease ends by itself
                self._unreachable(error)

    @property
    def _wanted(self) -> bool:
        return self._core.state is not LeaseState.RELEASED

    def _quit(self) -> None:
        """Ask for nothing more; `released` tells the store."""
        self._handle(Quit())
        if self._request is not None:
            self._request.cancel()

    # -- the core's effects -------------------------------------------------------------

    def _now(self, engine: LeasedEngine) -> Instant:
        return Instant(engine.clock.monotonic(), engine.clock.wall())

    def _handle(self, event: Event) -> None:
        engine = self._engine
        if engine is None:
            return
        for effect in self._core.handle(event, self._now(engine)):
            self._perform(effect, engine)
        self._follow()
        self._alarm.set(self._core.deadline, engine.clock, self._due)

    def _perform(self, effect: Effect, engine: LeasedEngine) -> None:
        owner, ttl = self._owner, self._core.times.ttl
        match effect:
            case Acquire(number, floor):
                self._ask(number, partial(self._store.acquire, self._key, owner, ttl, floor))
            case Renew(number, token):
                self._ask(number, partial(self._store.renew, self._key, owner, token, ttl))
            case Won(token):
                log.lease_won(engine.fields, self._key, token)
                self._wake(engine)
            case Lose(token, foreign):
                log.lease_lost(engine.fields, self._key, token, foreign=foreign)
                polite = self._core.times.margin >= 2 * FAREWELL and self.writable() and not foreign
                engine.revoke(Close.by_engine(Cause.LEASE), GOING_AWAY if polite else None)
                if engine.core.state is State.BACKOFF:
                    self._handle(Ended())  # there was no connection

    def _wake(self, engine: LeasedEngine) -> None:
        """Let a standby dial; release the lease where the engine does not want it any more."""
        if self._suspended(engine):
            self._quit()
            self._start(self.released())
        elif engine.core.state is State.PASSIVE:
            engine.feed(Hint())

    def _suspended(self, engine: LeasedEngine) -> bool:
        """Whether the application has put a standby to rest: no change tells of that."""
        core = engine.core
        return core.state is State.PASSIVE and core.guard is not Guard.HELD

    def _follow(self) -> None:
        """Watch the store while this engine is a candidate."""
        candidate = self._core.state is LeaseState.CANDIDATE
        if candidate and self._unwatch is None:
            self._unwatch = self._store.watch(self._key, partial(self._handle, News()))
        elif not candidate and self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def _due(self, deadline: float) -> None:
        del deadline
        if self._engine is not None and self._suspended(self._engine):
            self._quit()
            self._start(self.released())
        else:
            self._handle(Passed())

    def _ask(self, number: int, call: Callable[[], Awaitable[Grant | Refusal | bool]]) -> None:
        self._start(self._answered(number, call))

    def _start(self, request: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(request, name="recloser lease")
        self._request = task
        task.add_done_callback(self._done)

    async def _answered(
        self, number: int, call: Callable[[], Awaitable[Grant | Refusal | bool]]
    ) -> None:
        event: Event
        try:
            async with asyncio.timeout(self._core.times.patience):
                event = Answered(number, await call())
        except TimeoutError:
            event = Unheard(number)
            patience = self._core.times.patience
            self._unreachable(TimeoutError(f"the store gave no answer in {patience:g} s"))
        except Exception as error:  # noqa: BLE001 - of any store; it counts as a failure
            event = Answered(number, None)
            self._unreachable(error)
        else:
            self._reached()
        self._handle(event)
        if self._answer is not None:
            self._answer.set()
            self._answer = None

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._request is task:
            self._request = None

    # -- the store ----------------------------------------------------------------------

    def _unreachable(self, error: Exception) -> None:
        engine = self._engine
        self._contact.failed(self._key, error, {} if engine is None else engine.fields)

    def _reached(self) -> None:
        engine = self._engine
        self._contact.answered(self._key, {} if engine is None else engine.fields)
