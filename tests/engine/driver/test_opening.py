"""`on_open`: runs on every open before anything else, and its failure is a failed dial."""

import asyncio
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from structlog.testing import capture_logs

from recloser import (
    Hold,
    Opening,
    OpeningFailed,
    RecloserError,
    Retry,
    State,
    StateChange,
    Unauthorized,
)
from recloser.fsm import Cause, Origin
from recloser.testing import Plan, VirtualTimeLoop
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


@pytest.mark.spec("G8.1")
@virtual
async def test_it_talks_before_the_state_is_open_on_every_open() -> None:
    states: list[tuple[int, State]] = []

    async def identify(opening: Opening) -> None:
        states.append((opening.generation, ws.state))
        assert opening.subprotocol is None
        await opening.send("hello")
        assert await opening.receive() == "who?"
        assert await opening.receive_json() == {"op": 10}
        await opening.send_json({"op": 2})
        await opening.send(b"\0")

    plan = Plan(messages=("who?", '{"op": 10}', "for the application"))
    ws, transport = engine(plan, plan, on_open=identify, policy=Answering(Retry(1.0)))
    for generation in (1, 2):
        ws.connect()
        await ws.wait_for(State.OPEN)
        await ws.send("later")
        assert transport.wires[-1].sent == ["hello", '{"op": 2}', b"\0", "later"]
        assert await ws.receive() == "for the application"
        assert states[-1] == (generation, State.CONNECTING)
        transport.wires[-1].end(CUT)
    await ws.close()


@pytest.mark.spec("G8.1")
@virtual
async def test_a_plain_function_serves() -> None:
    seen: list[Opening] = []
    ws, _, _ = await opened(on_open=seen.append)
    assert [each.generation for each in seen] == [1]
    await ws.close()


@pytest.mark.spec("G8.1", "G9.3")
@virtual
async def test_the_application_cannot_send_before_it_has_returned() -> None:
    free = asyncio.Event()

    async def wait(opening: Opening) -> None:
        await free.wait()
        await opening.send("first")

    ws, transport = engine(UP, on_open=wait)
    ws.connect()
    await turns()
    assert isinstance(await ended(ws.send("too soon")), RecloserError)
    free.set()
    await ws.wait_for(State.OPEN)
    await ws.send("second")
    assert transport.wires[0].sent == ["first", "second"]
    await ws.close()


@pytest.mark.spec("G8.2", "B3", "J2.1")
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ValueError("refused by the application"), Cause.HOOK),
        (TimeoutError(), Cause.HOOK),
        (Unauthorized("revoked"), Cause.REJECTED),
        (asyncio.CancelledError(), Cause.HOOK),
        (KeyError("op"), Cause.HOOK),
    ],
)
@virtual
async def test_its_failure_is_a_failed_dial(error: BaseException, cause: Cause, late: bool) -> None:
    async def fail(opening: Opening) -> None:
        if late:
            await asyncio.sleep(0)
        raise error

    policy = Answering(Retry(5.0))
    ws, transport = engine(Plan(messages=("a", "b")), on_open=fail, policy=policy)
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    assert now() == 0.0
    assert ws.last_close is not None
    assert (ws.last_close.cause, ws.last_close.origin) == (cause, Origin.ENGINE)
    assert ws.last_close.error is error
    assert error.__traceback__ is None
    code = 1008 if cause is Cause.REJECTED else 1011
    assert transport.wires[0].closed_with == (code, "")
    assert ws.last_close.sent_code == code
    assert transport.live == []
    assert len(policy.asked) == 1
    assert ws.statistics().undelivered == 2
    assert ws.statistics().opens == 0
    await ws.close()


@pytest.mark.spec("C3.1", "G8.3", "G8.4")
@pytest.mark.parametrize("plan", [UP, DEAF, Plan(echo_takes=0.2)], ids=["up", "deaf", "slow"])
@virtual
async def test_it_leaves_with_the_code_that_it_chose_and_does_not_wait_for_long(plan: Plan) -> None:
    def leave(opening: Opening) -> None:
        raise OpeningFailed(4001, "wrong room")

    live: list[int] = []
    ws, transport = engine(plan, UP, on_open=leave, policy=Answering(Retry(0.0), Hold()))
    ws.connect()
    while len(transport.wires) < 2:
        live.append(len(transport.live))
        await pass_time(0.05)
    await ws.wait_for(State.PASSIVE)
    first, second = transport.wires
    assert (first.closed_with, second.closed_with) == ((4001, "wrong room"),) * 2
    assert max(live) <= 1
    assert transport.live == []
    assert now() == pytest.approx({UP: 0.05, DEAF: 0.5}.get(plan, 0.2), abs=0.051)
    assert ws.last_close is not None
    assert (ws.last_close.sent_code, ws.last_close.cause) == (4001, Cause.HOOK)
    assert str(ws.last_close.error) == "on_open left with 4001: wrong room"
    await ws.close()


@pytest.mark.spec("G8.3")
@virtual
async def test_it_says_nothing_to_a_peer_that_has_gone() -> None:
    async def fail(opening: Opening) -> None:
        transport.wires[0].end(KICKED)
        raise OpeningFailed(4001)

    ws, transport = engine(UP, on_open=fail, policy=Answering(Hold()))
    ws.connect()
    await ws.wait_for(State.PASSIVE)
    assert transport.wires[0].closed_with is None
    assert ws.last_close is not None
    assert (ws.last_close.code, ws.last_close.sent_code) == (1012, None)
    await ws.close()


@pytest.mark.spec("A1", "G8.3")
@virtual
async def test_an_engine_that_is_closed_meanwhile_ends_at_once() -> None:
    def fail(opening: Opening) -> None:
        raise OpeningFailed(4001)

    ws, transport = engine(DEAF, on_open=fail, policy=Answering(Retry(5.0)))
    ws.connect()
    await turns()
    await ws.close()
    assert now() == 0.5
    assert transport.live == []


@pytest.mark.parametrize(("code", "error"), [(1005, ValueError), ("1000", TypeError)])
def test_a_code_that_no_close_frame_carries_is_refused(code: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        OpeningFailed(code)


@pytest.mark.spec("G8.5", "I8")
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("channel"), True),
        (AttributeError("no such thing"), True),
        (ValueError("token=hunter2hunter2"), True),
        (TimeoutError(), False),
        (ConnectionResetError(), False),
        (Unauthorized("revoked"), False),
        (OpeningFailed(4001), False),
    ],
)
@pytest.mark.parametrize("where", ["on_open", "url", "credentials"])
@virtual
async def test_a_bug_is_told_with_its_traceback(where: str, error: Exception, told: bool) -> None:
    def fail(*_: object) -> Any:
        raise error

    options: dict[str, Any] = {where: fail}
    ws, _ = engine(UP, policy=Answering(Hold()), **options)
    with capture_logs() as logs:
        ws.connect()
        await ws.wait_for(State.PASSIVE)
        await ws.close()
    event = "websocket.on_open_failed" if where == "on_open" else "websocket.provider_failed"
    lines = [line for line in logs if line["event"] == event]
    assert len(lines) == told
    for line in lines:
        assert "in fail" in line["exception"]
        assert type(error).__name__ in line["error"]
        assert "hunter2" not in repr(line)


@virtual
async def test_a_plain_function_that_raises() -> None:
    ws, _ = engine(UP, on_open=lambda opening: 1 / 0)
    ws.connect()
    await turns()
    assert ws.last_close is not None
    assert isinstance(ws.last_close.error, ZeroDivisionError)
    await ws.close()


@pytest.mark.spec("G8.2")
@virtual
async def test_it_may_cancel_itself_and_that_is_a_failure_too() -> None:
    async def cancel(opening: Opening) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    ws, _ = engine(UP, on_open=cancel)
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    assert now() == 0.0
    await ws.close()


@pytest.mark.spec("A7", "G8.2")
@pytest.mark.parametrize("waits", ["receives", "sends", "hangs"])
@virtual
async def test_the_wire_ends_while_it_runs(waits: str) -> None:
    results: list[Any] = []

    async def hook(opening: Opening) -> None:
        if waits == "receives":
            results.append(await ended(opening.receive()))
        elif waits == "hangs":
            results.append(await ended(asyncio.Event().wait()))
        else:
            await ended(opening.receive())
            results.append(await ended(opening.send("x")))

    policy = Answering(Retry(5.0))
    ws, transport = engine(UP, on_open=hook, policy=policy)
    ws.connect()
    await turns()
    transport.wires[0].end(KICKED)
    await turns()
    assert ws.state is State.BACKOFF
    assert ws.last_close == KICKED
    assert len(policy.asked) == 1
    expected = {"receives": RecloserError, "sends": RecloserError, "hangs": asyncio.CancelledError}
    assert isinstance(results[0], (expected[waits], asyncio.CancelledError))
    await ws.close()


@pytest.mark.spec("G8.1")
@virtual
async def test_what_came_before_the_wire_ended_is_received_first() -> None:
    got: list[Any] = []

    async def hook(opening: Opening) -> None:
        transport.wires[0].end(KICKED)
        got.extend([await ended(opening.receive()) for _ in range(3)])

    ws, transport = engine(Plan(messages=("a", "b")), on_open=hook)
    ws.connect()
    await turns()
    assert got[:2] == ["a", "b"]
    assert isinstance(got[2], RecloserError)
    assert "let the error out" in str(got[2])
    await ws.close()


@pytest.mark.spec("A5.1", "A6.1", "A1")
@pytest.mark.parametrize("leave", ["close", "suspend"])
@pytest.mark.parametrize("plan", [UP, DEAF])
@virtual
async def test_leaving_while_it_hangs_closes_the_socket_properly(plan: Plan, leave: str) -> None:
    cancelled = asyncio.Event()

    async def hang(opening: Opening) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    ws, transport = engine(plan, on_open=hang)
    ws.connect()
    await turns()
    await getattr(ws, leave)(4000, "no")
    wire = transport.wires[0]
    assert wire.closed_with == (4000, "no")
    assert cancelled.is_set()
    assert wire.aborted is (plan is DEAF)
    assert now() == (5.0 if plan is DEAF else 0.0)
    assert ws.state is (State.CLOSED if leave == "close" else State.PASSIVE)
    await ws.close()


@pytest.mark.spec("A1", "A5.1", "A6.1")
@pytest.mark.parametrize("how", ["returns", "raises"])
@virtual
async def test_a_hook_that_swallows_its_cancellation(how: str) -> None:
    async def stubborn(opening: Opening) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if how == "raises":
                raise ValueError("instead") from None

    ws, transport = engine(Plan(echo_takes=2.0), on_open=stubborn)
    ws.connect()
    await turns()
    await ws.close(4000, "no")
    assert ws.state is State.CLOSED
    assert transport.wires[0].closed_with == (4000, "no")
    assert now() == 2.0
    assert ws.last_close is not None
    assert (ws.last_close.code, ws.last_close.cause) == (4000, Cause.CLOSE_FRAME)


@pytest.mark.spec("A1", "A5.1", "A11.1")
@pytest.mark.parametrize("leave", ["close", "suspend"])
@virtual
async def test_it_may_itself_ask_for_the_end(leave: str) -> None:
    after: list[str] = []

    async def leave_again(opening: Opening) -> None:
        await getattr(ws, leave)(3003, "wrong shard")
        after.append("not reached: this task belongs to the dial")

    ws, transport = engine(UP, UP, on_open=leave_again)
    ws.connect()
    expected = State.CLOSED if leave == "close" else State.PASSIVE
    await ws.wait_for(expected)
    assert transport.wires[0].closed_with == (3003, "wrong shard")
    assert after == []
    await pass_time(1000)
    assert ws.state is expected
    assert len(transport.requests) == 1
    await ws.close()


@pytest.mark.spec("A11.8", "A4.1")
@virtual
async def test_a_hook_whose_clean_up_closes_the_engine_is_not_waited_for_by_itself() -> None:
    async def hook(opening: Opening) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await ws.close()

    ws, transport = engine(UP, on_open=hook)
    ws.connect()
    await turns()
    transport.wires[0].end(KICKED)
    await turns()
    assert ws.state is State.CLOSED
    assert now() == 0.0


@virtual
async def test_asking_to_connect_or_reconnect_inside_it_changes_nothing() -> None:
    async def hook(opening: Opening) -> None:
        ws.connect()
        ws.reconnect()
        ws.wake()

    ws, transport = engine(UP, on_open=hook)
    ws.connect()
    await turns()
    assert ws.state is State.OPEN
    assert len(transport.requests) == 1
    await ws.close()


@pytest.mark.spec("F8.2")
@virtual
async def test_two_receivers_inside_it() -> None:
    async def hook(opening: Opening) -> None:
        first = opening.scope.create_task(opening.receive())
        await asyncio.sleep(0)
        await opening.receive()
        first.cancel()

    ws, _ = engine(UP, on_open=hook)
    ws.connect()
    await turns()
    assert ws.last_close is not None
    assert "another task" in str(ws.last_close.error)
    await ws.close()


@virtual
async def test_the_changes_after_it_have_the_context_variables_of_who_caused_the_dial() -> None:
    who = ContextVar[str]("who")
    seen: list[tuple[State, str]] = []

    def hook(_: Opening) -> None:
        seen.append((State.CONNECTING, who.get()))
        who.set("hook")

    def observe(change: StateChange) -> None:
        seen.append((change.current, who.get()))

    ws, transport = engine(UP, UP, on_open=hook, observers=[observe], policy=Answering(Retry(5.0)))
    who.set("request")
    ws.connect()
    who.set("later")
    await pass_time(100.0)
    copy_context().run(transport.wires[-1].end, CUT)
    await pass_time(5.0)
    dial = [State.CONNECTING, State.CONNECTING, State.OPEN]
    assert seen == [
        *((state, "request") for state in dial),
        *((state, "later") for state in [State.BACKOFF, *dial]),
    ]
    await ws.close()


@pytest.mark.spec("G8.2")
@virtual
async def test_one_whose_task_is_cancelled_in_its_last_step_is_a_failed_dial() -> None:
    def hook(_: Opening) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    ws, transport = engine(UP, on_open=hook, policy=Answering(Retry(5.0)))
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.CANCELLED
    assert transport.live == []
    await ws.close()


@pytest.mark.spec("B3", "J2.1")
def test_an_exit_of_the_process_inside_it_is_the_end_of_the_dial() -> None:
    """The event loop raises it at once; the engine has a record when the loop goes on."""

    def leave(opening: Opening) -> None:
        raise SystemExit(3)

    ws, transport = engine(UP, on_open=leave)

    async def start() -> None:
        ws.connect()
        await turns()

    async def go_on() -> None:
        await turns()
        assert ws.state is State.BACKOFF
        assert ws.last_close is not None
        assert isinstance(ws.last_close.error, SystemExit)
        assert ws.last_close.error.__traceback__ is None
        assert transport.live == []
        await ws.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        with pytest.raises(SystemExit):
            runner.run(start())
        runner.run(go_on())
