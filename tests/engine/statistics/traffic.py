"""Synthetic closes of a group of engines: daily rhythm, weekends, drift, waves, known anomalies.

Counts are drawn minute by minute from a seeded generator. `python -m
tests.engine.statistics.traffic` prints the figures that stand in docs/statistics.md.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import exp, pi, sin
from typing import NamedTuple

from recloser.statistics.detector import DAY, CloseAlarm, Detector
from recloser.statistics.kinds import EndKind

MINUTE = 60.0
DAY_MINUTES = 1440

RESTART = EndKind(1012, None, "peer", intentional=False)
CUT = EndKind(1006, None, "network", intentional=False)
STEADY = {
    EndKind(1000, None, "peer", intentional=False): 5.0,
    EndKind(1000, None, "application", intentional=True): 20.0,
    EndKind(1001, None, "peer", intentional=False): 1.0,
    CUT: 8.0,
    EndKind(1006, None, "engine", intentional=False): 2.0,
    EndKind(1006, 401, "peer", intentional=False): 0.5,
    EndKind(1011, None, "peer", intentional=False): 0.02,
    EndKind(4401, None, "peer", intentional=False): 10.0,
}
"""Kinds of ends, and their mean number a minute in a group of size 1."""


class Wave(NamedTuple):
    """A deployment: `connections` end within `minutes`, beginning at a minute."""

    start: int
    minutes: int
    connections: int
    kind: EndKind


class Anomaly(NamedTuple):
    """A rate that is `times` the usual one, from a moment in minutes on."""

    kind: EndKind
    start: float
    minutes: float
    times: float


@dataclass
class Group:
    """One group of engines; all that is random about it comes from its seed."""

    seed: int
    days: int
    size: float | None = None
    anomaly: Anomaly | None = None
    cluster: int = 1
    """How many connections end together, of ends that have one cause: a router, a pool."""
    waves: list[Wave] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        drawn = 10 ** self.random.uniform(-1.0, 1.0)
        self.size = drawn if self.size is None else self.size
        self.amplitude = self.random.uniform(0.2, 0.6)
        self.phase = self.random.uniform(0, DAY_MINUTES)
        self.drift = self.random.uniform(-0.02, 0.02)
        self.weekend = self.random.uniform(0.5, 1.0)
        self.waves += list(self._deployments())

    def _deployments(self) -> Iterator[Wave]:
        often = self.random.choice([0.2, 0.5, 1.0])
        rolling = self.random.random() < 0.7
        connections = int(2000 * (self.size or 1.0) ** 0.8)
        for day in range(self.days):
            if day % 7 < 5 and self.random.random() < often:
                start = day * DAY_MINUTES + self.random.randrange(8 * 60, 19 * 60)
                length = self.random.randint(3, 20) if rolling else self.random.randint(1, 2)
                yield Wave(start, length, connections, RESTART if rolling else CUT)

    def level(self, minute: float) -> float:
        """The rate at a minute, by the mean rate: rhythm, weekend and drift."""
        rhythm = 1 + self.amplitude * sin(2 * pi * (minute - self.phase) / DAY_MINUTES)
        day = minute / DAY_MINUTES
        # The weekend comes and goes within hours.
        saturday = 1 / (1 + exp(-20 * (day % 7 - 5.1))) if day % 7 > 2.5 else 0.0
        monday = 1 / (1 + exp(20 * (day % 7 - 0.1))) if day >= 7 and day % 7 < 2.5 else 0.0
        weekend = 1 - (1 - self.weekend) * max(saturday, monday)
        return rhythm * weekend * (1 + self.drift) ** day

    def usual(self, kind: EndKind, minute: float) -> float:
        """The usual number of ends of a kind in a minute, without waves."""
        return STEADY.get(kind, 0.0) * (self.size or 1.0) * self.level(minute)

    def counts(self, minute: int) -> Iterator[tuple[EndKind, int]]:
        """Draw the ends of one minute."""
        for kind in (*STEADY, RESTART):
            mean = self.usual(kind, minute)
            strange = self.anomaly
            if strange is not None and strange.kind == kind:
                begun = min(1.0, max(0.0, minute + 1 - strange.start))
                if minute >= strange.start + strange.minutes:
                    begun = 0.0
                mean *= 1 + (strange.times - 1) * begun
            count = self.cluster * poisson(self.random, mean / self.cluster)
            mean = 0.0
            for wave in self.waves:
                if wave.kind == kind and wave.start <= minute < wave.start + wave.minutes:
                    mean += wave.connections / wave.minutes
            if mean:
                count += poisson(self.random, mean)
            if count:
                yield kind, count


def poisson(source: random.Random, mean: float) -> int:
    """Draw a Poisson variable."""
    if mean > 12:
        return max(0, round(source.gauss(mean, mean**0.5)))
    limit, product, count = exp(-mean), source.random(), 0
    while product > limit:
        product *= source.random()
        count += 1
    return count


def alarms(group: Group, until: int | None = None) -> Iterator[tuple[float, CloseAlarm]]:
    """Every alarm that is raised or cleared, with its moment in minutes."""
    detector = Detector()
    for minute in range(until or group.days * DAY_MINUTES):
        for alarm in detector.advance(minute * MINUTE):
            yield minute, alarm
        for kind, count in group.counts(minute):
            detector.add(kind, minute * MINUTE, count=count)


def raised(group: Group) -> list[tuple[float, CloseAlarm]]:
    """The alarms that are raised."""
    return [(at, alarm) for at, alarm in alarms(group) if alarm.cleared is None]


def delay(seed: int, rate: float, times: float = 3.0, cluster: int = 1) -> float | None:
    """Minutes from the beginning of an anomaly to its alarm; None if it is not found.

    rate: the usual number of ends a minute at that time.
    """
    draw = random.Random(f"anomaly {seed}")
    kind = draw.choice([each for each in STEADY if each.code not in {1001, 1011}])
    start = draw.uniform(1.5, 2.9) * DAY_MINUTES
    probe = Group(seed, 3, size=1.0)
    size = rate / probe.usual(kind, start)
    strange = Anomaly(kind, start, 120, times)
    group = Group(seed, 3, size=size, anomaly=strange, cluster=cluster)
    for at, alarm in alarms(group, until=int(start) + 240):
        if alarm.cleared is None and alarm.kind == kind and at > start:
            return at - start
    return None


def main(groups: int = 20, days: int = 30, anomalies: int = 100) -> None:
    """Print false alarms a month and group, and how fast anomalies are found."""
    months = groups * days / 30
    for cluster in (1, 3):
        false = [len(raised(Group(seed, days, cluster=cluster))) for seed in range(groups)]
        what = f"{groups} groups, {days} days, ends in clusters of {cluster}"
        print(f"{what}: {sum(false) / months:.2f} false alarms a month", false, flush=True)
    for rate, cluster in ((5.0, 1), (10.0, 1), (20.0, 1), (20.0, 3), (2.0, 1), (1.0, 1)):
        found = [delay(seed, rate, cluster=cluster) for seed in range(anomalies)]
        known = sorted(each for each in found if each is not None)
        within = sum(each <= 10 for each in known)
        print(
            f"three times {rate:g} a minute, clusters of {cluster}: "
            f"{within} of {anomalies} within 10 minutes, "
            f"{len(known)} in all, median {known[len(known) // 2]:.1f}, latest {known[-1]:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

__all__ = ["DAY", "Anomaly", "Group", "Wave", "alarms", "delay", "raised"]
