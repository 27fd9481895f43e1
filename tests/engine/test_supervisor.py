"""Many engines in one service: none takes the others along, and all leave in good order."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from recloser import (
    ConnectionClosed,
    Delivery,
    Hold,
    Outbox,
    PolicyError,
    ReconnectingWebSocket,
    Retry,
    State,
    Stop,
    Supervisor,
)
from recloser.testing import Plan, ScriptedTransport, ScriptedWire
from tests.engine.rig import (
    DEAF,
    DOWN,
    HANGS,
    KICKED,
    UP,
    Answering,
    ended,
    engine,
    now,
    others,
    pass_time,
    turns,
    virtual,
)


async def consume(ws: ReconnectingWebSocket) -> None:
    async for _ in ws:
        pass


def many(
    count: int, *plans: Plan, **options: Any
) -> list[tuple[ReconnectingWebSocket, ScriptedTransport]]:
    return [engine(*(plans or (UP,)), **options) for _ in range(count)]


@pytest.mark.spec("A11.5", "H7.3", "H7.4", "J1.2")
@virtual
async def test_leaving_the_block_closes_all_and_waits_for_the_handlers() -> None:
    engines = many(5)
    story: list[str] = []

    async def handle(ws: ReconnectingWebSocket) -> None:
        await consume(ws)
        await pass_time(3)
        story.append("drained")

    async with Supervisor(code=1001, reason="deploy") as supervisor:
        for number, (ws, _) in enumerate(engines):
            supervisor.add(ws, handle, name=f"feed {number}")
        await turns()
        assert supervisor.states() == {f"feed {n}": State.OPEN for n in range(5)}
        assert not supervisor.stopping
    assert story == ["drained"] * 5
    assert now() == 3
    assert supervisor.stopping
    assert supervisor.failures == {}
    for ws, transport in engines:
        assert transport.wires[0].closed_with == (1001, "deploy")
        assert ws.state is State.CLOSED
    assert others() == set()


@pytest.mark.spec("G1.2", "H7.2", "H7.3")
@pytest.mark.parametrize(("deadline", "sent"), [(20.0, 3), (3.0, 1)])
@virtual
async def test_what_is_queued_goes_out_first_in_half_of_the_time(
    monkeypatch: pytest.MonkeyPatch, deadline: float, sent: int
) -> None:
    send = ScriptedWire.send

    async def slow(wire: ScriptedWire, message: str | bytes, item: object = None) -> Delivery:
        delivery = await send(wire, message, item)
        await pass_time(1)
        return delivery

    monkeypatch.setattr(ScriptedWire, "send", slow)
    ws, transport = engine(UP, outbox=Outbox())
    async with Supervisor(code=1001, deadline=deadline) as supervisor:
        supervisor.add(ws, consume)
        for number in range(3):
            assert await ws.send(str(number)) is Delivery.QUEUED
        await ws.wait_for(State.OPEN)
    assert transport.wires[0].sent[:sent] == ["0", "1", "2"][:sent]
    assert transport.wires[0].closed_with == (1001, "")
    assert now() == min(3.0, deadline / 2)


@pytest.mark.spec("H7.1")
@virtual
async def test_one_that_fails_is_told_of_and_the_others_go_on() -> None:
    good, gives_up, raises, unreachable = many(4, policy=Answering(Retry(50.0)))
    gives_up = engine(UP, policy=Answering(Stop()), fields={"user": 7})
    unreachable = engine(DOWN, policy=Answering(Stop()))

    async def fail(ws: ReconnectingWebSocket) -> None:
        await ws.receive()
        raise LookupError("no such thing")

    with capture_logs() as logs:
        async with Supervisor() as supervisor:
            supervisor.add(good[0], consume, name="good")
            supervisor.add(gives_up[0], consume, name="gives up")
            supervisor.add(raises[0], fail, name="raises")
            supervisor.add(unreachable[0], consume, name="unreachable")
            await turns()
            gives_up[1].wires[0].end(KICKED)
            raises[1].wires[0].deliver("x")
            await pass_time(60)
            assert good[0].state is State.OPEN
            assert raises[0].state is State.CLOSED
            assert set(supervisor.failures) == {"gives up", "raises", "unreachable"}
            assert set(supervisor.engines) == {"good"}
            waiting = asyncio.ensure_future(supervisor.wait())
            await turns()
            assert not waiting.done()
            supervisor.stop()
            await waiting
    assert isinstance(supervisor.failures["gives up"], ConnectionClosed)
    assert isinstance(supervisor.failures["unreachable"], ConnectionClosed)
    assert isinstance(supervisor.failures["raises"], LookupError)
    lines = [line for line in logs if line["event"] == "websocket.supervised_failed"]
    assert {line["who"] for line in lines} == set(supervisor.failures)
    assert [line["user"] for line in lines if line["who"] == "gives up"] == [7]


@pytest.mark.spec("H7.5")
@virtual
async def test_a_handler_that_outlasts_the_deadline_is_cancelled() -> None:
    [(ws, _)] = many(1)
    story: list[str] = []

    async def linger(ws: ReconnectingWebSocket) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            story.append("cancelled")

    async with Supervisor(deadline=4.0) as supervisor:
        supervisor.add(ws, linger)
        await turns()
    assert story == ["cancelled"]
    assert now() == 4
    assert supervisor.failures == {}


@pytest.mark.spec("A11.6", "H7.5")
@virtual
async def test_one_that_refuses_to_end_is_named_and_left() -> None:
    [(ws, _)] = many(1)
    free = asyncio.Event()

    async def refuse(ws: ReconnectingWebSocket) -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    with capture_logs() as logs:
        async with Supervisor(deadline=1.0) as supervisor:
            supervisor.add(ws, refuse, name="mule")
            await turns()
    assert now() == 2
    [line] = [line for line in logs if line["event"] == "websocket.task_refuses_to_end"]
    assert line["task"] == "recloser supervised mule"
    free.set()


@pytest.mark.spec("A5.1", "H7.3")
@pytest.mark.parametrize(
    ("plan", "answer"), [(HANGS, None), (DOWN, Retry(50.0)), (DOWN, Hold()), (DEAF, None)]
)
@virtual
async def test_stopping_ends_an_engine_in_any_state(plan: Plan, answer: object) -> None:
    ws, transport = engine(plan, policy=Answering(answer or Stop()))
    async with Supervisor() as supervisor:
        supervisor.add(ws, consume)
        await turns()
    assert supervisor.failures == {}
    assert ws.state is State.CLOSED
    assert transport.live == []
    assert now() <= 5


@pytest.mark.spec("A1")
@virtual
async def test_an_engine_that_was_added_last_is_closed_when_the_block_is_left_at_once() -> None:
    ws, transport = engine(UP)
    async with Supervisor() as supervisor:
        supervisor.add(ws, consume)
        assert ws.state is State.CONNECTING
    assert transport.live == []
    assert ws.state is State.CLOSED
    assert supervisor.failures == {}


async def fail_at_once(ws: ReconnectingWebSocket) -> None:
    async with Supervisor() as supervisor:
        supervisor.add(ws, consume)
        raise LookupError


@pytest.mark.spec("A1", "J3")
@virtual
async def test_nor_does_it_stay_when_the_block_fails_at_once() -> None:
    ws, transport = engine(UP)
    with pytest.raises(LookupError):
        await fail_at_once(ws)
    assert transport.live == []
    assert ws.state is State.CLOSED


@pytest.mark.spec("H7.5", "J3")
@virtual
async def test_an_exception_cancels_everything_within_a_second() -> None:
    engines = many(3, DEAF)

    async def fail() -> None:
        async with Supervisor(deadline=60.0) as supervisor:
            for ws, _ in engines:
                supervisor.add(ws, consume)
            await turns()
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert now() <= 1
    assert all(ws.state is State.CLOSED for ws, _ in engines)
    assert others() == set()


@pytest.mark.spec("J3")
@pytest.mark.parametrize("when", ["waiting", "draining"])
@virtual
async def test_cancelling_the_owner_ends_it_within_a_second(when: str) -> None:
    engines = many(3, DEAF)
    left = asyncio.Event()

    async def own() -> None:
        async with Supervisor(deadline=60.0) as supervisor:
            for ws, _ in engines:
                supervisor.add(ws, lambda _: asyncio.Event().wait())
            if when == "waiting":
                await supervisor.wait()
            await left.wait()

    task = asyncio.ensure_future(own())
    await turns()
    left.set()
    await pass_time(0.1)
    task.cancel()
    assert isinstance(await ended(task), asyncio.CancelledError)
    assert now() <= 1.2
    assert all(ws.state is State.CLOSED for ws, _ in engines)
    assert others() == set()


@virtual
async def test_wait_returns_when_every_handler_has_ended() -> None:
    engines = many(2)
    async with Supervisor() as supervisor:
        await supervisor.wait()  # nothing is there to wait for
        for ws, _ in engines:
            supervisor.add(ws, lambda ws: ws.receive())
        await turns()
        engines[0][1].wires[0].deliver("x")
        waiting = asyncio.ensure_future(supervisor.wait())
        await turns()
        assert not waiting.done()
        engines[1][1].wires[0].deliver("x")
        await waiting
        assert supervisor.states() == {}
        assert all(ws.state is State.CLOSED for ws, _ in engines)
    assert supervisor.failures == {}


@virtual
async def test_what_only_says_that_we_left_is_no_failure() -> None:
    async def group(ws: ReconnectingWebSocket) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ws.receive())  # type: ignore[arg-type] # a coroutine, narrowly typed

    async def send_on(ws: ReconnectingWebSocket) -> None:
        await consume(ws)
        await pass_time(1)
        raise ConnectionResetError

    engines = many(2)
    async with Supervisor() as supervisor:
        supervisor.add(engines[0][0], group)
        supervisor.add(engines[1][0], send_on)
        await turns()
    assert supervisor.failures == {}


@pytest.mark.spec("A9", "H2")
@virtual
async def test_a_hint_is_passed_on_to_all() -> None:
    engines = many(3, DOWN, UP, policy=Answering(Hold()))
    async with Supervisor() as supervisor:
        for ws, _ in engines:
            supervisor.add(ws, consume)
        await turns()
        assert set(supervisor.states().values()) == {State.PASSIVE}
        supervisor.wake()
        await pass_time(2)
        assert set(supervisor.states().values()) == {State.OPEN}


@pytest.mark.spec("H7.5")
async def test_a_signal_ends_the_wait_and_a_second_one_the_draining() -> None:
    """With the real signal of a real process; the sockets are scripted."""
    [(ws, transport)] = many(1)
    draining = asyncio.Event()
    story: list[str] = []

    async def handle(ws: ReconnectingWebSocket) -> None:
        await consume(ws)
        draining.set()
        try:
            await asyncio.Event().wait()
        finally:
            story.append("cancelled")

    async def kill_again() -> None:
        await draining.wait()
        os.kill(os.getpid(), signal.SIGUSR1)

    async with asyncio.timeout(30):
        killer = asyncio.ensure_future(kill_again())
        async with Supervisor(signals=(signal.SIGUSR1,), code=1001, deadline=60.0) as supervisor:
            supervisor.add(ws, handle)
            await ws.wait_for(State.OPEN)
            os.kill(os.getpid(), signal.SIGUSR1)
            await supervisor.wait()
        await killer
    assert story == ["cancelled"]
    assert transport.wires[0].closed_with == (1001, "")
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


@pytest.mark.spec("J5")
async def test_signals_are_given_back_when_one_cannot_be_had() -> None:
    with pytest.raises(RuntimeError, match="SIGKILL cannot be caught"):
        await Supervisor(signals=(signal.SIGUSR1, signal.SIGKILL)).__aenter__()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


@pytest.mark.spec("J5")
async def test_an_outer_supervisor_hears_of_the_signals_of_an_inner_one() -> None:
    async with (
        Supervisor(signals=(signal.SIGUSR1,)) as outer,
        Supervisor(signals=(signal.SIGUSR1,)) as inner,
    ):
        os.kill(os.getpid(), signal.SIGUSR1)
        await turns()
        assert inner.stopping
        assert outer.stopping
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


async def receives(ws: ReconnectingWebSocket) -> None:
    await consume(ws)


async def handles_the_error(ws: ReconnectingWebSocket) -> None:
    try:
        await consume(ws)
    except ConnectionClosed:
        await asyncio.Event().wait()


async def sends_work(ws: ReconnectingWebSocket) -> None:
    work = asyncio.Queue[str]()
    while True:
        await ws.send(await work.get())


async def waits_elsewhere(ws: ReconnectingWebSocket) -> None:
    ws.subscribe(lambda _: None)
    await asyncio.Event().wait()


async def waits_in_a_group(ws: ReconnectingWebSocket) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sends_work(ws))
        tasks.create_task(waits_elsewhere(ws))


@pytest.mark.spec("H8")
@pytest.mark.parametrize("plan", [UP, DOWN], ids=["open", "dialling"])
@pytest.mark.parametrize("answer", [Stop("gone"), LookupError("no such rule")], ids=["stop", "bug"])
@pytest.mark.parametrize(
    "handler", [receives, handles_the_error, sends_work, waits_elsewhere, waits_in_a_group]
)
@virtual
async def test_an_engine_that_gave_up_is_told_of_whatever_its_handler_waits_for(
    handler: Any, answer: object, plan: Plan
) -> None:
    ws, transport = engine(plan, policy=Answering(answer))
    with capture_logs() as logs:
        async with Supervisor(deadline=5.0) as supervisor:
            supervisor.add(ws, handler, name="feed")
            await turns()
            if plan is UP:
                transport.wires[0].end(KICKED)
            assert set(supervisor.failures) == {"feed"}
            await supervisor.wait()
            assert now() <= 5.0
    assert [line["who"] for line in logs if line["event"] == "websocket.supervised_failed"] == [
        "feed"
    ]
    kind = PolicyError if isinstance(answer, Exception) else ConnectionClosed
    assert isinstance(supervisor.failures["feed"], kind)
    assert others() == set()


@pytest.mark.spec("H8")
@virtual
async def test_an_engine_that_its_handler_brings_back_is_no_failure_any_more() -> None:
    ws, transport = engine(UP, UP, policy=Answering(Stop(), Retry(1.0)))

    async def persist(ws: ReconnectingWebSocket) -> None:
        try:
            await consume(ws)
        except ConnectionClosed:
            await pass_time(3)
            ws.connect()
            await consume(ws)

    async with Supervisor(deadline=5.0) as supervisor:
        supervisor.add(ws, persist, name="feed")
        await turns()
        transport.wires[0].end(KICKED)
        assert set(supervisor.failures) == {"feed"}
        await pass_time(60)
        assert supervisor.failures == {}
        assert supervisor.states() == {"feed": State.OPEN}


@pytest.mark.spec("H8")
@virtual
async def test_an_error_of_the_handler_after_its_engine_gave_up_is_told_too() -> None:
    ws, transport = engine(UP, policy=Answering(Stop()))

    async def stumble(ws: ReconnectingWebSocket) -> None:
        with contextlib.suppress(ConnectionClosed):
            await consume(ws)
        raise LookupError("while cleaning up")

    with capture_logs() as logs:
        async with Supervisor() as supervisor:
            supervisor.add(ws, stumble, name="feed")
            await turns()
            transport.wires[0].end(KICKED)
            await supervisor.wait()
    assert isinstance(supervisor.failures["feed"], ConnectionClosed)
    assert len([line for line in logs if line["event"] == "websocket.supervised_failed"]) == 2


async def cancelled_once(service: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.ensure_future(service())
    await pass_time(0.3)
    task.cancel()
    await asyncio.wait({task})


async def cancelled_twice(service: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.ensure_future(service())
    await pass_time(0.3)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})


async def cancelled_in_every_turn(service: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.ensure_future(service())
    await pass_time(0.3)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)


async def timed_out(service: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            await service()


async def in_a_scope(service: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with anyio.move_on_after(0.3):
        await service()


async def in_a_task_group(service: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(service)
        await pass_time(0.3)
        tasks.cancel_scope.cancel()


@pytest.mark.spec("A1", "H8", "J3")
@pytest.mark.parametrize(
    "leave",
    [
        cancelled_once,
        cancelled_twice,
        cancelled_in_every_turn,
        timed_out,
        in_a_scope,
        in_a_task_group,
    ],
)
@pytest.mark.parametrize("when", ["waiting", "draining", "adding"])
@pytest.mark.parametrize("plan", [UP, DEAF, HANGS, DOWN], ids=["up", "deaf", "hangs", "down"])
@virtual
async def test_however_it_is_cancelled_no_engine_is_left_without_an_owner(
    plan: Plan, when: str, leave: Any
) -> None:
    engines = many(3, plan, policy=Answering(Retry(50.0)))

    async def service() -> None:
        async with Supervisor(deadline=60.0) as supervisor:
            if when == "adding":
                await pass_time(0.3)  # the engines come in the turn in which it is cancelled
            for ws, _ in engines:
                supervisor.add(ws, waits_elsewhere)
            if when == "waiting":
                await supervisor.wait()

    await leave(service)
    await pass_time(1)
    assert all(ws.state is State.CLOSED for ws, _ in engines)
    assert all(not transport.live for _, transport in engines)
    assert others() == set()


class TestMisuse:
    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"code": 1006}, ValueError),
            ({"code": "1000"}, TypeError),
            ({"reason": "x" * 124}, ValueError),
            ({"deadline": "1"}, TypeError),
            ({"deadline": True}, TypeError),
            ({"deadline": -1}, ValueError),
            ({"deadline": float("inf")}, ValueError),
            ({"signals": [999]}, ValueError),
        ],
    )
    def test_nonsense_is_refused(self, options: dict[str, Any], error: type[Exception]) -> None:
        with pytest.raises(error):
            Supervisor(**options)

    @virtual
    async def test_add_needs_the_block(self) -> None:
        ws, _ = engine()
        supervisor = Supervisor()
        with pytest.raises(RuntimeError, match="inside"):
            supervisor.add(ws, consume)
        async with supervisor:
            supervisor.stop()
            with pytest.raises(RuntimeError, match="is stopping"):
                supervisor.add(ws, consume)
        with pytest.raises(RuntimeError, match="inside"):
            supervisor.add(ws, consume)
        with pytest.raises(RuntimeError, match="used once"):
            await supervisor.__aenter__()

    @virtual
    async def test_one_engine_one_name_one_handler(self) -> None:
        (one, _), (two, _) = many(2)
        async with Supervisor() as supervisor:
            with pytest.raises(TypeError, match="handler"):
                supervisor.add(one, None)  # type: ignore[arg-type] # the point of the test
            supervisor.add(one, consume, name="one")
            with pytest.raises(ValueError, match="supervised already"):
                supervisor.add(one, consume, name="two")
            with pytest.raises(ValueError, match="supervised already"):
                supervisor.add(two, consume, name="one")
