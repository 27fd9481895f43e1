"""The first dial after a 1012: soon for a lone client, spread for a fleet, by what is known."""

from typing import Final

from recloser.fsm.decisions import Context
from recloser.fsm.numbers import check_count
from recloser.fsm.record import Close
from recloser.fsm.value import Value, assign
from recloser.policies.backoff import Backoff, Uniform

_LONE: Final = Uniform(1.0, 5.0)
"""A restart of uvicorn is over in one second; a fleet of lone clients needs some spread."""
_CROWD: Final = Uniform(5.0, 30.0)
"""The delay that the registry asks of every client (hybi 09649)."""


class AfterRestart(Value, Backoff):
    """A random moment of a window between `lone` and `crowd`.

    The window is `lone` where this process has one engine at the host, `crowd` where it has
    `many`, and in between for a number in between. It is `crowd` too where the host had no
    room after its last restart (`Context.crowded`). It does not begin before the host was
    back the last time (`Context.outage`), as far as `crowd` allows.
    """

    __slots__ = __match_args__ = ("lone", "crowd", "many")

    lone: Uniform
    crowd: Uniform
    many: int

    def __init__(self, lone: Uniform = _LONE, crowd: Uniform = _CROWD, many: int = 500) -> None:
        check_count("many", many, least=2)
        assign(self, "lone", lone)
        assign(self, "crowd", crowd)
        assign(self, "many", many)

    def __str__(self) -> str:
        low, high = self.lone, self.crowd
        return (
            f"after {low.low:g}-{low.cap:g} s alone, {high.low:g}-{high.cap:g} s "
            f"with {self.many} engines at the host"
        )

    def bound(self) -> float:
        """Return the longest delay: after an outage as long as the window allows."""
        return self.crowd.cap + max(self.crowd.cap - self.crowd.low, self.lone.cap - self.lone.low)

    def delay(self, close: Close, context: Context, /) -> float:
        """Return a moment of the window that fits."""
        del close
        share = min(1.0, (context.engines - 1) / (self.many - 1))
        if context.crowded:
            share = 1.0
        low = self.lone.low + share * (self.crowd.low - self.lone.low)
        high = self.lone.cap + share * (self.crowd.cap - self.lone.cap)
        start = max(low, min(context.outage or 0.0, self.crowd.cap))
        return start + context.roll * (high - low)
