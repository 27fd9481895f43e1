"""The settings of a simulated storm: the fleet, the outage, and how the server refuses."""

from dataclasses import dataclass, fields
from enum import Enum
from math import isfinite
from typing import Final

from recloser.fsm.closecodes import ABNORMAL

NOTICE: Final = 0.1
"""Seconds within which every engine sees that its connection is gone."""
UPTIME: Final = 3600.0
"""Seconds that every engine had been open before."""
MAX_ENGINES: Final = 10_000_000


class Refusal(Enum):
    """The fate of a dial for which the returned server has no room."""

    REFUSE = "refuse"
    """Answered at once with status 503."""
    TIMEOUT = "timeout"
    """Never answered: the connect timeout of the engine ends it."""
    MIXED = "mixed"
    """One or the other, at random, each for half of the dials."""


class Down(Enum):
    """The fate of a dial while the server is away."""

    REFUSE = "refuse"
    """No process listens: no TCP connection."""
    TIMEOUT = "timeout"
    """Packets are lost: the connect timeout of the engine ends it."""
    BUSY = "busy"
    """A load balancer in front answers 503."""


class RetryAfter(Enum):
    """The content of the Retry-After of a 503, once the server is back."""

    BACKLOG = "backlog"
    """The seconds that the server needs for the engines that are not back; the same for all."""
    SHARE = "share"
    """A random share of these seconds, another for each client."""


class Governing(Enum):
    """The governor of the engines; see docs/governor.md."""

    PROCESS = "process"
    """Each process has its own, as it is by default."""
    FLEET = "fleet"
    """All processes share one."""
    FLEET_RATE = "fleet-rate"
    """All processes share one, whose rate is set to the capacity of the server."""


_SEARCHES: Final = (Governing.PROCESS, Governing.FLEET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One storm. Times are in seconds; 0 is the moment when the connections are lost.

    Raises `ValueError`, with one line that says what to change, if it cannot be simulated.
    """

    engines: int = 10_000
    outage: float = 30.0
    """The moment at which the server is back."""
    capacity: float = 1000.0
    """Dials per second that the server accepts then."""
    queue: bool = False
    """Whether the server has a queue of one second, and answers a dial when its turn has come. If
    not, it takes the dials of one second in a burst, and answers each at once."""
    refusal: Refusal = Refusal.REFUSE
    refusal_cost: float = 0.05
    """The cost of a refusal for the server, as a share of an accept."""
    down: Down = Down.REFUSE
    retry_after: RetryAfter | None = None
    """The Retry-After of a 503, in whole seconds, at least 1; None: a 503 has none."""
    close: int = ABNORMAL
    """The code with which the connections end."""
    spread: float | None = None
    """The seconds over which the server asked its clients to spread, if it did."""
    connect_timeout: float = 10.0
    round_trip: float = 0.05
    """From the start of a dial to its answer."""
    alone: float = 0.0
    """Share of engines whose own line broke: their server never went away."""
    processes: int = 1
    """How many processes the engines are spread over: an engine knows how many it has beside it."""
    governor: Governing | None = None
    """None: each engine dials when its policy says so."""
    ramp: float | None = None
    """The greatest growth of a return's pace in a second; None: that of a governor by default."""
    start: bool = False
    """Whether the engines start first, within `NOTICE` of each other, at a server that is up and
    idle; at 0 again, and within a day, the first storm begins."""
    storms: int = 1
    """How many, each within a day of the one before; the outcome is that of the last. 0: there is
    only a start, without an outage, and the outcome is that of it."""
    regions: int = 1
    """How many regions the fleet is divided into, each with a server and processes of its own."""
    seed: int = 1
    horizon: float | None = None
    """The moment at which the simulation gives up; None: see `end`."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"{each.name} must be a finite number, not {value!r}")
        if not 1 <= self.engines <= MAX_ENGINES:
            raise ValueError(f"engines must be 1 to {MAX_ENGINES}, not {self.engines}")
        for name in ("outage", "refusal_cost"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name):g}")
        for name in ("capacity", "connect_timeout", "round_trip", "spread", "horizon"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be above 0, not {value:g}")
        if not 1 <= self.processes <= self.engines:
            raise ValueError(
                f"processes must be 1 to engines ({self.engines}), not {self.processes}"
            )
        if not 1 <= self.regions <= self.engines:
            raise ValueError(f"regions must be 1 to engines ({self.engines}), not {self.regions}")
        if self.connect_timeout <= (answered := self.round_trip + self._longest_queue):
            raise ValueError(
                f"connect_timeout must be above {answered:g}, the seconds until a dial is "
                f"answered, not {self.connect_timeout:g}"
            )
        if self.ramp is not None:
            if self.ramp < 1:
                raise ValueError(f"ramp must be at least 1, not {self.ramp:g}")
            if self.governor not in _SEARCHES:
                raise ValueError("ramp needs a governor that searches for its pace: process, fleet")
        if self.storms < (least := 0 if self.start else 1):
            raise ValueError(f"storms must be at least {least}, not {self.storms}")
        if not self.storms and self.outage:
            raise ValueError(f"a start has no outage: outage must be 0, not {self.outage:g}")
        if self.start + self.storms > 1 and self.governor not in _SEARCHES:
            what = "a start before a storm needs" if self.start else "storms need"
            raise ValueError(f"{what} a governor that searches for its pace: process, fleet")
        if self.refusal_cost >= 1:
            raise ValueError(f"refusal_cost must be below 1, not {self.refusal_cost:g}")
        if not 0 <= self.alone < 1:
            raise ValueError(f"alone must be at least 0 and below 1, not {self.alone:g}")
        smallest = self.engines // self.regions
        if round(smallest * self.alone) == smallest:
            where = "the fleet" if self.regions == 1 else f"a region of {smallest}"
            raise ValueError(f"alone={self.alone:g} leaves no engine in {where}: lower it")
        if self.horizon is not None and self.horizon <= self.outage:
            raise ValueError(
                f"horizon must lie after the return at {self.outage:g}, not {self.horizon:g}"
            )

    @property
    def _longest_queue(self) -> float:
        """Seconds until the last dial of a full queue has its turn, in the smallest region."""
        least = self.capacity * (self.engines // self.regions) / self.engines
        return max(1.0, 1.0 / least) if self.queue else 0.0

    @property
    def fleet(self) -> int:
        """The number of engines that lost the server; the others are alone."""
        return self.engines - round(self.engines * self.alone)

    @property
    def window(self) -> float:
        """Seconds that the returned server needs to take the whole fleet."""
        return self.fleet / self.capacity

    @property
    def optimum(self) -> float:
        """The moment at which the last engine could be back, with a server that is always busy."""
        return self.outage + self.window

    @property
    def end(self) -> float:
        """The horizon: as given, or eight windows after the return and at least ten minutes."""
        return self.outage + max(8 * self.window, 600.0) if self.horizon is None else self.horizon
