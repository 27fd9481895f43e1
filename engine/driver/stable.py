"""The stable period of an open connection, which needs no timer: nobody sees its end.

The failures are forgotten when it is over. That matters to the next event, before which the core is
told, and to who asks for their number. A timer would wake each of ten thousand engines ten seconds
after a return.
"""

from recloser.clock import Clock
from recloser.fsm.core import Core
from recloser.fsm.events import Expired


def timed(core: Core) -> float | None:
    """Return the deadline that needs a timer; while a successor is dialled, that is any."""
    return None if core.successor is None and core.deadline == core.stable_at else core.deadline


def settle(core: Core, now: float) -> None:
    """Tell the core that the stable period is over, if it is, and no timer does."""
    stable = core.stable_at
    if stable is not None and stable <= now and core.successor is None:
        core.handle(Expired(stable), now)


def failures(core: Core, clock: Clock) -> int:
    """Return how many there were since the last stable period: none once this one is over."""
    over = core.stable_at is not None and core.stable_at <= clock.monotonic()
    return 0 if over else core.run.attempt
