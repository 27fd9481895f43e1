"""`Governor`: the core of a governor in an event loop, for the engines that share it."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal
from weakref import WeakKeyDictionary, ref

from recloser import log
from recloser.checks import address_of
from recloser.clock import Alarm, loop_clock
from recloser.fsm.budget import BUDGET_SPENT
from recloser.fsm.change import StateChange
from recloser.fsm.events import Hint
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.numbers import check_seconds
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import State, Trigger
from recloser.governor.core import GovernorCore
from recloser.governor.effects import Effect, Grant, Share, Tell, Wake
from recloser.governor.limits import AT_ONCE, DialLimits
from recloser.governor.news import News
from recloser.governor.pace import RAMP
from recloser.governor.sharing import Sharing
from recloser.governor.store import GovernorStore
from recloser.providers import dial_failure
from recloser.transport.base import DialFailed

if TYPE_CHECKING:
    from recloser.contract import Hinted

Key = Literal["host", "address"] | Callable[[str], str]
"""What is limited: a host and port, an address, or what a function of the address returns."""


@lru_cache(maxsize=128)
def _place(address: str) -> tuple[str, str]:
    """Return the origin of an address, and its "host:port"."""
    return "/".join(address.split("/", 3)[:3]), address_of(address)[1]


class Governor:
    """Says when an engine may dial, so that the engines of a process do not dial all at once.

        governor = recloser.Governor(rate=50.0)
        feeds = [recloser.connect(url, governor=governor) for url in urls]

    The engines of an event loop share one, `Governor()`, unless `connect` is given another. An
    engine that is alone at its host does not notice it.

    rate: dials per second that begin at a host, evenly spaced; None for no limit. It is also the
        pace at which engines come back to a host that was down: the operator knows what it takes.
        Without it ten engines of a crowd that starts dial at once, and more as dials open.
    at_once: dials that are under way at a host at a time, `on_open` included; None for no limit.
    by: what counts as one host: "host" (host and port), "address" (scheme, host, port and path), or
        a function that is called with the address and returns the name of a group, a str. If the
        function fails, the dial fails with cause CONFIGURATION.
    ramp: the factor by which the pace of a return grows at most in a second, until the host refuses
        a dial; at least 1. Below 2 there is no congestion window and no look for a queue, so that
        the pace alone decides, and a refusal does not end the bound.
    store: what the governors of a fleet share, such as `RedisStore(url).governor`: the limits hold
        for all processes together then, and news of hosts serve all. While it is away the limits
        hold for each process by itself, and a line in the log says so.

    It belongs to no event loop: in each it governs the engines of that loop.

    Raises `TypeError` or `ValueError` for arguments that cannot work.
    """

    __slots__ = ("_by", "_desks", "_latest", "_limits", "_ramp", "_store")

    def __init__(
        self,
        *,
        rate: float | None = None,
        at_once: int | None = AT_ONCE,
        by: Key = "host",
        ramp: float = RAMP,
        store: GovernorStore | None = None,
    ) -> None:
        self._limits = DialLimits(rate, at_once)
        if by not in ("host", "address") and not callable(by):
            raise TypeError(f"by must be 'host', 'address' or a function, not {by!r}")
        if check_seconds("ramp", ramp) < 1:
            raise ValueError(f"ramp must be at least 1, not {ramp!r}")
        if store is not None and not callable(getattr(store, "acquire", None)):
            raise TypeError(f"store must be a GovernorStore with acquire(...), not {store!r}")
        self._store = store
        self._by = by
        self._ramp = float(ramp)
        self._desks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk] = WeakKeyDictionary()
        self._latest: tuple[ref[asyncio.AbstractEventLoop], _Desk] | None = None
        """That of the loop that asked last: a look-up in `_desks` takes ten times as long."""

    def __repr__(self) -> str:
        limits = self._limits
        return f"<{type(self).__name__} rate={limits.rate} at_once={limits.at_once}>"

    def route(self, route: Hashable = None) -> "Route":
        """Return the governor as engines meet it that dial by the same route."""
        return Route(self, route)

    def key(self, address: str) -> str:
        """Return what an address is limited by.

        Raises `TypeError` if the function of the application returns no text, and what it raises.
        """
        if self._by == "host":
            return _place(address)[1]
        if not callable(self._by):
            return address
        key = self._by(address)
        if not isinstance(key, str):
            raise TypeError(f"by must return the name of a group as a str, not {key!r}")
        return key

    def desk(self) -> "_Desk":
        """Return the part of the running event loop."""
        loop = asyncio.get_running_loop()
        latest = self._latest
        if latest is not None and latest[0]() is loop:
            return latest[1]
        desk = self._desks.get(loop)
        if desk is None:
            for other in [each() for each in self._desks.keyrefs()]:  # a copy: threads share it
                if other is not None and other.is_closed():
                    self._desks.pop(other, None)  # a timer that was set there keeps it alive
            desk = self._desks[loop] = _Desk(
                GovernorCore(self._limits, ramp=self._ramp), self._store, self._limits
            )
        self._latest = ref(loop), desk
        return desk


SHARED: Final = Governor()
"""The governor of all engines that are given none of their own."""


class Route:
    """The governor of all engines that dial by the same route: proxy, session and what they trust.

    They take the record of a dial of each other for their own.
    """

    __slots__ = ("_governor", "_route")

    def __init__(self, governor: Governor, route: Hashable) -> None:
        self._governor = governor
        self._route = route

    def permit(
        self, engine: int, address: str, *, intentional: bool
    ) -> Coroutine[Any, Any, bool] | None:
        """Ask for a permit: None if the engine may dial now, else what to wait for.

        That returns once it may, and whether it had to wait; it raises `DialFailed` with the record
        of another engine's dial that stands for this one.

        Raises `DialFailed` with cause CONFIGURATION if the governor cannot name what the address is
        limited by.
        """
        governor = self._governor
        desk = governor.desk()
        if desk.woken.pop(engine, None) == address:
            return None
        try:
            key = governor.key(address)
        except BaseException:
            with dial_failure(Cause.CONFIGURATION):
                raise
        return desk.permit(engine, key, self._to(address), intentional)

    def waits(self, engine: int) -> bool:
        """Return whether the engine waits for its permit."""
        return engine in self._governor.desk().asking

    def changed(
        self, engine: int, address: str | None, change: StateChange, driver: "Hinted"
    ) -> None:
        """Follow a change of state; `driver` is fed the hint that a host is back."""
        current = change.current
        connecting = change.previous is State.CONNECTING
        if current is State.OPEN:
            if connecting:
                self._governor.desk().opened(engine)
            return
        desk, close = self._governor.desk(), change.close
        if close is not None and change.trigger is Trigger.LOST:
            if connecting:
                desk.failed(engine, close)
            if current is State.BACKOFF and address is not None:
                try:
                    key = self._governor.key(address)
                except Exception as error:  # noqa: BLE001 - what the application gave must not break the engine
                    log.failure(log.LISTENER_FAILED, {}, "by", error)
                    if desk.dials(engine):
                        return  # a successor, for the connection that is lost
                else:
                    rest = _Rest(ref(driver), address, self._to(address))
                    desk.sleep(engine, key, rest, close, wake=change.rule != BUDGET_SPENT)
                    return
        desk.leave(engine)

    def late(self, engine: int) -> None:
        """Take note that an engine dials some time after the hint that let it: it asks again."""
        self._governor.desk().woken.pop(engine, None)

    def leave(self, engine: int) -> None:
        """Take note that the engine neither waits nor dials."""
        self._governor.desk().leave(engine)

    def _to(self, address: str) -> Hashable:
        """Return the route to an address: that of all addresses of its origin."""
        return self._route, _place(address)[0]


class _Rest(NamedTuple):
    """A backoff that the return of the host may end."""

    driver: "ref[Hinted]"
    """Who takes the hint that ends it."""
    address: str
    """What is dialled then."""
    route: Hashable
    """By what."""


class _Desk:
    """Tells one core what engines say, and performs its effects in one event loop.

    It keeps neither that loop nor an engine alive.
    """

    __slots__ = ("_alarm", "_answers", "_asleep", "_core", "_rings", "_sharing", "asking", "woken")

    def __init__(self, core: GovernorCore, store: GovernorStore | None, limits: DialLimits) -> None:
        self._core = core
        self._sharing = None if store is None else Sharing(store, limits, self._hear)
        self._alarm = Alarm()
        self._rings: float | None = None
        """When the alarm rings: at the deadline of the core."""
        self._answers: dict[int, Grant | Close | asyncio.Future[Grant | Close] | None] = {}
        """What those get who want to dial: a permit, or a record that stands for theirs; until
        then the future of it, or None while the core is still being asked."""
        self.asking: set[int] = set()
        """Those that have no permit yet."""
        self._asleep: dict[int, _Rest] = {}
        """Those in backoff."""
        self.woken: dict[int, str] = {}
        """Those who have got that hint, with the permit to dial this address, and nothing more to
        ask for: no store shares the permits."""

    # -- what engines say ----------------------------------------------------------------

    def permit(
        self, engine: int, key: str, route: Hashable, intentional: bool
    ) -> Coroutine[Any, Any, bool] | None:
        """See `Route.permit`."""
        self._asleep.pop(engine, None)
        now = asyncio.get_running_loop().time()
        found = self._core.ask(engine, key, now, route=route, intentional=intentional)
        answer = Grant(engine) if found is None else self._asked(engine, found)
        if self._sharing is None and type(answer) is Grant:
            return None
        return self._turn(engine, key, answer)

    def opened(self, engine: int) -> None:
        """Take note that a dial has opened."""
        found = self._core.opened(engine, asyncio.get_running_loop().time())
        self._perform(found, done=engine)

    def failed(self, engine: int, close: Close) -> None:
        """Take note that a dial has failed with this record."""
        found = self._core.failed(engine, close, asyncio.get_running_loop().time())
        self._perform(found, done=engine)

    def sleep(self, engine: int, key: str, rest: _Rest, close: Close, *, wake: bool) -> None:
        """Take note of a backoff; `wake`: the return of the host may end it."""
        self.woken.pop(engine, None)  # it was lost before it asked
        self._asleep[engine] = rest
        now = asyncio.get_running_loop().time()
        self._perform(self._core.sleep(engine, key, close, now, route=rest.route, wake=wake))

    def dials(self, engine: int) -> bool:
        """Whether the engine dials, or waits for that."""
        return self._core.dials(engine)

    def leave(self, engine: int) -> None:
        """Take note that the engine neither waits nor dials."""
        self._asleep.pop(engine, None)
        self.woken.pop(engine, None)
        self._part(engine)

    def _part(self, engine: int) -> None:
        found = self._core.leave(engine, asyncio.get_running_loop().time())
        self._perform(found, done=engine)

    def _asked(
        self, engine: int, found: list[Effect]
    ) -> "Grant | Close | asyncio.Future[Grant | Close]":
        """Perform what follows from a question; return the answer to it, or the future of it."""
        self._answers[engine] = None
        self._perform(found)
        answer = self._answers[engine]
        if answer is None:
            answer = self._answers[engine] = asyncio.get_running_loop().create_future()
        else:
            del self._answers[engine]
        return answer

    async def _turn(
        self, engine: int, key: str, answer: "Grant | Close | asyncio.Future[Grant | Close]"
    ) -> bool:
        """Return once the engine may dial, and whether it had to wait."""
        waited, sharing = False, self._sharing
        self.asking.add(engine)
        try:
            while True:
                if isinstance(answer, asyncio.Future):
                    waited, turn = True, answer
                    try:
                        answer = await turn
                    finally:
                        if self._answers.get(engine) is turn:
                            del self._answers[engine]
                if isinstance(answer, Close):
                    raise DialFailed(answer)
                if sharing is None:
                    return waited
                wait = await sharing.take(engine, key, answer.gap)
                while wait > 0 and answer.gap is None:
                    waited = True
                    await asyncio.sleep(wait)
                    wait = await sharing.take(engine, key, None)
                if wait <= 0:
                    return waited
                now = asyncio.get_running_loop().time()
                answer = self._asked(engine, self._core.defer(engine, wait, now))
        except asyncio.CancelledError:
            self._part(engine)
            raise
        finally:
            self.asking.discard(engine)

    # -- what the core answers -----------------------------------------------------------

    def _perform(self, found: list[Effect], *, done: int | None = None) -> None:
        """Perform the effects of the core; `done`: the engine whose permit is given back."""
        for effect in found:
            match effect:
                case Wake(engine):
                    self._wake(engine)
                case Grant(engine):
                    self._answer(engine, effect)
                case Share(engine, close):
                    self._answer(engine, close)
                case Tell(news) if self._sharing is not None:
                    self._sharing.tell(news)
        core = self._core
        if self._sharing is not None:
            if done is not None:
                self._sharing.give_back(done)
            self._sharing.listen(core.hosts > 0)
        if core.deadline != self._rings:
            self._set_alarm(core.deadline)

    def _wake(self, engine: int) -> None:
        rest = self._asleep.pop(engine, None)
        if rest is None:
            return
        driver = rest.driver()
        if driver is None:
            self._part(engine)  # it was forgotten
            return
        if self._sharing is None:
            self.woken[engine] = rest.address
        driver.feed(Hint())

    def _answer(self, engine: int, answer: Grant | Close) -> None:
        turn = self._answers.get(engine)
        if isinstance(turn, asyncio.Future):
            if not turn.done():
                turn.set_result(answer)
        elif engine in self._answers:
            self._answers[engine] = answer

    def _hear(self, news: News) -> None:
        self._perform(self._core.hear(news, asyncio.get_running_loop().time()))

    def _set_alarm(self, due: float | None) -> None:
        self._rings = due
        self._alarm.set(due, loop_clock(asyncio.get_running_loop()), self._ring)

    def _ring(self, deadline: float) -> None:
        del deadline
        self._rings = None
        self._perform(self._core.pass_time(asyncio.get_running_loop().time()))
