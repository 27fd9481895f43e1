"""`Town`: the core of a governor with engines that are numbers, and a clock set by hand."""

from collections.abc import Callable, Hashable
from random import Random

from recloser.fsm.record import Cause, Close
from recloser.governor.core import GovernorCore
from recloser.governor.effects import Effect, Grant, Share, Tell, Wake
from recloser.governor.limits import DialLimits
from recloser.governor.news import News, Reading
from recloser.governor.pace import RAMP

NOBODY = Close.cut(Cause.TCP)
FULL = Close.refused(503)
KEY = "feed.example:443"
TIMES: dict[str, Callable[[Random], float]] = {
    "uniform": lambda rng: rng.uniform(0.05, 1.0),
    "normal": lambda rng: max(0.01, rng.gauss(1.0, 0.3)),
    "nearly alike": lambda rng: rng.gauss(1.0, 0.15),
    "lognormal": lambda rng: rng.lognormvariate(0.0, 0.5),
    "exponential": lambda rng: 0.05 + rng.expovariate(1.0),
}
"""Seconds of a dial at a host that takes any number of them."""


class Town:
    """What the core does, by kind: moments are on the clock `now`."""

    def __init__(
        self, *, rate: float | None = None, at_once: int | None = None, ramp: float = RAMP
    ) -> None:
        self.core = GovernorCore(DialLimits(rate, at_once), ramp=ramp)
        self.now = 0.0
        self.answered = 0
        """How many of `granted` have ended."""
        self.granted: list[tuple[float, int]] = []
        self.probes: list[tuple[float, int]] = []
        self.shared: list[tuple[float, int, Close]] = []
        self.woken: list[tuple[float, int]] = []
        self.told: list[News] = []

    def ask(
        self, *engines: int, key: str = KEY, route: Hashable = None, intentional: bool = False
    ) -> None:
        for engine in engines:
            found = self.core.ask(engine, key, self.now, route=route, intentional=intentional)
            self.do([Grant(engine)] if found is None else found)

    def ended(self, engine: int, close: Close | None = None) -> None:
        if close is None:
            self.do(self.core.opened(engine, self.now))
        else:
            self.do(self.core.failed(engine, close, self.now))

    def sleep(
        self,
        *engines: int,
        close: Close = NOBODY,
        key: str = KEY,
        route: Hashable = None,
        brief: bool = False,
    ) -> None:
        for engine in engines:
            self.do(self.core.sleep(engine, key, close, self.now, route=route, brief=brief))

    def leave(self, *engines: int) -> None:
        for engine in engines:
            self.do(self.core.leave(engine, self.now))

    def hear(
        self, reading: Reading, retry_after: float | None = None, spread: float | None = None
    ) -> None:
        self.do(self.core.hear(News(KEY, reading, retry_after, spread), self.now))

    def down(self) -> None:
        """Two engines, 901 and 902, lose the host, and sleep longer than any test."""
        self.sleep(901, 902)

    def until(self, when: float) -> None:
        """Let time pass, and the core work at each of its deadlines."""
        while (due := self.core.deadline) is not None and due <= when:
            self.now = max(self.now, due)
            self.pass_time()
        self.now = when

    def pass_time(self) -> None:
        self.do(self.core.pass_time(self.now))

    def serve(self, when: float, answer: Callable[[], Close | None] = lambda: None) -> None:
        """Let time pass; each dial ends within a tenth of a second, as `answer` says."""
        while self.now < when:
            self.until(min(when, self.now + 0.1))
            for _, engine in self.granted[self.answered :]:
                self.answered += 1
                self.ended(engine, answer())

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Grant(engine, gap):
                    (self.granted if gap is None else self.probes).append((self.now, engine))
                case Share(engine, close):
                    self.shared.append((self.now, engine, close))
                case Wake(engine):
                    self.woken.append((self.now, engine))
                case Tell(news):
                    self.told.append(news)
