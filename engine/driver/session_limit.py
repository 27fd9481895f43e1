"""`SessionLimit`: leaves a connection before the service would end it."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from recloser import log
from recloser.clock import Alarm, Clock
from recloser.driver.scope import Scope
from recloser.fsm.closecodes import NORMAL
from recloser.fsm.events import Event, Move, Reconnect

PATIENCE: Final = 30.0
"""Seconds for which a planned end waits for answers at most."""
_SHARE: Final = 0.1
"""The share of its age for which it waits at most, if that is less."""


class Engine(Protocol):
    """The engine, as the limit of a session sees it."""

    @property
    def clock(self) -> Clock:
        """The clock of the engine."""
        ...

    @property
    def fields(self) -> Mapping[str, object]:
        """The application's fields for log lines."""
        ...

    def feed(self, event: Event) -> None:
        """Handle an event."""
        ...


class SessionLimit:
    """The greatest age of one generation: when it is reached, and no answer is awaited, it ends.

    The end is planned: the machine dials again at once, and no failure is counted. With
    `gapless` its successor is connected first; while that fails, it is tried again.
    """

    __slots__ = ("_alarm", "_engine", "_gapless", "_number", "_opened", "_scope")

    def __init__(
        self,
        engine: Engine,
        number: int,
        age: float,
        scope: Callable[[], Scope],
        *,
        gapless: bool,
    ) -> None:
        """Begin to count. `scope` gives the scope of the generation, which few have before."""
        self._engine = engine
        self._gapless = gapless
        self._number = number
        self._scope = scope
        self._opened = engine.clock.monotonic()
        self._alarm = Alarm()
        self._alarm.set(self._opened + age, engine.clock, self._due)

    def stop(self) -> None:
        """Forget the limit: the generation has ended."""
        self._alarm.set(None, self._engine.clock, self._due)

    def _due(self, deadline: float) -> None:
        scope = self._scope()
        if scope.quiet:
            self._leave(scope, deadline)
            return
        patience = min(PATIENCE, _SHARE * (deadline - self._opened))
        scope.on_quiet = lambda: self._leave(scope, deadline)
        self._alarm.set(
            deadline + patience, self._engine.clock, lambda _: self._leave(scope, deadline)
        )

    def _leave(self, scope: Scope, deadline: float) -> None:
        scope.on_quiet = None
        now = self._engine.clock.monotonic()
        log.session_limit(
            self._engine.fields, age=now - self._opened, waited=now - deadline, quiet=scope.quiet
        )
        if self._gapless:
            self._move(now)
        else:
            self._engine.feed(Reconnect(NORMAL, generation=self._number, planned=True))

    def _move(self, now: float) -> None:
        """Move, and look again later: where the move has succeeded, the limit was stopped."""
        self._alarm.set(now + PATIENCE, self._engine.clock, self._move)
        self._engine.feed(Move(NORMAL, generation=self._number, planned=True))
