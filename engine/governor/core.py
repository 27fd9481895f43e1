"""The core of a governor: what engines say and the time go in, effects and one deadline come out.

It has no clock, no randomness and no I/O, as the core of an engine. The engines of one process
share it; each host, or each key of the application, fares for itself.
"""

from collections.abc import Hashable
from heapq import heappop, heappush
from math import inf
from typing import Final

from recloser.fsm.record import Close
from recloser.governor.effects import Effect
from recloser.governor.host import Host
from recloser.governor.intake import Intake
from recloser.governor.limits import DialLimits
from recloser.governor.news import News
from recloser.governor.pace import RAMP
from recloser.governor.setbacks import Setbacks

_KNOWN_HOSTS: Final = 1000
"""Hosts whose intake is remembered, at most."""


class GovernorCore:
    """Decides whose dial begins when; `ramp` is the greatest growth of a return's pace.

    An engine is an int of the caller's choice, `now` a moment in seconds. Every call is handled
    completely, and returns the effects to perform, in order.
    """

    __slots__ = ("_due", "_homes", "_hosts", "_limits", "_ramp", "_setbacks", "deadline", "known")

    def __init__(self, limits: DialLimits, *, ramp: float = RAMP) -> None:
        self._limits = limits
        self._ramp = ramp
        self.known: dict[str, Intake] = {}
        """What hosts took in a return, by key; the one that was found last is the last."""
        self._setbacks = Setbacks()
        self._hosts: dict[str, Host] = {}
        self._homes: dict[int, Host] = {}
        """The host at which an engine waits, dials or sleeps."""
        self._due: list[tuple[float, str]] = []
        """When to look at a host; an entry that is not the `listed` of its host counts no more."""
        self.deadline: float | None = None
        """The first moment at which the core wants `pass_time`; None if nothing waits for time
        alone. A moment that is put off stays: what comes then is the later one."""

    @property
    def hosts(self) -> int:
        """How many hosts are remembered."""
        return len(self._hosts)

    def ask(
        self,
        engine: int,
        key: str,
        now: float,
        *,
        route: Hashable = None,
        intentional: bool = False,
    ) -> list[Effect] | None:
        """Take an engine that wants to dial now.

        None: it has its permit here already, and dials, since it was woken (it need not ask then)
        or asks again. Who has the same route may take the record of its dial for their own. The
        application has asked for an intentional dial.
        """
        host = self._hosts.get(key) or self._new(key)
        found: list[Effect] = []
        if self._homes.get(engine) is not host:
            found = self._move(engine, host, now)
        elif host.begins(engine, route, now):
            return None
        found += host.ask(engine, route, now, intentional=intentional)
        self._settle(host)
        return found

    def opened(self, engine: int, now: float) -> list[Effect]:
        """Take the end of a dial that has opened: the engine has given its permit back."""
        host = self._homes.pop(engine, None)
        if host is None:
            return []  # it had left before, and its dial went on
        found = host.opened(engine, now)
        self._settle(host)
        return found

    def failed(self, engine: int, close: Close, now: float) -> list[Effect]:
        """Take the end of a dial that has failed with this record, and its permit.

        The engine says next what comes then: `sleep`, `ask` or `leave`.
        """
        host = self._homes.get(engine)
        if host is None:
            return []  # it had left before, and its dial went on
        found = host.failed(engine, close, now)
        self._settle(host)
        return found

    def sleep(
        self,
        engine: int,
        key: str,
        close: Close,
        now: float,
        *,
        route: Hashable = None,
        wake: bool = True,
        brief: bool = False,
    ) -> list[Effect]:
        """Take an engine that begins a backoff after an end with this record.

        `wake`: the return of the host may end the backoff. Its dial goes by the route then.
        `brief`: it has lost a connection that was not stable yet.
        """
        if self.dials(engine):
            return []  # it dials on, for the connection that it has just lost
        host = self._hosts.get(key) or self._new(key)
        found = [] if self._homes.get(engine) is host else self._move(engine, host, now)
        found += host.sleep(engine, route, close, now, wake=wake, brief=brief)
        self._settle(host)
        return found

    def dials(self, engine: int) -> bool:
        """Whether the engine dials, or waits for that."""
        home = self._homes.get(engine)
        return home is not None and home.dials(engine)

    def leave(self, engine: int, now: float) -> list[Effect]:
        """Let an engine go that neither waits nor dials any more."""
        self._setbacks.forget(engine)
        host = self._homes.pop(engine, None)
        if host is None:
            return []
        found = host.leave(engine, now)
        self._settle(host)
        return found

    def defer(self, engine: int, seconds: float, now: float) -> list[Effect]:
        """Take back the turn to probe: another process has dialled a probe.

        The engine waits for so many seconds for the news of that probe.
        """
        host = self._homes.get(engine)
        if host is None:
            return []
        found = host.defer(engine, seconds, now)
        self._settle(host)
        return found

    def hear(self, news: News, now: float) -> list[Effect]:
        """Take what another process tells of a host."""
        host = self._hosts.get(news.key)
        if host is None:
            return []
        found = host.hear(news, now)
        self._settle(host)
        return found

    def pass_time(self, now: float) -> list[Effect]:
        """Let those dial whose time has come; nothing happens before the deadline."""
        found: list[Effect] = []
        while self._due and self._due[0][0] <= now:
            moment, key = heappop(self._due)
            host = self._hosts.get(key)
            if host is not None and host.listed == moment:
                host.listed = inf
                if host.due <= now:
                    found += host.admit(now)
                self._settle(host)
        self.deadline = self._due[0][0] if self._due else None
        return found

    def _new(self, key: str) -> Host:
        host = self._hosts[key] = Host(
            key, self._limits, self._ramp, self._setbacks, self.known.get(key)
        )
        return host

    def _move(self, engine: int, host: Host, now: float) -> list[Effect]:
        """Let the engine be at this host, and nowhere else."""
        found = self.leave(engine, now) if engine in self._homes else []
        self._homes[engine] = host
        return found

    def _settle(self, host: Host) -> None:
        """Keep when time moves the host on, or forget a host without engines."""
        if host.due < host.listed:
            host.listed = host.due
            heappush(self._due, (host.due, host.key))
            self.deadline = self._due[0][0]
        elif host.idle:
            self._remember(host.key, host.known)
            del self._hosts[host.key]
            if not self._hosts:
                self._due.clear()
                self.deadline = None

    def _remember(self, key: str, intake: Intake | None) -> None:
        if intake is None or intake is self.known.get(key):
            return
        self.known.pop(key, None)
        self.known[key] = intake
        if len(self.known) > _KNOWN_HOSTS:
            del self.known[next(iter(self.known))]
