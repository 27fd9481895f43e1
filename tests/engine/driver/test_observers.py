"""Listeners, watchers, and tasks that wait for a state: they miss nothing and stop nothing."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from structlog.testing import capture_logs

from recloser import ConcurrentReceive, PolicyError, Retry, State, StateChange, Stop
from recloser.testing import VirtualTimeLoop
from tests.engine.rig import (
    CUT,
    DOWN,
    KICKED,
    UP,
    Answering,
    Rig,
    ended,
    engine,
    opened,
    pass_time,
    turns,
    virtual,
)


@pytest.mark.spec("I3.1")
@virtual
async def test_listeners_and_watchers_see_every_change_and_no_self_transition() -> None:
    seen: list[StateChange] = []
    ws, transport = engine(DOWN, UP, UP, observers=[seen.append], policy=Answering(Retry(1.0)))
    watch = ws.changes()
    ws.connect()
    ws.connect()
    await ws.wait_for(State.OPEN)
    ws.mark_healthy()
    transport.wires[-1].end(CUT)
    await ws.wait_for(State.OPEN)
    await pass_time(100)
    await ws.suspend()
    await ws.suspend()
    await ws.close()
    assert [each async for each in watch] == seen
    assert [each.current.value for each in seen] == [
        *("connecting", "backoff", "connecting", "open", "backoff", "connecting", "open"),
        *("closing", "passive", "closed"),
    ]
    for before, after in zip([None, *seen], seen, strict=False):
        assert after.previous is not after.current
        assert after.previous is (before.current if before else State.CLOSED)


@pytest.mark.spec("I3.1", "I3.4")
@virtual
async def test_a_slow_watcher_delays_nothing_and_misses_nothing() -> None:
    ws, transport = engine(*[UP] * 20, policy=Answering(Retry(0.0)))
    watch = ws.changes()
    ws.connect()
    for _ in range(20):
        await turns()
        transport.wires[-1].end(CUT)
    await turns()
    await ws.close()
    ws.connect()  # a later life of the engine is not part of this iteration
    await ws.close()
    changes = [each async for each in watch]
    assert len([each for each in changes if each.current is State.OPEN]) == 20
    assert changes[-1].current is State.CLOSED
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


@pytest.mark.spec("J1.1")
@virtual
async def test_a_watcher_that_is_dropped_collects_nothing_more() -> None:
    async with Rig("open") as rig:
        watch = rig.ws.changes()
        rig.ws.reconnect()
        await turns()
        async for _ in watch:
            break
        gone = weakref.ref(watch)
        del watch
        gc.collect()
        assert gone() is None
        rig.ws.reconnect()
        await turns()


@pytest.mark.spec("I3.1", "F8.1", "F8.2")
@virtual
async def test_a_watcher_serves_one_task_and_survives_its_cancellation() -> None:
    async with Rig("fresh") as rig:
        watch = rig.ws.changes()
        first = asyncio.ensure_future(anext(watch))
        await turns()
        with pytest.raises(ConcurrentReceive, match="an iterator of its own"):
            await anext(watch)
        rig.ws.connect()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await turns()
        assert [(await anext(watch)).current for _ in range(2)] == [State.CONNECTING, State.OPEN]


@pytest.mark.spec("I3.2")
@virtual
async def test_a_listener_that_raises_harms_nobody() -> None:
    seen: list[State] = []
    cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    cancelled.cancel()

    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def fails(change: StateChange) -> None:
        raise ValueError("password=hunter2")

    def unprintable(change: StateChange) -> None:
        raise Unprintable

    ws, _ = engine(
        observers=[
            fails,
            lambda change: cancelled.result(),
            unprintable,
            lambda change: seen.append(change.current),
        ],
        fields={"user": 7},
    )
    with capture_logs() as logs:
        ws.connect()
        await turns()
    assert ws.state is State.BACKOFF
    assert seen == [State.CONNECTING, State.BACKOFF]
    failed = [log for log in logs if log["event"] == "websocket.listener_failed"]
    assert [log["error"] for log in failed[:3]] == [
        "ValueError: password=***",
        "CancelledError: ",
        "Unprintable (no text: RuntimeError)",
    ]
    assert len(failed) == 6
    assert failed[0]["who"].endswith("fails")
    assert {log["user"] for log in failed} == {7}
    await ws.close()


@pytest.mark.spec("I3.3")
@virtual
async def test_a_slow_listener_is_timed_and_logged() -> None:
    class Slow:
        def __call__(self, change: StateChange) -> None:
            loop = asyncio.get_running_loop()
            loop.advance(0.25)  # type: ignore[attr-defined]  # the loop of virtual time

    ws, _ = engine(observers=[Slow(), lambda change: None])
    with capture_logs() as logs:
        ws.connect()
    slow = [log for log in logs if log["event"] == "websocket.listener_slow"]
    assert [(log["who"].rpartition(".")[2], log["took"]) for log in slow] == [("Slow", 0.25)]
    await ws.close()


@pytest.mark.spec("C1", "I3.1")
@pytest.mark.parametrize("call", ["connect", "reconnect", "wake", "mark_healthy"])
@virtual
async def test_a_listener_may_call_the_engine(call: str) -> None:
    order: list[State] = []

    def again(change: StateChange) -> None:
        if len(order) < 4 and change.current in (State.OPEN, State.BACKOFF):
            getattr(ws, call)()
        order.append(change.current)

    ws, transport = engine(DOWN, UP, UP, UP, observers=[again], policy=Answering(Retry(5.0)))
    ws.connect()
    await pass_time(20)
    assert ws.state is State.OPEN
    assert len(transport.live) == 1
    assert order[:3] == [State.CONNECTING, State.BACKOFF, State.CONNECTING]
    await ws.close()


@pytest.mark.spec("A1", "C1")
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN, State.BACKOFF, State.CLOSING])
@virtual
async def test_a_listener_that_starts_a_close_at_once(state: State) -> None:
    """As an eager task of Python 3.12 does: the coroutine runs inside the listener."""
    begun: list[object] = []

    def leave(change: StateChange) -> None:
        if change.current is state and not begun:
            begun.append(asyncio.ensure_future(ws.close()))
            closing = ws.close()
            closing.send(None)
            begun.append(closing)

    ws, transport = engine(UP, observers=[leave], policy=Answering(Retry(5.0)))
    ws.connect()
    await turns()
    if state is State.BACKOFF:
        transport.wires[-1].end(CUT)
    if state is State.CLOSING:
        await ws.suspend()
    await pass_time(100)
    assert ws.state is State.CLOSED
    assert len(transport.requests) <= 1
    begun[1].close()  # type: ignore[attr-defined]  # a coroutine


@pytest.mark.spec("A3.1")
@virtual
async def test_an_eager_close_waits_for_its_end() -> None:
    tasks: list[asyncio.Task[None]] = []
    states: list[State] = []

    async def leave() -> None:
        await ws.close()
        states.append(ws.state)

    def eagerly(change: StateChange) -> None:
        if change.current is State.OPEN:
            coroutine = leave()
            waits_for = coroutine.send(None)
            assert waits_for is None  # it lets the listener return first

            async def go_on() -> None:
                while True:
                    try:
                        future = coroutine.send(None)
                    except StopIteration:
                        return
                    if future is None:
                        await asyncio.sleep(0)
                        continue
                    future._asyncio_future_blocking = False
                    await future

            tasks.append(asyncio.ensure_future(go_on()))

    ws, _ = engine(UP, observers=[eagerly])
    ws.connect()
    await turns()
    await tasks[0]
    assert states == [State.CLOSED]


@pytest.mark.spec("I3.1")
@virtual
async def test_subscriptions_are_each_their_own() -> None:
    async with Rig("fresh") as rig:
        seen: list[State] = []

        def listener(change: StateChange) -> None:
            seen.append(change.current)

        first, second = rig.ws.subscribe(listener), rig.ws.subscribe(listener)
        rig.ws.connect()
        assert seen == [State.CONNECTING] * 2
        first()
        first()
        await rig.ws.wait_for(State.OPEN)
        assert seen == [State.CONNECTING] * 2 + [State.OPEN]
        second()
        await rig.ws.close()
        assert len(seen) == 3


@pytest.mark.spec("I3.1")
@virtual
async def test_a_listener_that_was_taken_back_is_not_called_in_the_same_change() -> None:
    async with Rig("fresh") as rig:
        seen: list[str] = []
        ends: list[Any] = []

        def first(change: StateChange) -> None:
            ends.pop()()
            rig.ws.subscribe(lambda change: seen.append("from the next change on"))

        unsubscribe = rig.ws.subscribe(first)
        ends.append(rig.ws.subscribe(lambda change: seen.append("taken back")))
        rig.ws.subscribe(lambda change: seen.append("stays"))
        rig.ws.connect()
        assert seen == ["stays"]
        unsubscribe()
        await rig.ws.wait_for(State.OPEN)
        assert seen[1:] == ["stays", "from the next change on"]


@pytest.mark.spec("A11.2", "J1.2")
@virtual
async def test_who_waits_for_a_state() -> None:
    policy = Answering(Retry(1.0), Retry(1.0), Stop())
    ws, _ = engine(DOWN, DOWN, DOWN, policy=policy)
    ws.connect()
    given_up = asyncio.ensure_future(ws.wait_for(State.OPEN))
    stays = asyncio.ensure_future(ended(ws.wait_for(State.OPEN)))
    passes = asyncio.ensure_future(ended(ws.wait_for(State.BACKOFF)))
    await turns()
    given_up.cancel()
    assert await passes is None
    error = await stays
    assert str(error) == (
        "closed: code 1006 from peer (refused, status 503, rule Answering); connect() starts afresh"
    )
    assert ws._driver.observers._waiters == ()
    await asyncio.gather(given_up, return_exceptions=True)


@pytest.mark.spec("B4.4", "A11.2")
@virtual
async def test_who_waits_is_told_of_a_policy_error() -> None:
    ws, wire, _ = await opened(policy=Answering(ValueError("bad rule")))
    waits = asyncio.ensure_future(ended(ws.wait_for(State.BACKOFF)))
    await turns()
    wire.end(KICKED)
    error = await waits
    assert isinstance(error, PolicyError)
    assert isinstance(error.__cause__, ValueError)


@pytest.mark.spec("I3.2")
@pytest.mark.parametrize("exit_", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("state", [State.CONNECTING, State.OPEN, State.BACKOFF])
def test_an_exit_of_the_process_leaves_the_loop_and_is_told_once(
    state: State, exit_: type[BaseException]
) -> None:
    problems: list[dict[str, Any]] = []

    def leave(change: StateChange) -> None:
        if change.current is state:
            raise exit_

    ws, transport = engine(UP, observers=[leave], policy=Answering(Retry(5.0)))

    async def start() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, problem: problems.append(problem))
        ws.connect()
        await turns()
        transport.wires[-1].end(CUT)
        await turns()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        with pytest.raises(exit_):
            runner.run(start())
        gc.collect()
        runner.run(ws.close())
    gc.collect()
    assert problems == []
