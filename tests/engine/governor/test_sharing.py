"""Governors of several processes behind one store, in virtual time."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from structlog.testing import capture_logs

import recloser
from recloser import Governor, Retry, State
from recloser.fsm import Cause, Close
from recloser.governor import DialLimits, News
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import CUT, UP, URL, Answering, engine, now, pass_time, turns, virtual

GONE = Plan(refused=Close.cut(Cause.TCP))


class Rack:
    """A store in memory; each process has a `Door` of its own."""

    def __init__(self) -> None:
        self.next: dict[str, float] = {}
        self.permits: dict[str, set[str]] = {}
        self.doors: list[Door] = []
        self.away = False
        self.refused = 0
        """How often it was asked while it was away."""
        self.changes: list[recloser.StateChange] = []
        """Of all engines."""

    def door(self) -> "Door":
        self.doors.append(Door(self))
        return self.doors[-1]


class Door:
    def __init__(self, rack: Rack) -> None:
        self.rack = rack
        self.hear: Callable[[News], None] | None = None

    async def acquire(self, key: str, permit: str, limits: DialLimits, lease: float) -> float:
        self.knock()
        held = self.rack.permits.setdefault(key, set())
        wait = self.rack.next.get(key, now()) - now()
        if limits.rate is not None and wait > 0:
            return wait
        if limits.at_once is not None and len(held) >= limits.at_once:
            return 1.0
        if limits.rate is not None:
            self.rack.next[key] = now() + 1 / limits.rate
        held.add(permit)
        return 0.0

    async def release(self, key: str, permit: str) -> None:
        self.knock()
        self.rack.permits[key].discard(permit)

    async def publish(self, news: News) -> None:
        self.knock()
        for door in self.rack.doors:
            if door is not self and door.hear is not None:
                door.hear(news)

    def subscribe(self, hear: Callable[[News], None]) -> Callable[[], None]:
        self.hear = hear

        def end() -> None:
            self.hear = None

        return end

    def knock(self) -> None:
        if self.rack.away:
            self.rack.refused += 1
            raise ConnectionRefusedError("no rack")


def process(rack: Rack, count: int, *plans: Plan, **options: Any) -> Any:
    """The engines of a process, and their transport."""
    transport = ScriptedTransport(plans)
    governor = Governor(store=rack.door(), **options)
    engines = [
        recloser.connect(
            URL,
            transport=transport,
            governor=governor,
            policy=Answering(Retry(2.0, rule="again")),
            timeouts=recloser.Timeouts(connect=5.0),
            observers=[rack.changes.append],
        )
        for _ in range(count)
    ]
    return engines, transport


async def opened(engines: list[recloser.ReconnectingWebSocket]) -> list[float]:
    moments = []
    for ws in engines:
        await ws.wait_for(State.OPEN)
        moments.append(now())
    return moments


async def closed(*processes: list[recloser.ReconnectingWebSocket]) -> None:
    for engines in processes:
        for ws in engines:
            await ws.close()
    await pass_time(20.0)


@pytest.mark.spec("M1.6", "M1.2")
@virtual
async def test_the_rate_holds_for_all_processes_together() -> None:
    rack = Rack()
    one, first = process(rack, 4, *[UP] * 4, rate=0.5)
    other, second = process(rack, 4, *[UP] * 4, rate=0.5)
    for ws in (*one, *other):
        ws.connect()
    await asyncio.gather(opened(one), opened(other))
    assert now() == pytest.approx(14.0, abs=0.1)
    assert {ws.attempt for ws in (*one, *other)} == {0}
    assert len(first.requests) == len(second.requests) == 4
    waits = [each.waited for each in rack.changes if each.current is State.OPEN]
    assert waits == pytest.approx([2.0 * number for number in range(8)], abs=0.1)
    await closed(one, other)
    assert all(door.hear is None for door in rack.doors)


@pytest.mark.spec("M1.6", "M1.5")
@virtual
async def test_permits_are_given_back_however_a_dial_ends() -> None:
    rack = Rack()
    ends = (UP, GONE, Plan(takes=float("inf")), Plan(takes=3.0))
    for plan in ends:
        [ws], _ = process(rack, 1, plan, at_once=1)
        ws.connect()
        await pass_time(1.0)
        await ws.close()
        await turns()
        assert rack.permits == {"feed.example:80": set()}


@pytest.mark.spec("M1.7")
@virtual
async def test_a_store_that_is_away_is_told_of_once_and_the_local_limits_hold() -> None:
    rack = Rack()
    engines, _ = process(rack, 4, *[UP] * 4, rate=0.5)
    rack.away = True
    with capture_logs() as lines:
        for ws in engines:
            ws.connect()
        await opened(engines)
        assert now() == pytest.approx(6.0)
        assert rack.refused == 2  # by the dials at 0 and at 6 s: it is left alone for five
        rack.away = False
        await pass_time(6.0)
        engines[0].reconnect()
        await pass_time(3.0)
    told = [line["event"] for line in lines if "store" in line["event"]]
    assert told == ["websocket.store_unreachable", "websocket.store_reached"]
    await closed(engines)


@pytest.mark.spec("M3.7")
@virtual
async def test_one_probe_stands_for_the_fleet_and_its_news_serve_all() -> None:
    rack = Rack()
    fleet = [process(rack, 5, *[UP] * 5, *[GONE] * 3, *[UP] * 9) for _ in range(4)]
    for engines, _ in fleet:
        for ws in engines:
            ws.connect()
    for engines, _ in fleet:
        await opened(engines)
    await pass_time(15.0)
    for _, transport in fleet:
        for wire in list(transport.wires):
            wire.end(CUT)
    await pass_time(4.5)
    probes = sum(len(transport.requests) - 5 for _, transport in fleet)
    assert 2 <= probes <= 3
    for engines, _ in fleet:
        await opened(engines)
    assert sum(len(transport.requests) - 10 for _, transport in fleet) <= 12
    await closed(*(engines for engines, _ in fleet))


def test_what_is_no_store_is_refused() -> None:
    with pytest.raises(TypeError, match="store must be a GovernorStore"):
        Governor(store="redis://localhost")  # type: ignore[arg-type] # the point


@pytest.mark.spec("M1.5", "M1.6")
@virtual
async def test_a_dial_that_goes_elsewhere_gives_its_permit_of_the_store_back() -> None:
    """Two paths of one host, then another host: each dial has one permit, and keeps none."""
    rack = Rack()
    urls = iter([f"ws://{each}.example/{each}" for each in ("a", "a", "b")] * 2)
    paths = count()
    ws, transport = engine(
        *[UP] * 6,
        url=lambda: f"{next(urls)}/{next(paths)}",
        governor=Governor(store=rack.door(), at_once=1),
        policy=Answering(Retry(1.0)),
    )
    ws.connect()
    for _ in range(6):
        await ws.wait_for(State.OPEN)
        await turns()
        assert not any(rack.permits.values())
        transport.wires[-1].end(CUT)
        await pass_time(3.0)
    assert set(rack.permits) == {"a.example:80", "b.example:80"}
    await ws.close()
