"""Close statistics beside real engines: what they count, what they tell, what they never delay."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from recloser import Close, Retry, State, StateChange
from recloser.statistics import CloseAlarm, CloseStatistics, EndKind
from tests.engine.journal.changes import LOST
from tests.engine.rig import CUT, DOWN, KICKED, UP, Answering, engine, opened, turns, virtual


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.spec("I5.1")
@virtual
async def test_the_closes_of_engines_are_counted_by_kind() -> None:
    closes = CloseStatistics()
    policy = Answering(Retry(1.0, rule="again"))
    ws, wire, _ = await opened(UP, DOWN, UP, policy=policy, observers=[closes])
    other, _ = engine(UP, url="wss://other.example/x", observers=[closes])
    other.connect()
    await other.wait_for(State.OPEN)
    wire.end(KICKED)
    await ws.wait_for(State.BACKOFF)
    await ws.wait_for(State.OPEN)
    await ws.close()
    await other.close()
    counts = closes.counts()
    assert {(*kind,): count for kind, count in counts.items()} == {
        (1012, None, "peer", False, "feed.example:80", "again"): 1,
        (1006, 503, "peer", False, "feed.example:80", "again"): 1,
        (1000, None, "application", True, "feed.example:80", "left"): 1,
        (1000, None, "application", True, "other.example:443", "left"): 1,
    }
    assert closes.counts(600) == counts
    for bad in (0, -1, 3601, float("nan")):
        with pytest.raises(ValueError, match="within"):
            closes.counts(bad)


def ends(closes: CloseStatistics, clock: Clock, minutes: int, each: int) -> None:
    for _ in range(minutes):
        for _ in range(each):
            closes(LOST)
        clock.now += 60


@pytest.mark.spec("I5.3", "I1.2")
def test_an_alarm_is_one_line_and_one_call_and_clears() -> None:
    clock, told = Clock(), list[CloseAlarm]()
    closes = CloseStatistics(on_alarm=told.append, fields={"service": "feed"}, clock=clock)
    with capture_logs() as logs:
        ends(closes, clock, 200, 5)
        ends(closes, clock, 60, 30)
        assert [alarm.kind for alarm in closes.alarms] == [EndKind(1012, None, "peer", False)]
        clock.now += 3600 * 3
        assert closes.alarms == []
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("websocket.close_rate_unusual", "warning"),
        ("websocket.close_rate_usual", "info"),
    ]
    assert logs[0]["reading"] == "the server restarts often"
    assert logs[0]["service"] == "feed"
    assert [alarm.cleared is None for alarm in told] == [True, False]


@pytest.mark.spec("I3.2", "I5.3")
def test_a_listener_that_fails_stops_no_counting() -> None:
    clock = Clock()

    def fails(alarm: CloseAlarm) -> None:
        raise RuntimeError("no pager")

    closes = CloseStatistics(on_alarm=fails, clock=clock)
    with capture_logs() as logs:
        ends(closes, clock, 200, 5)
        ends(closes, clock, 60, 30)
    [failed] = [line for line in logs if line["event"] == "websocket.listener_failed"]
    assert "no pager" in failed["exception"]
    assert sum(closes.counts().values()) == 200 * 5 + 60 * 30
    with pytest.raises(TypeError, match="on_alarm"):
        CloseStatistics(on_alarm=3)


@pytest.mark.spec("I1.1")
@virtual
async def test_a_change_names_the_peer_of_the_latest_dial() -> None:
    seen: list[StateChange] = []
    urls = iter(["ws://one.example/a?token=1", "wss://two.example:8443/b"])
    policy = Answering(Retry(1.0))
    plans: Any = (UP, UP)
    ws, transport = engine(*plans, url=lambda: next(urls), policy=policy, observers=[seen.append])
    ws.connect()
    await ws.wait_for(State.OPEN)
    transport.wires[-1].end(CUT)
    await ws.wait_for(State.OPEN)
    await ws.close()
    await turns()
    assert [change.peer for change in seen] == [
        "",
        *["one.example:80"] * 3,
        *["two.example:8443"] * 3,
    ]
    assert isinstance(seen[2].close, Close)
