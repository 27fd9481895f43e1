"""The server of a simulated storm: it accepts dials, refuses them, or is silent."""

from math import ceil, inf
from random import Random
from typing import Final

from recloser.fsm.closecodes import ABNORMAL
from recloser.fsm.record import Cause, Close
from recloser.simulate.scenario import Down, Refusal, RetryAfter, Scenario

_DEBT: Final = 2.0
"""Seconds of work that refusals may queue up; further dials are dropped and cost nothing."""
_SLACK: Final = 1e-9
_HALF: Final = 0.5
_NO_LISTENER: Final = Close.cut(Cause.TCP)


class Gate:
    """A token bucket: admits `capacity` dials a second; a refusal costs a share of an accept.

    It holds the tokens of one second. Each dial is answered at once, and the bucket is empty at
    `opens`, so that no fleet can be back before the optimum. With a `queue` the tokens are the room
    in it: none of it is taken at `opens`, and a dial is answered when its turn has come.
    """

    __slots__ = ("_at", "_burst", "_capacity", "_cost", "_credit", "_queue")

    def __init__(
        self, capacity: float, *, cost: float = 0.0, opens: float = 0.0, queue: bool = False
    ) -> None:
        self._capacity = capacity
        self._burst = max(capacity, 1.0)
        self._cost = cost
        self._queue = queue
        self._credit = self._burst if queue else 0.0
        self._at = opens

    def admit(self, now: float) -> float | None:
        """Return the seconds after which a dial at `now` opens; None: it has no room.

        Times must not go back.
        """
        credit = min(self._burst, self._credit + (now - self._at) * self._capacity)
        self._at = now
        if credit >= 1.0 - _SLACK:
            self._credit = credit = credit - 1.0
            return (self._burst - credit) / self._capacity if self._queue else 0.0
        self._credit = max(credit - self._cost, -_DEBT * self._capacity)
        return None


def busy(retry_after: int | None) -> Close:
    """Make the record of an upgrade refused with 503."""
    return Close.refused(
        503,
        headers={} if retry_after is None else {"retry-after": str(retry_after)},
        retry_after=None if retry_after is None else float(retry_after),
    )


def parting(scenario: Scenario) -> Close:
    """Make the record with which every connection ends at 0."""
    if scenario.close == ABNORMAL:
        return Close.cut(spread=scenario.spread)
    return Close.frame(scenario.close, spread=scenario.spread)


class Server:
    """Answers dials in order of time: with the seconds until one opens, a record, or None.

    A record is that of a refusal, None is silence. A round trip comes on top of each answer.

    Counts what it answers: `accepted`, `unheard` (while down), `refused` and `hung`.
    """

    def __init__(self, scenario: Scenario, rng: Random) -> None:
        self._scenario = scenario
        self._rng = rng
        self._gate = Gate(
            scenario.capacity,
            cost=scenario.refusal_cost,
            opens=scenario.outage if scenario.storms else -inf,  # at a start it has long been idle
            queue=scenario.queue,
        )
        self._busy: dict[int | None, Close] = {}
        self.accepted: int = 0
        self.unheard: int = 0
        self.refused: int = 0
        self.hung: int = 0

    def answer(self, now: float) -> Close | float | None:
        """Take one dial."""
        scenario = self._scenario
        if now < scenario.outage:
            self.unheard += 1
            if scenario.down is Down.REFUSE:
                return _NO_LISTENER
            return self._busy_record(None) if scenario.down is Down.BUSY else None
        wait = self._gate.admit(now)
        if wait is not None:
            self.accepted += 1
            return wait
        if scenario.refusal is Refusal.TIMEOUT or (
            scenario.refusal is Refusal.MIXED and self._rng.random() < _HALF
        ):
            self.hung += 1
            return None
        self.refused += 1
        return self._busy_record(self._wait())

    def _wait(self) -> int | None:
        """Return the whole seconds that a 503 tells a client to wait."""
        kind = self._scenario.retry_after
        if kind is None:
            return None
        seconds = (self._scenario.fleet - self.accepted) / self._scenario.capacity
        if kind is RetryAfter.SHARE:
            seconds *= self._rng.random()
        return max(1, ceil(seconds))

    def _busy_record(self, retry_after: int | None) -> Close:
        record = self._busy.get(retry_after)
        if record is None:
            record = self._busy[retry_after] = busy(retry_after)
        return record
