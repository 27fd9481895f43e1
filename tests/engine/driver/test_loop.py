"""The event loop of an engine: one at a time, and calls from elsewhere change nothing."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import recloser
from recloser import (
    ReconnectingWebSocket,
    Retry,
    State,
    Stop,
    WrongLoop,
)
from recloser.testing import ScriptedTransport, run
from tests.engine.rig import (
    CUT,
    DOWN,
    KICKED,
    UP,
    URL,
    Answering,
    Rig,
    ended,
    opened,
    pass_time,
    turns,
    virtual,
)


def test_one_engine_in_two_loops_one_after_the_other() -> None:
    transport = ScriptedTransport([UP, DOWN, UP])
    ws = recloser.connect(URL, transport=transport, policy=Answering(Retry(1.0)))

    async def story() -> None:
        changes = ws.changes()
        async with ws:
            transport.wires[-1].deliver("x")
            assert await ws.receive() == "x"
            await pass_time(100)
        assert [change.current async for change in changes][-1] is State.CLOSED

    run(story())
    run(story())
    assert transport.released == 2


CALLS: dict[str, Callable[[ReconnectingWebSocket], Any]] = {
    "connect": lambda ws: ws.connect(),
    "close": lambda ws: ws.close(),
    "suspend": lambda ws: ws.suspend(),
    "reconnect": lambda ws: ws.reconnect(),
    "wake": lambda ws: ws.wake(),
    "mark_healthy": lambda ws: ws.mark_healthy(),
    "fail": lambda ws: ws.fail("x"),
    "advise": lambda ws: ws.advise("x"),
    "send": lambda ws: ws.send("x"),
    "send_json": lambda ws: ws.send_json({}),
    "wait_for": lambda ws: ws.wait_for(State.CLOSED),
    "async with": lambda ws: ws.__aenter__(),
    "changes": lambda ws: ws.changes(),
    "scope": lambda ws: ws.scope,
}
WAITING = ["connecting", "on_open", "closing", "backoff", "held", "asked"]


async def made(call: Callable[[ReconnectingWebSocket], Any], ws: ReconnectingWebSocket) -> Any:
    outcome = call(ws)
    return await outcome if asyncio.iscoroutine(outcome) else outcome


def elsewhere(call: Callable[[ReconnectingWebSocket], Any], ws: ReconnectingWebSocket) -> list[Any]:
    """What a call comes to in another thread, with an event loop there and without."""
    found: list[Any] = []

    def work() -> None:
        found.append(asyncio.run(ended(made(call, ws))))
        try:
            outcome = call(ws)
            if asyncio.iscoroutine(outcome):
                outcome.send(None)
        except Exception as error:  # noqa: BLE001 - the test looks at whatever it was
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found


@pytest.mark.parametrize("place", ["open", *WAITING])
@pytest.mark.parametrize("name", CALLS)
@virtual
async def test_a_call_from_another_thread_or_loop_changes_nothing(name: str, place: str) -> None:
    async with Rig(place) as rig:
        found = elsewhere(CALLS[name], rig.ws)
        assert [type(each) for each in found] == [WrongLoop, WrongLoop]
        assert "call_soon_threadsafe" in str(found[0])
        await turns()
        assert rig.path == []
        assert all(wire.sent == [] and not wire.probes for wire in rig.transport.wires)


@pytest.mark.parametrize("place", [place for place in WAITING if place != "closing"])
@virtual
async def test_receiving_in_another_loop_is_refused_where_it_would_wait(place: str) -> None:
    async with Rig(place) as rig:
        found = elsewhere(lambda ws: ws.receive(), rig.ws)
        assert [type(each) for each in found] == [WrongLoop, WrongLoop]
        assert rig.path == []


@virtual
async def test_an_engine_that_is_still_being_released_does_not_move() -> None:
    ws, wire, _ = await opened(policy=Answering(Stop()))
    free = asyncio.Event()

    async def slowly() -> None:
        await free.wait()

    wire.wait_closed = slowly  # type: ignore[method-assign]  # a socket that takes its time
    wire.end(KICKED)
    await turns()
    assert ws.state is State.CLOSED
    assert [type(each) for each in elsewhere(lambda ws: ws.connect(), ws)] == [WrongLoop] * 2
    free.set()
    await ws.close()


@virtual
async def test_the_loop_that_uses_it_first_is_its_own() -> None:
    async with Rig("open") as rig:
        rig.transport.wires[-1].end(CUT)
        await turns()
        assert rig.ws.retry_in == 50.0
        assert [type(each) for each in elsewhere(lambda ws: ws.retry_in, rig.ws)] == [float]
