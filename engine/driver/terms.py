"""The terms of a dial: the lease, the permit of the governor, and a dial of the budget."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from recloser.clock import Clock
from recloser.fsm.change import StateChange
from recloser.fsm.core import Core
from recloser.fsm.effects import Dial
from recloser.fsm.events import Event, Wait
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.record import Cause, Close
from recloser.fsm.states import CONNECTING, State
from recloser.transport.base import DialFailed

if TYPE_CHECKING:
    from recloser.budget import Budget
    from recloser.contract import Hinted


class Lease(Protocol):
    """The right of one engine, among all of a fleet, to have a connection."""

    async def obtain(self) -> None:
        """Return if the engine may dial; raises `DialFailed` with cause LEASE if it may not."""
        ...

    def writable(self) -> bool:
        """Return whether its connection may write anything; asked before every frame."""
        ...

    def changed(self, change: StateChange) -> None:
        """Follow a change of state but to CONNECTING."""
        ...

    async def released(self) -> None:
        """Let another have it where the engine wants it no more: its socket is released."""
        ...


class Governor(Protocol):
    """The governor of all engines that dial by the same route; `engine` is an int of its own."""

    def permit(self, engine: int, address: str, *, intentional: bool) -> Awaitable[bool] | None:
        """Ask for a permit: None if the engine may dial now, else what to wait for.

        That returns once it may, and whether it had to wait; it raises `DialFailed` with the record
        of another engine's dial that stands for this one. So does the call, if it cannot ask.
        """
        ...

    def waits(self, engine: int) -> bool:
        """Return whether the engine waits for its permit."""
        ...

    def changed(
        self, engine: int, address: str | None, change: StateChange, driver: "Hinted"
    ) -> None:
        """Follow a change of state but to CONNECTING; `driver` takes a hint that ends a backoff."""
        ...

    def late(self, engine: int) -> None:
        """Take note that an engine dials some time after the hint that let it."""
        ...

    def leave(self, engine: int) -> None:
        """Take note that the engine neither waits nor dials."""
        ...


class Applicant(Protocol):
    """The driver of an engine that wants to dial, as the terms see it."""

    core: Core
    fields: Mapping[str, object]
    clock: Clock

    def feed(self, event: Event) -> None:
        """Take the wait for a permit."""
        ...


class Terms(NamedTuple):
    """The terms on which an engine may dial; None: that one sets none."""

    lease: Lease | None = None
    budget: "Budget | None" = None
    governor: Governor | None = None


FREE: Final = Terms()
"""Those of an engine that may dial at any time."""


async def meet(
    terms: Terms, driver: Applicant, dial: Dial, *, known: bool
) -> Callable[[], Awaitable[None]] | None:
    """Meet the terms of a dial: return once it may start; raises `DialFailed` if it may not.

    `known`: the providers do not say where it goes. The result is to be called after the providers,
    if there is one: it counts the dial against the budget, and asks for another permit if they have
    given another address.
    """
    lease, budget, governor = terms
    if lease is not None:
        await lease.obtain()
        late(terms, driver.core)
    spend = None
    if budget is not None:
        if budget.wait(driver.clock.monotonic()) > 0:
            raise DialFailed(Close.by_engine(Cause.BUDGET))
        spend = partial(budget.spend, driver.clock, driver.fields)
    if governor is None:
        return spend
    core = driver.core
    expected = core.address
    if expected is not None:
        turn = governor.permit(id(core), expected, intentional=dial.intentional)
        if turn is not None and await turn:
            driver.feed(Wait(dial.generation))
    if known:
        return spend
    return partial(_addressed, Terms(governor=governor), driver, dial, expected, spend)


async def _addressed(
    terms: Terms,
    driver: Applicant,
    dial: Dial,
    expected: str | None,
    spend: Callable[[], Awaitable[None]] | None,
) -> None:
    """Ask for another permit if the providers have given another address than was expected."""
    if driver.core.address != expected:
        await meet(terms, driver, dial, known=True)
    if spend is not None:
        await spend()


def waits(terms: Terms, core: Core, deadline: float) -> int | None:
    """Return the number of the dial whose deadline has come while it waits for its permit."""
    governor = terms.governor
    if governor is None or deadline == core.stable_at or not governor.waits(id(core)):
        return None
    return core.generation if core.state is State.CONNECTING else core.successor


def follow(terms: Terms, core: Core, change: StateChange, driver: "Hinted") -> None:
    """Let lease and governor follow a change of state but to CONNECTING: that asks for them."""
    if change.current is CONNECTING:
        return
    lease, _, governor = terms
    if lease is not None:
        lease.changed(change)
    if governor is not None:
        governor.changed(id(core), core.address, change, driver)


def late(terms: Terms, core: Core) -> None:
    """Let a dial count from its beginning, where it had to wait for something of its own."""
    if terms.governor is not None:
        terms.governor.late(id(core))


def part(terms: Terms, core: Core) -> None:
    """Give back the permit of a successor's dial."""
    if terms.governor is not None:
        terms.governor.leave(id(core))
