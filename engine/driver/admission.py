"""The admission of a dial: the lease, and a dial of the budget."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Protocol

from recloser.clock import Clock
from recloser.fsm.change import StateChange
from recloser.fsm.record import Cause, Close
from recloser.transport.base import DialFailed

if TYPE_CHECKING:
    from recloser.budget import Budget


class Lease(Protocol):
    """The right of one engine, among all of a fleet, to have a connection."""

    async def obtain(self) -> None:
        """Return if the engine may dial; raises `DialFailed` with cause LEASE if it may not."""
        ...

    def writable(self) -> bool:
        """Return whether its connection may write anything; asked before every frame."""
        ...

    def changed(self, change: StateChange) -> None:
        """Follow a change of state."""
        ...

    async def released(self) -> None:
        """Let another have it where the engine wants it no more: its socket is released."""
        ...


async def admit(
    lease: Lease | None, budget: "Budget | None", clock: Clock, fields: Mapping[str, object]
) -> Callable[[], Awaitable[None]] | None:
    """Return once a dial may start; raises `DialFailed` with the cause if it may not.

    The result counts the dial against the budget, after the providers; None without a budget.
    """
    if lease is not None:
        await lease.obtain()
    if budget is None:
        return None
    if budget.wait(clock.monotonic()) > 0:
        raise DialFailed(Close.by_engine(Cause.BUDGET))
    return partial(budget.spend, clock, fields)
