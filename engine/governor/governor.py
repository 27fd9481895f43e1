"""`Governor`: says when an engine may dial, for the engines that share it."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal
from weakref import WeakKeyDictionary, ref

from recloser import log
from recloser.checks import address_of
from recloser.fsm.budget import BUDGET_SPENT
from recloser.fsm.change import StateChange
from recloser.fsm.numbers import check_seconds
from recloser.fsm.record import Cause
from recloser.fsm.states import State, Trigger
from recloser.governor.core import GovernorCore
from recloser.governor.desk import Desk, Rest
from recloser.governor.limits import AT_ONCE, DialLimits
from recloser.governor.pace import RAMP
from recloser.governor.store import GovernorStore
from recloser.providers import dial_failure

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
        self._desks: WeakKeyDictionary[asyncio.AbstractEventLoop, Desk] = WeakKeyDictionary()
        self._latest: tuple[ref[asyncio.AbstractEventLoop], Desk] | None = None
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

    def desk(self) -> Desk:
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
            desk = self._desks[loop] = Desk(
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
                    rest = Rest(ref(driver), address, self._to(address))
                    wake = change.rule != BUDGET_SPENT
                    desk.sleep(engine, key, rest, close, wake=wake, brief=_brief(change))
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


def _brief(change: StateChange) -> bool:
    """Return whether a connection is lost that was not stable yet."""
    context = change.context
    return context is not None and context.uptime is not None and not context.stable
