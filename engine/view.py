"""The half of an engine that looks: its state, figures, and ways to watch and wait."""

from collections.abc import AsyncIterator, Callable

from recloser.driver import Driver
from recloser.ending import error_of
from recloser.fsm.change import StateChange
from recloser.fsm.errors import NotOpen
from recloser.fsm.record import Close
from recloser.fsm.states import State
from recloser.scope import Scope
from recloser.settled import Settled
from recloser.statistics import Statistics


class View:
    """What can be asked of an engine without changing what it does."""

    __slots__ = ("_driver",)

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def state(self) -> State:
        """Where the machine stands."""
        return self._driver.core.state

    @property
    def attempt(self) -> int:
        """Failures since the last stable period, `mark_healthy()` or `connect()`."""
        return self._driver.core.run.attempt

    @property
    def generation(self) -> int:
        """The number of the latest dial; 0 before the first."""
        return self._driver.core.generation

    @property
    def retry_in(self) -> float | None:
        """Seconds until the next dial; None unless in backoff."""
        core = self._driver.core
        if core.state is not State.BACKOFF or core.deadline is None:
            return None
        return max(0.0, core.deadline - self._driver.clock.monotonic())

    @property
    def last_close(self) -> Close | None:
        """The record of the latest end or failed dial; None before the first."""
        return self._driver.last_close

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the peer chose; None unless open, or if it chose none."""
        generation = self._driver.generation
        if self.state is not State.OPEN or generation is None or generation.wire is None:
            return None
        return generation.wire.subprotocol

    @property
    def scope(self) -> Scope:
        """Tasks and callbacks that end with the present generation; raises `NotOpen`."""
        self._driver.bind()
        generation = self._driver.generation
        if self.state is not State.OPEN or generation is None:
            raise NotOpen(self.state)
        return generation.scope

    def statistics(self) -> Statistics:
        """Give the counters since the engine was made."""
        return self._driver.counters.read()

    def changes(self) -> AsyncIterator[StateChange]:
        """Iterate over the changes of state from now on, missing none.

        Ends after the change to closed. However slow the iteration, it delays nothing.
        """
        self._driver.bind()
        return self._driver.observers.watch()

    def subscribe(self, callback: Callable[[StateChange], object]) -> Callable[[], None]:
        """Have `callback(change)` called at every change; the result takes that back.

        Synchronous and in the event loop: one that takes over 0.1 s is logged. What it
        raises is logged. Raises `TypeError` for what cannot be called.
        """
        return self._driver.observers.subscribe(callback)

    def settled(self, after: float = 2.0) -> Settled:
        """Give a slow view for people: online, offline or gave up.

        Interruptions shorter than `after` seconds do not show; see `Settled`. Raises
        `TypeError` or `ValueError` for what is no such number.
        """
        return Settled(self._driver, after)

    async def wait_for(self, state: State) -> None:
        """Wait until the machine is in `state`; return at once if it is.

        Raises `ConnectionClosed` or `PolicyError` once closed is reached and `state` is
        another, and `TypeError` for what is no `State`.
        """
        if not isinstance(state, State):
            raise TypeError(f"wait_for takes a State such as State.OPEN, not {state!r}")
        await self._until(state)

    async def _until(self, *states: State) -> None:
        driver = self._driver
        driver.bind()
        if self.state in states:
            return
        if self.state is State.CLOSED:
            raise error_of(driver.last_change)
        change = await driver.observers.until(frozenset(states))
        if change.current not in states:
            raise error_of(change)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value} generation {self.generation}>"
