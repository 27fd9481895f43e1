"""The stable period forgets the failures, and no timer rings for that."""

import asyncio

import pytest

from recloser import State, StateChange, Timeouts
from recloser.clock import Alarm
from tests.engine.rig import CUT, DOWN, HANGS, UP, ended, engine, pass_time, timers, turns, virtual

TIMEOUTS = Timeouts(stable=30.0, connect=20.0)


def alarms() -> list[Alarm]:
    return [each for each in timers() if isinstance(each, Alarm)]


@pytest.mark.spec("D1.2", "D1.3")
@virtual
async def test_a_stable_period_forgets_the_failures_and_an_open_connection_has_no_timer() -> None:
    ws, transport = engine(DOWN, DOWN, UP, timeouts=TIMEOUTS)
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert (ws.attempt, alarms()) == (2, [])
    await pass_time(29.9)
    assert ws.attempt == 2
    await pass_time(0.2)
    assert (ws.attempt, alarms()) == (0, [])
    seen: list[StateChange] = []
    ws.subscribe(seen.append)
    transport.wires[-1].end(CUT)
    await turns()
    assert [each.attempt for each in seen] == [1]
    assert ws.attempt == 1
    await ws.close()


@pytest.mark.spec("D1.2")
@virtual
async def test_the_period_is_over_for_the_end_of_its_last_moment() -> None:
    for uptime, attempt in ((29.999, 3), (30.0, 1)):
        ws, transport = engine(DOWN, DOWN, UP, timeouts=TIMEOUTS)
        ws.connect()
        await ws.wait_for(State.OPEN)
        await pass_time(uptime)
        transport.wires[-1].end(CUT)
        await turns()
        assert ws.attempt == attempt
        await ws.close()


@pytest.mark.spec("D1.2", "C3.9")
@virtual
async def test_the_period_ends_while_a_successor_is_dialled() -> None:
    """Its dial has a timer, and the failures of before are forgotten all the same."""
    ws, _ = engine(DOWN, DOWN, UP, HANGS, timeouts=TIMEOUTS)
    ws.connect()
    await ws.wait_for(State.OPEN)
    await pass_time(25.0)
    move = asyncio.ensure_future(ended(ws.move()))
    await turns()
    assert (ws.attempt, len(alarms())) == (2, 1)
    await pass_time(6.0)
    assert (ws.attempt, len(alarms())) == (0, 1)
    await move
    assert (ws.attempt, ws.state, alarms()) == (1, State.OPEN, [])
    await pass_time(1e6)
    assert ws.attempt == 1, "the period was over before that failure"
    await ws.close()
