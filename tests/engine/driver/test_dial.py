"""One dial at a time: time-outs, the gap of a wake, zombies, and transports that misbehave."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

import recloser
from recloser import Close, Retry, State, Timeouts
from recloser.fsm import Cause, Origin
from recloser.testing import Fault, Plan, ScriptedServer, ScriptedTransport, ScriptedWire
from recloser.transport import Request
from tests.engine.rig import (
    CUT,
    DOWN,
    HANGS,
    KICKED,
    REFUSED,
    UP,
    URL,
    Answering,
    Rig,
    engine,
    now,
    opened,
    pass_time,
    timers,
    turns,
    virtual,
)


class Odd(ScriptedTransport):
    """A scripted transport with one peculiarity at each dial."""

    def __init__(self, *plans: Plan, odd: Callable[["Odd", Callable[[Close], None]], Any]) -> None:
        super().__init__(plans)
        self.odd = odd

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> ScriptedWire:
        await self.odd(self, ended)
        return await super().dial(request, ended)


@pytest.mark.spec("F5", "A8")
@virtual
async def test_one_deadline_over_provider_dial_and_hook() -> None:
    async def url() -> str:
        await pass_time(4)
        return URL

    async def hook(opening: object) -> None:
        await pass_time(4)

    ws, transport = engine(Plan(takes=4.0), url=url, on_open=hook, timeouts=Timeouts(connect=10))
    ws.connect()
    await ws.wait_for(State.BACKOFF)
    assert now() == 10.0
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.CONNECT_TIMEOUT
    assert transport.wires[0].aborted
    await ws.close()


@pytest.mark.spec("C1", "C4")
@virtual
async def test_however_many_ask_there_is_one_dial() -> None:
    ws, transport = engine(DOWN, Plan(takes=1.0), policy=Answering(Retry(50.0)))
    for _ in range(10):
        ws.connect()
    await turns()
    for _ in range(10):
        ws.connect()
        ws.wake()
        ws.connect()
        ws.reconnect()
    await turns()
    assert ws.generation == 2
    assert transport.dialling == 1
    await ws.wait_for(State.OPEN)
    assert len(transport.requests) == 2
    await ws.close()


@pytest.mark.spec("A1", "D4.4", "D7.1")
@pytest.mark.parametrize("leave", ["close", "suspend"])
@virtual
async def test_leaving_in_the_pause_before_a_dial(leave: str) -> None:
    async with Rig("backoff") as rig:
        rig.ws.wake()
        await turns()
        assert len(timers()) == 2  # the pause, and the deadline of the dial
        await getattr(rig.ws, leave)()
        assert timers() == []
        await pass_time(100)
        assert len(rig.transport.requests) == 1


@pytest.mark.spec("D7.1", "D7.2", "A1")
@pytest.mark.parametrize("leave", ["close", "suspend"])
@virtual
async def test_a_backoff_is_one_timer_and_no_task_and_is_left_at_once(leave: str) -> None:
    async with Rig("backoff") as rig:
        assert len(timers()) == 1
        assert len(asyncio.all_tasks()) == 1
        await getattr(rig.ws, leave)()
        assert now() == 0.0
        assert timers() == []


@pytest.mark.spec("D7.4")
@pytest.mark.parametrize("days", [0.9, 1.4, 2.0, 30.0])
@virtual
async def test_a_delay_of_days_is_kept(days: float) -> None:
    ws, _ = engine(DOWN, UP, policy=Answering(Retry(days * 86_400)))
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert now() == days * 86_400
    await ws.close()


@pytest.mark.spec("C2", "C3.1")
@virtual
async def test_a_wire_that_ends_before_its_dial_returns() -> None:
    async def end_early(transport: Odd, ended: Callable[[Close], None]) -> None:
        if not transport.wires:
            ended(KICKED)
            await pass_time(1)

    ws, _ = engine(transport=Odd(UP, UP, odd=end_early), policy=Answering(Retry(5.0)))
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    assert ws.last_close == KICKED
    await pass_time(4)
    assert ws.generation == 1
    await ws.close()


@pytest.mark.spec("A1", "C1.1", "C2")
@pytest.mark.parametrize("again", [False, True])
@virtual
async def test_a_dial_that_refuses_cancellation_leaves_no_socket(again: bool) -> None:
    free = asyncio.Event()

    async def stubborn(transport: Odd, ended: Callable[[Close], None]) -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    scripted = Odd(UP, UP, odd=stubborn)
    ws, _ = engine(transport=scripted, on_open=None)
    ws.connect()
    await turns()
    await ws.close()
    assert ws.state is State.CLOSED
    assert now() == 5.0  # it was waited for, and named, and left
    if again:
        ws.connect()
        await turns()
    free.set()
    await turns()
    assert scripted.wires[0].aborted
    assert len(scripted.live) == (1 if again else 0)
    await ws.close()


@pytest.mark.spec("A5.1", "C1.1")
@virtual
async def test_a_dial_that_succeeds_although_it_was_cancelled() -> None:
    async def swallow(transport: Odd, ended: Callable[[Close], None]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    ran: list[object] = []
    transport = Odd(UP, odd=swallow)
    ws, _ = engine(transport=transport, on_open=ran.append)
    ws.connect()
    await turns()
    await ws.close()
    assert now() == 0.0
    assert ran == []
    assert [wire.aborted for wire in transport.wires] == [True]
    assert ws.last_close is not None
    assert ws.last_close.intentional


@pytest.mark.spec("C1.1")
@virtual
async def test_a_dial_that_an_eager_loop_runs_to_its_end_at_once() -> None:
    """As the eager tasks of Python 3.12: before the engine has the task there may be none."""

    def eagerly(loop: asyncio.AbstractEventLoop, dial: Any, **options: Any) -> Any:
        with suppress(StopIteration):
            while True:
                assert dial.send(None) is None
        return asyncio.Task(asyncio.sleep(0), loop=loop, **options)

    seen: list[State] = []
    ws, _ = engine(UP, observers=[lambda change: seen.append(change.current)])
    loop = asyncio.get_running_loop()
    loop.set_task_factory(eagerly)
    ws.connect()
    loop.set_task_factory(None)
    assert seen == [State.CONNECTING]
    await turns()
    assert seen == [State.CONNECTING, State.OPEN]
    await ws.close()


@pytest.mark.spec("B3", "E6")
@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), OSError(28, "no space"), asyncio.CancelledError()]
)
@virtual
async def test_a_transport_that_raises_what_it_should_not(error: BaseException) -> None:
    async def fail(transport: Odd, ended: Callable[[Close], None]) -> None:
        raise error

    policy = Answering(Retry(5.0))
    ws, _ = engine(transport=Odd(UP, odd=fail), policy=policy)
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    assert ws.last_close is not None
    assert (ws.last_close.origin, ws.last_close.cause) == (Origin.ENGINE, Cause.DIAL)
    assert ws.last_close.error is error
    assert len(policy.asked) == 1
    await ws.close()


class Unfreeable(ScriptedTransport):
    """Cannot release what it made."""

    def __init__(self, *plans: Plan, hangs: bool) -> None:
        super().__init__(plans)
        self.hangs = hangs

    async def aclose(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        raise OSError("cannot release")


@pytest.mark.spec("A4.1", "J2.1")
@pytest.mark.parametrize("hangs", [False, True])
@virtual
async def test_a_transport_that_cannot_be_released_is_logged_and_left(hangs: bool) -> None:
    ws, _ = engine(transport=Unfreeable(UP, UP, hangs=hangs))
    for _ in range(2):
        ws.connect()
        await ws.wait_for(State.OPEN)
        with capture_logs() as logs:
            await ws.close()
        failed = [log for log in logs if log["event"] == "websocket.release_failed"]
        assert len(failed) == 1
        assert failed[0]["log_level"] == "error"
        assert failed[0]["who"] == "transport"
    assert now() == (10.0 if hangs else 0.0)


@pytest.mark.spec("C3.1")
@virtual
async def test_the_old_wire_is_released_before_the_next_dial() -> None:
    free = asyncio.Event()
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(0.0)))

    async def slowly() -> None:
        await free.wait()

    wire.wait_closed = slowly  # type: ignore[method-assign]  # a socket that takes its time
    wire.end(CUT)
    await pass_time(3)
    assert ws.state is State.CONNECTING
    assert len(transport.requests) == 1
    free.set()
    await turns()
    assert ws.state is State.OPEN
    await ws.close()


@pytest.mark.spec("C3.1")
@pytest.mark.parametrize("end", ["close", "cut"])
async def test_a_socket_that_closes_at_once_is_released_without_a_task(end: str) -> None:
    loop = asyncio.get_running_loop()
    made: list[asyncio.Task[Any]] = []

    def make(loop: asyncio.AbstractEventLoop, coro: Any, **given: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=loop, **given)
        made.append(task)
        return task

    async with ScriptedServer([Fault(do=end)]) as server:
        loop.set_task_factory(make)
        ws = recloser.connect(server.url, policy=Answering(Retry(0.01)), governor=None)
        changes = ws.changes()
        ws.connect()
        opens = 0
        async for change in changes:
            opens += change.current is State.OPEN
            if opens == 2:
                break
        loop.set_task_factory(None)
        await ws.close()
    names = [each.get_name() for each in made]
    assert [each for each in names if each.startswith("recloser")] == [
        "recloser dial 1",
        "recloser dial 2",
    ]


@pytest.mark.spec("C3.1")
@virtual
@pytest.mark.parametrize("closed", [False, True])
async def test_a_wire_that_is_known_to_be_closed_is_not_waited_for(closed: bool) -> None:
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(1.0)))
    asked = []

    async def wait() -> None:
        asked.append(wire.closed)

    wire.wait_closed = wait  # type: ignore[method-assign]  # which tells that it was asked
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(wire), "closed", closed)
        wire.end(CUT)
        await turns()
        assert len(asyncio.all_tasks()) == 1
        assert asked == ([] if closed else [False])
        await ws.wait_for(State.OPEN)
    assert len(transport.requests) == 2
    await ws.close()


@pytest.mark.spec("B3")
@virtual
async def test_the_policy_is_asked_once_for_each_end_the_first_dial_included() -> None:
    policy = Answering(Retry(1.0))
    ws, transport = engine(DOWN, DOWN, UP, UP, policy=policy)
    ws.connect()
    await ws.wait_for(State.OPEN)
    transport.wires[-1].end(KICKED)
    await ws.wait_for(State.OPEN)
    await ws.close()
    assert [(close.code, close.status) for close, _ in policy.asked] == [
        (1006, 503),
        (1006, 503),
        (1012, None),
        (1000, None),
    ]
    assert policy.asked[0][0] == REFUSED
    assert [context.attempt for _, context in policy.asked] == [1, 2, 3, 3]


@virtual
async def test_a_hung_dial_can_be_followed_by_a_good_one() -> None:
    ws, _ = engine(HANGS, UP, policy=Answering(Retry(1.0)))
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert now() == 21.0
    await ws.close()
