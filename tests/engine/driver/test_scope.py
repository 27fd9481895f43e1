"""The scope of a generation: tasks and callbacks that end with it, once and in reverse order."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from recloser import Hold, Opening, ReconnectingWebSocket, Retry, State, Stop
from recloser.testing import ScriptedWire
from tests.engine.rig import (
    CUT,
    DEAF,
    KICKED,
    UP,
    Answering,
    ended,
    engine,
    now,
    opened,
    pass_time,
    turns,
    virtual,
)

ENDS = {
    "lost": State.BACKOFF,
    "held": State.PASSIVE,
    "stopped": State.CLOSED,
    "close": State.CLOSED,
    "suspend": State.PASSIVE,
    "reconnect": State.OPEN,
}


def policy_for(end: str) -> Answering:
    return Answering({"held": Hold(), "stopped": Stop()}.get(end, Retry(5.0)))


async def bring_about(end: str, ws: ReconnectingWebSocket, wire: ScriptedWire) -> None:
    if end in ("close", "suspend"):
        await getattr(ws, end)()
    elif end == "reconnect":
        ws.reconnect()
        await pass_time(1.0)
    else:
        wire.end(KICKED)
    await turns()
    assert ws.state is ENDS[end]


@pytest.mark.spec("A11.1", "H4", "H1.1")
@pytest.mark.parametrize("end", ENDS)
@virtual
async def test_everything_ends_once_in_reverse_order(end: str) -> None:
    ws, wire, _ = await opened(UP, UP, policy=policy_for(end))
    story: list[str] = []

    async def poll(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            story.append(name)

    scope = ws.scope
    scope.callback(story.append, "callback 1")
    tasks = [scope.create_task(poll("task 1"), name="poller")]
    scope.callback(story.append, "callback 2")
    taken_back = scope.callback(story.append, "not this")
    tasks.append(scope.create_task(poll("task 2")))
    assert tasks[0].get_name() == "poller"
    taken_back()
    taken_back()
    await turns()
    await bring_about(end, ws, wire)
    assert story == ["callback 2", "callback 1", "task 2", "task 1"]
    assert all(task.cancelled() for task in tasks)
    with pytest.raises(RuntimeError, match="has ended"):
        scope.callback(story.append, "late")
    with pytest.raises(RuntimeError, match="has ended"):
        scope.create_task(poll("late"))
    await ws.close()


@pytest.mark.spec("A11.1", "H4")
@virtual
async def test_a_task_is_cancelled_once_and_may_take_its_time_to_clean_up() -> None:
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(0.0)))
    story: list[str] = []

    async def poll() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await pass_time(2)
            story.append("clean")

    task = ws.scope.create_task(poll())
    await turns()
    wire.end(CUT)
    await pass_time(1)
    assert len(transport.requests) == 1  # the next dial waits for what is left of this one
    await ws.wait_for(State.OPEN)
    assert story == ["clean"]
    assert now() == 2.0
    assert task.cancelled()
    await ws.close()


@pytest.mark.spec("A11.6")
@virtual
async def test_a_task_that_refuses_to_end_is_named_and_the_engine_goes_on() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(Retry(0.0)), fields={"user": 7})
    free = asyncio.Event()

    async def refuse() -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    task = ws.scope.create_task(refuse(), name="stubborn poller")
    await turns()
    with capture_logs() as logs:
        wire.end(CUT)
        await ws.wait_for(State.OPEN)
    assert now() == 5.0
    assert [log for log in logs if log["event"] == "websocket.task_refuses_to_end"] == [
        {
            "event": "websocket.task_refuses_to_end",
            "log_level": "error",
            "task": "stubborn poller",
            "waited": 5.0,
            "user": 7,
        }
    ]
    assert not task.done()
    free.set()
    await task
    await ws.close()


@pytest.mark.spec("A11.1", "J2.1")
@virtual
async def test_what_they_raise_is_logged_and_harms_nobody() -> None:
    ws, wire, _ = await opened(fields={"user": 7})
    story: list[str] = []
    cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    cancelled.cancel()

    async def fail() -> None:
        raise ValueError("token=abc123 is bad")

    async def fail_late() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("late")

    with capture_logs() as logs:
        ws.scope.create_task(fail(), name="failing")
        ws.scope.create_task(fail_late(), name="late")
        ws.scope.callback(story.append, "reached")
        ws.scope.callback(lambda: 1 / 0)
        ws.scope.callback(cancelled.result)
        await turns()
        assert ws.state is State.OPEN
        wire.end(CUT)
        await turns()
    assert story == ["reached"]
    assert ws.state is State.BACKOFF
    troubles = {log["who"]: log for log in logs if log["event"] != "websocket.state_changed"}
    assert troubles["failing"]["event"] == "websocket.scope_task_failed"
    assert troubles["failing"]["error"] == "ValueError: token=*** is bad"
    assert troubles["failing"]["user"] == 7
    assert troubles["late"]["error"] == "KeyError: 'late'"
    assert {log["error"].partition(":")[0] for log in troubles.values()} == {
        "ValueError",
        "KeyError",
        "ZeroDivisionError",
        "CancelledError",
    }
    await ws.close()


@pytest.mark.spec("A11.1")
@virtual
async def test_a_callback_may_take_back_another_and_ask_for_more() -> None:
    ws, wire, _ = await opened(UP, UP, policy=Answering(Hold()))
    story: list[str] = []
    take_back = ws.scope.callback(story.append, "never")
    ws.scope.callback(ws.connect)
    ws.scope.callback(take_back)
    wire.end(CUT)
    await turns()
    assert story == []
    assert ws.state is State.OPEN
    assert ws.generation == 2
    await ws.close()


def asking(ws: ReconnectingWebSocket, call: str) -> Coroutine[Any, Any, None]:
    async def poll() -> None:
        await asyncio.sleep(0)
        outcome = getattr(ws, call)()
        if outcome is not None:
            await outcome

    return poll()


@pytest.mark.spec("A11.8")
@pytest.mark.parametrize("call", ["close", "suspend"])
@virtual
async def test_a_task_that_asks_for_the_end_is_neither_awaited_nor_cancelled(call: str) -> None:
    ws, _, _ = await opened()
    with capture_logs() as logs:
        first = ws.scope.create_task(asking(ws, call))
        second = ws.scope.create_task(asking(ws, call))
        await turns()
    assert first.done()
    assert not first.cancelled()
    assert second.done()
    assert now() == 0.0
    assert ws.state is (State.CLOSED if call == "close" else State.PASSIVE)
    assert {log["event"] for log in logs} == {"websocket.state_changed"}
    await ws.close()


@pytest.mark.spec("A10", "A11.1")
@virtual
async def test_a_task_that_asks_for_another_generation_ends_with_its_own() -> None:
    ws, _, _ = await opened(UP, UP)

    async def poll() -> None:
        ws.reconnect(4000)
        await asyncio.Event().wait()

    task = ws.scope.create_task(poll())
    await turns()
    assert task.cancelled()
    await ws.wait_for(State.OPEN)
    assert ws.generation == 2
    await ws.close()


@pytest.mark.spec("A11.8", "A4.1")
@pytest.mark.parametrize("end", ["lost", "held", "stopped"])
@virtual
async def test_a_task_whose_clean_up_closes_the_engine_is_not_waited_for_by_itself(
    end: str,
) -> None:
    ws, wire, transport = await opened(policy=policy_for(end))

    async def poll() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await ws.close()

    with capture_logs() as logs:
        task = ws.scope.create_task(poll())
        await turns()
        wire.end(KICKED)
        await turns()
    assert task.done()
    assert now() == 0.0
    assert ws.state is State.CLOSED
    assert transport.released >= 1
    assert {log["event"] for log in logs} == {"websocket.state_changed"}


@pytest.mark.spec("A11.1", "H4")
@virtual
async def test_what_on_open_starts_ends_with_a_dial_that_never_opens() -> None:
    story: list[str] = []
    kept: list[Opening] = []

    async def hook(opening: Opening) -> None:
        kept.append(opening)
        opening.scope.callback(story.append, "callback")
        opening.scope.create_task(asyncio.Event().wait())  # type: ignore[arg-type]  # a bool
        await asyncio.Event().wait()

    ws, transport = engine(UP, on_open=hook)
    ws.connect()
    await turns()
    transport.wires[0].end(KICKED)
    await turns()
    assert story == ["callback"]
    with pytest.raises(RuntimeError, match="has ended"):
        kept[0].scope.callback(story.append, "late")
    await ws.close()


@pytest.mark.spec("A11.1")
@virtual
async def test_a_scope_asked_for_too_late_has_ended() -> None:
    kept: list[Opening] = []
    ws, wire, _ = await opened(on_open=kept.append)
    wire.end(CUT)
    await turns()
    with pytest.raises(RuntimeError, match="has ended"):
        kept[0].scope.callback(print)
    await ws.close()


@pytest.mark.spec("A4.1", "H4")
@virtual
async def test_pollers_stop_when_the_closing_starts_not_when_it_ends() -> None:
    ws, _, _ = await opened(DEAF)
    task = ws.scope.create_task(asyncio.Event().wait())  # type: ignore[arg-type]  # a bool
    await turns()
    closing = asyncio.ensure_future(ended(ws.close()))
    await turns()
    assert ws.state is State.CLOSING
    assert task.cancelled()
    await closing


@virtual
async def test_a_task_that_ends_by_itself_is_forgotten() -> None:
    ws, _, _ = await opened()

    async def short() -> int:
        return 42

    scope = ws.scope
    assert ws.scope is scope
    assert await scope.create_task(short()) == 42
    await turns()
    assert scope.tasks() == set()
    await ws.close()
