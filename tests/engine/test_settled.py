"""The settled view: nothing shorter than `after` shows, the end shows at once."""

import asyncio
import gc
import weakref
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

import recloser
from recloser import ConcurrentReceive, Hold, Retry, Settled, State, Status, Stop
from recloser.testing import ScriptedWire, run
from tests.engine.rig import (
    CUT,
    KICKED,
    UP,
    Answering,
    engine,
    now,
    opened,
    pass_time,
    timers,
    turns,
    virtual,
)

ONLINE, OFFLINE, GAVE_UP = Status.ONLINE, Status.OFFLINE, Status.GAVE_UP


def watched(ws: recloser.ReconnectingWebSocket, after: float = 2.0) -> list[tuple[float, Status]]:
    """Every status of an engine that is shown to a callback, with its time."""
    seen: list[tuple[float, Status]] = []
    ws.settled(after).subscribe(lambda status: seen.append((now(), status)))
    return seen


@pytest.mark.spec("H5.2", "I4.1")
@virtual
async def test_the_first_connection_and_the_own_end_show_at_once() -> None:
    ws, _ = engine(UP)
    settled = ws.settled(after=2.0)
    seen = watched(ws)
    assert settled.status is OFFLINE
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert settled.status is ONLINE
    await pass_time(10)
    await ws.close()
    assert settled.status is OFFLINE
    assert seen == [(0, ONLINE), (10, OFFLINE)]


@pytest.mark.spec("H5.1")
@virtual
async def test_a_short_interruption_does_not_show_and_a_long_one_does() -> None:
    ws, wire, transport = await opened(UP, UP, UP, policy=Answering(Retry(1.5), Retry(5.0)))
    settled, seen = ws.settled(after=2.0), watched(ws)
    wire.end(CUT)
    assert ws.state is State.BACKOFF
    assert settled.status is ONLINE
    await pass_time(10)
    assert ws.state is State.OPEN
    assert seen == []
    transport.wires[-1].end(CUT)  # at 10; it is back at 15, and that shows at 17
    await pass_time(1.9)
    assert settled.status is ONLINE
    await pass_time(0.2)
    assert settled.status is OFFLINE
    await pass_time(4)
    assert ws.state is State.OPEN
    assert settled.status is OFFLINE
    await pass_time(2)
    assert seen == [(12, OFFLINE), (17, ONLINE)]
    await ws.close()


@pytest.mark.spec("H5.1")
@virtual
async def test_a_server_that_accepts_and_hangs_up_shows_as_offline_without_flicker() -> None:
    ws, _, transport = await opened(*[UP] * 40, policy=Answering(Retry(3.0)))
    seen = watched(ws)
    for _ in range(20):
        transport.wires[-1].end(KICKED)
        await ws.wait_for(State.OPEN)
        await pass_time(1)
    assert seen == [(2, OFFLINE)]
    await ws.close()


@pytest.mark.spec("H1.1", "H5.2", "I4.1")
@virtual
async def test_a_rest_shows_at_once_and_so_does_the_connection_that_was_asked_for() -> None:
    ws, _, transport = await opened(UP, UP, UP, policy=Answering(Hold()))
    seen = watched(ws)
    await ws.suspend()
    assert timers() == []
    await pass_time(5)
    ws.connect()
    await ws.wait_for(State.OPEN)
    transport.wires[-1].end(KICKED)
    assert ws.state is State.PASSIVE
    await pass_time(5)
    ws.wake()  # a hint is not the application's word: it has to prove itself
    await pass_time(5)
    assert seen == [(0, OFFLINE), (5, ONLINE), (5, OFFLINE), (12, ONLINE)]
    await ws.close()


@pytest.mark.spec("H5.2", "I4.1")
@virtual
async def test_giving_up_shows_at_once_and_ends_with_the_next_connect() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(Stop()))
    settled, seen = ws.settled(), watched(ws)
    wire.end(KICKED)
    assert settled.status is GAVE_UP
    assert ws.settled().status is GAVE_UP
    await pass_time(60)
    assert settled.status is GAVE_UP
    ws.connect()
    assert settled.status is OFFLINE
    await ws.wait_for(State.OPEN)
    await ws.close()
    assert [status for _, status in seen] == [GAVE_UP, OFFLINE, ONLINE, OFFLINE]
    assert ws.settled().status is OFFLINE


@pytest.mark.spec("A10")
@virtual
async def test_leaving_to_dial_again_is_an_interruption() -> None:
    ws, _, _ = await opened(UP, UP)
    seen = watched(ws)
    ws.reconnect(4000)
    await pass_time(10)
    assert ws.generation == 2
    assert seen == []
    await ws.close()


@virtual
async def test_iteration_gives_the_present_status_first_and_ends_in_closed() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(Retry(10.0), Stop()))

    async def watch() -> list[tuple[float, Status]]:
        return [(now(), status) async for status in ws.settled(1.0)]

    task = asyncio.ensure_future(watch())
    await turns()
    wire.end(CUT)
    await pass_time(20)
    await ws.close()
    assert await task == [(0, ONLINE), (1, OFFLINE), (11, ONLINE), (20, OFFLINE)]


@virtual
async def test_iteration_ends_also_when_the_last_status_was_known() -> None:
    ws, _ = engine(policy=Answering(Retry(10.0)))

    async def watch(settled: Settled) -> list[Status]:
        return [status async for status in settled]

    task = asyncio.ensure_future(watch(ws.settled()))
    ws.connect()
    await pass_time(1)
    await ws.close()
    assert await task == [OFFLINE]


@virtual
async def test_two_tasks_need_two_iterations() -> None:
    ws, _, _ = await opened()
    iteration = aiter(ws.settled())
    assert aiter(iteration) is iteration
    assert await anext(iteration) is ONLINE

    async def following() -> Status:
        return await anext(iteration)

    first = asyncio.ensure_future(following())
    await turns()
    with pytest.raises(ConcurrentReceive, match="another task"):
        await anext(iteration)
    await ws.close()
    assert await first is OFFLINE


@pytest.mark.spec("H5.3", "J1.1")
@virtual
async def test_there_is_a_timer_only_while_a_change_is_pending_and_somebody_watches() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(Retry(50.0)))
    settled = ws.settled()
    ws.mark_healthy()
    assert timers() == []
    wire.end(CUT)
    assert len(timers()) == 1  # the backoff alone
    stop = settled.subscribe(lambda _: None)
    assert len(timers()) == 2
    stop()
    stop()
    assert len(timers()) == 1
    iteration = aiter(settled)
    assert len(timers()) == 2
    await pass_time(3)
    assert settled.status is OFFLINE
    assert len(timers()) == 1
    del iteration
    await ws.close()


@pytest.mark.spec("H5.3", "J1.1")
@virtual
async def test_a_view_that_is_forgotten_leaves_nothing_and_one_with_callbacks_lives_on() -> None:
    ws, _, _ = await opened()
    ghost = weakref.ref(ws.settled())
    listeners = ws._driver.observers._listeners
    seen = watched(ws)
    gc.collect()
    assert ghost() is None
    assert len(listeners) == 0
    await ws.close()
    assert [status for _, status in seen] == [OFFLINE]
    view = ws.settled()
    ghost = weakref.ref(view)
    view.subscribe(print)()
    del view
    gc.collect()
    assert ghost() is None


@pytest.mark.spec("I3.2")
@virtual
async def test_a_callback_that_raises_or_goes_harms_nobody() -> None:
    ws, _, _ = await opened()
    settled = ws.settled()
    seen: list[Status] = []

    def broken(_: Status) -> None:
        stops.pop()()
        raise asyncio.CancelledError

    settled.subscribe(broken)
    stops = [settled.subscribe(seen.append)]
    settled.subscribe(seen.append)
    with capture_logs() as logs:
        await ws.close()
    assert seen == [OFFLINE]
    [line] = [line for line in logs if line["event"] == "websocket.listener_failed"]
    assert "broken" in line["who"]


@virtual
async def test_a_callback_that_moves_the_engine_leaves_everybody_with_the_latest() -> None:
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(5.0), Stop()))
    settled = ws.settled()
    first: list[Status] = []
    second: list[Status] = []

    def end_it(status: Status) -> None:
        first.append(status)
        if status is ONLINE:
            transport.wires[-1].end(KICKED)

    settled.subscribe(end_it)
    settled.subscribe(second.append)
    wire.end(CUT)
    await pass_time(60)
    assert first == [OFFLINE, ONLINE, GAVE_UP]
    assert second == [OFFLINE, GAVE_UP]  # and never ONLINE after it
    await ws.close()


@virtual
async def test_a_watcher_that_comes_late_is_told_of_what_comes_after() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(Retry(5.0)))
    settled = ws.settled()
    wire.end(CUT)
    await pass_time(3)
    seen: list[Status] = []
    settled.subscribe(seen.append)
    assert settled.status is OFFLINE
    await pass_time(10)
    assert seen == [ONLINE]
    await ws.close()


@pytest.mark.parametrize("after", ["2", None, True])
def test_nonsense_is_refused(after: Any) -> None:
    ws, _ = engine()
    with pytest.raises(TypeError, match="number of seconds"):
        ws.settled(after)


@pytest.mark.parametrize("after", [-1, float("nan"), float("inf")])
def test_impossible_times_are_refused(after: float) -> None:
    ws, _ = engine()
    with pytest.raises(ValueError, match="at least 0"):
        ws.settled(after)


def test_a_callback_must_be_one() -> None:
    ws, _ = engine()
    with pytest.raises(TypeError, match="function of one Status"):
        ws.settled().subscribe(None)  # type: ignore[arg-type] # the point of the test


@given(
    gaps=st.lists(
        st.tuples(st.floats(0, 8), st.floats(0, 8), st.booleans()), min_size=1, max_size=12
    ),
    after=st.floats(0, 5),
)
def test_no_status_is_shown_shorter_than_after(
    gaps: list[tuple[float, float, bool]], after: float
) -> None:
    """Whatever the ups and downs; and what is read agrees with what was told."""

    async def story() -> None:
        policy = Answering(*[Retry(down) for _, down, _ in gaps], Retry(1.0))
        ws, _, transport = await opened(*[UP] * (len(gaps) + 1), policy=policy)
        settled = ws.settled(after)
        seen = watched(ws, after)
        for up, _, kicked in gaps:
            await pass_time(up)
            last: ScriptedWire = transport.wires[-1]
            last.end(KICKED if kicked else CUT)
            await ws.wait_for(State.OPEN)
        await pass_time(after + 1)
        assert settled.status is (seen[-1][1] if seen else ONLINE) is ONLINE
        times = [time for time, _ in seen]
        assert all(b - a >= after - 1e-6 for a, b in pairwise(times))
        await ws.close()

    run(story())
