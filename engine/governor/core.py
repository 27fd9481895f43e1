"""The core of a governor: an event and the time go in, effects and one deadline come out.

It has no clock, no randomness and no I/O, as the core of an engine. The engines of one process
share it; each host, or each key of the application, fares for itself.
"""

from heapq import heappop, heappush

from recloser.governor import events
from recloser.governor.effects import Effect
from recloser.governor.events import Event
from recloser.governor.host import Host
from recloser.governor.limits import DialLimits
from recloser.governor.pace import RAMP


class GovernorCore:
    """Decides whose dial begins when; `ramp` is the greatest growth of a return's pace."""

    __slots__ = ("_due", "_homes", "_hosts", "_limits", "_ramp")

    def __init__(self, limits: DialLimits, *, ramp: float = RAMP) -> None:
        self._limits = limits
        self._ramp = ramp
        self._hosts: dict[str, Host] = {}
        self._homes: dict[int, str] = {}
        """The key at which an engine waits, dials or sleeps."""
        self._due: list[tuple[float, str]] = []
        """When time moves a host on; an entry that is not the `due` of its host counts no more."""

    @property
    def deadline(self) -> float | None:
        """The moment at which the core wants `Due`; None if nothing waits for time alone."""
        while self._due:
            due, key = self._due[0]
            host = self._hosts.get(key)
            if host is not None and host.due == due:
                return due
            heappop(self._due)
        return None

    @property
    def hosts(self) -> int:
        """How many hosts are remembered."""
        return len(self._hosts)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Handle one event completely; return the effects to perform, in order."""
        match event:
            case events.Ask(engine, key, route, intentional):
                found = self._move(engine, key, now)
                host = self._host(key)
                found += host.ask(engine, route, now, intentional=intentional)
            case events.Sleep(engine, key, close, wake):
                if engine in self._homes and self._hosts[self._homes[engine]].dials(engine):
                    return []  # it dials on, for the connection that it has just lost
                found = self._move(engine, key, now)
                host = self._host(key)
                found += host.sleep(engine, close, now, wake=wake)
            case events.Ended(engine, close):
                if engine not in self._homes:
                    return []  # it had left before, and its dial went on
                key = self._homes[engine]
                host = self._hosts[key]
                found = host.ended(engine, close, now)
            case events.Defer(engine, seconds):
                if engine not in self._homes:
                    return []
                key = self._homes[engine]
                host = self._hosts[key]
                found = host.defer(engine, seconds, now)
            case events.Leave(engine):
                return self._leave(engine, now)
            case events.Hear(news):
                if news.key not in self._hosts:
                    return []
                key, host = news.key, self._hosts[news.key]
                found = host.hear(news, now)
            case events.Due():
                return self._pass(now)
        if isinstance(event, events.Ended) and event.close is None:
            del self._homes[event.engine]
        self._settle(key, host)
        return found

    def _host(self, key: str) -> Host:
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = Host(key, self._limits, self._ramp)
        return host

    def _move(self, engine: int, key: str, now: float) -> list[Effect]:
        """Let the engine be at `key`, and nowhere else."""
        before = self._homes.get(engine)
        found = [] if before in (None, key) else self._leave(engine, now)
        self._homes[engine] = key
        return found

    def _leave(self, engine: int, now: float) -> list[Effect]:
        key = self._homes.pop(engine, None)
        if key is None:
            return []
        host = self._hosts[key]
        found = host.leave(engine, now)
        self._settle(key, host)
        return found

    def _pass(self, now: float) -> list[Effect]:
        found: list[Effect] = []
        while (due := self.deadline) is not None and due <= now:
            key = heappop(self._due)[1]
            host = self._hosts[key]
            host.listed = None
            found += host.admit(now)
            self._settle(key, host)
        return found

    def _settle(self, key: str, host: Host) -> None:
        """Keep when time moves the host on, or forget a host without engines."""
        if host.due is not None and host.due != host.listed:
            heappush(self._due, (host.due, key))
        host.listed = host.due
        if host.idle:
            del self._hosts[key]
