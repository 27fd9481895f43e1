"""The shared knowledge of the engines of a process about the hosts that they dial."""

from typing import Final
from weakref import WeakValueDictionary

from recloser.fsm import states
from recloser.fsm.change import StateChange
from recloser.fsm.closecodes import SERVICE_RESTART
from recloser.fsm.decisions import ALONE, Host
from recloser.fsm.record import Cause
from recloser.fsm.states import Trigger


class _Shared:
    """One host. It is forgotten with the last engine there."""

    __slots__ = ("__weakref__", "crowded", "engines", "known", "name", "outage")

    def __init__(self, name: str) -> None:
        self.name: str = name
        """As "host:port"."""
        self.engines: list[None] = []
        """One item for each engine there: a list counts right in all threads."""
        self.outage: float | None = None
        self.crowded = False
        self.known = ALONE
        """What an engine asked for last: one object for all, as long as nothing changes."""


_HOSTS: Final[WeakValueDictionary[str, _Shared]] = WeakValueDictionary()
"""By "host:port". Engines of all event loops and threads are in it; those that are gone are not."""


class Neighbour:
    """One engine among the engines of the process at the same host.

    It is there from a dial until the engine rests or is closed, and tells the others how long
    the host was away after it said that it restarts.
    """

    __slots__ = ("_away", "_crowded", "_restarted_at", "_shared")

    def __init__(self) -> None:
        self._shared: _Shared | None = None
        self._restarted_at: float | None = None
        """When this engine was told of the restart that it waits for, on its own clock."""
        self._away = 0.0
        self._crowded = False

    def at(self, host: str) -> None:
        """Be at the host that is dialled now, as "host:port"."""
        if self._shared is None or self._shared.name != host:
            self._leave()
            self._shared = _HOSTS.setdefault(host, _Shared(host))
            self._shared.engines.append(None)

    @property
    def host(self) -> Host:
        """What is known of the host of the latest dial."""
        shared = self._shared
        if shared is None:
            return ALONE
        known, engines = shared.known, len(shared.engines)
        if (
            known.engines != engines
            or known.outage is not shared.outage
            or known.crowded is not shared.crowded
        ):
            known = shared.known = Host(engines, shared.outage, shared.crowded)
        return known

    def opened(self) -> None:
        """Learn that the engine is open."""
        if self._restarted_at is not None and self._shared is not None:
            self._shared.outage, self._shared.crowded = self._away, self._crowded
        self._restarted_at = None

    def left(self, change: StateChange) -> None:
        """Learn from a change by which a generation ends, or the application leaves."""
        if change.current is states.CLOSED or change.current is states.PASSIVE:
            self._leave()
        elif change.trigger is Trigger.LOST:
            self._lost(change)

    def _lost(self, change: StateChange) -> None:
        close, context = change.close, change.context
        if close is None or context is None or close.intentional:
            return
        if change.previous is states.OPEN:
            restarts = close.code == SERVICE_RESTART and close.cause is Cause.CLOSE_FRAME
            self._restarted_at = change.at if restarts else None
            self._away, self._crowded = 0.0, False
        elif close.busy or close.cause is Cause.CONNECT_TIMEOUT:
            self._crowded = True
        elif self._restarted_at is not None:
            self._away = max(0.0, change.at - context.since_dial - self._restarted_at)

    def _leave(self) -> None:
        if self._shared is not None:
            self._shared.engines.pop()
        self._shared = self._restarted_at = None

    def __del__(self) -> None:
        self._leave()
