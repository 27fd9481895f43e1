"""A supervisor that runs for months: handlers start again, engines come and go, nothing grows."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from structlog.testing import capture_logs

from recloser import (
    Close,
    ConnectionClosed,
    Context,
    Hold,
    ReconnectingWebSocket,
    Retry,
    State,
    Stop,
    Supervisor,
    policies,
)
from recloser.fsm import Cause, Phase
from recloser.policies import limit, stop
from tests.engine.rig import (
    DEAF,
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


class Handler:
    """Receives, and raises at each message."""

    def __init__(self) -> None:
        self.started: list[float] = []

    async def __call__(self, ws: ReconnectingWebSocket) -> None:
        self.started.append(now())
        async for message in ws:
            raise LookupError(message)


class Asked:
    """A policy that says Retry, and keeps the questions."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Close, Context]] = []

    def decide(self, close: Close, context: Context) -> Any:
        self.asked.append((close, context))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.spec("H7.6")
@virtual
async def test_a_handler_that_raises_runs_again_on_its_open_engine() -> None:
    ws, transport = engine(UP)
    handler, policy = Handler(), Asked(Retry(2.0), Retry(4.0))
    async with Supervisor(restart=policy) as supervisor:
        supervisor.add(ws, handler, name="feed")
        await turns()
        for second in (1.0, 3.0, 17.0):
            await pass_time(second - now())
            transport.wires[0].deliver(str(second))
            await turns()
            assert isinstance(supervisor.failures["feed"], LookupError)
            assert ws.state is State.OPEN
        await pass_time(5)
        assert supervisor.failures == {}
    assert handler.started == [0.0, 3.0, 7.0, 21.0]
    assert len(transport.wires) == 1
    facts = [(close.cause, x.phase, x.attempt, x.uptime) for close, x in policy.asked]
    assert facts == [
        (Cause.HOOK, Phase.OPEN, 1, 1.0),
        (Cause.HOOK, Phase.OPEN, 2, 0.0),
        (Cause.HOOK, Phase.OPEN, 1, 10.0),
    ]
    assert isinstance(policy.asked[0][0].error, LookupError)


@pytest.mark.spec("H7.6")
@virtual
async def test_the_policies_of_connections_serve_with_their_backoff_and_their_limits() -> None:
    ws, transport = engine(UP)
    handler = Handler()
    policy = limit(policies.standard(), attempts=3, then=stop())
    async with Supervisor(restart=policy) as supervisor:
        supervisor.add(ws, handler, name="feed")
        await turns()
        transport.wires[0].deliver("poison")
        for _ in range(3):
            transport.wires[0].deliver("poison")
        await supervisor.wait()
        assert isinstance(supervisor.failures["feed"], LookupError)
    gaps = [b - a for a, b in zip(handler.started, handler.started[1:], strict=False)]
    assert len(gaps) == 3
    assert all(1.0 <= gap <= 20.0 for gap in gaps)
    assert ws.state is State.CLOSED


@pytest.mark.spec("H7.6")
@pytest.mark.parametrize("answer", [Stop("enough"), Hold("rest"), ValueError("a bug"), "nonsense"])
@virtual
async def test_without_a_retry_the_handler_has_ended(answer: Any) -> None:
    ws, transport = engine(UP)
    handler = Handler()
    with capture_logs() as lines:
        async with Supervisor() as supervisor:
            supervisor.add(ws, handler, name="feed", restart=Asked(answer))
            await turns()
            transport.wires[0].deliver("x")
            await supervisor.wait()
            assert isinstance(supervisor.failures["feed"], LookupError)
    assert len(handler.started) == 1
    failed = [line for line in lines if line["event"] == "websocket.listener_failed"]
    assert len(failed) == (not isinstance(answer, Stop | Hold))
    assert len([line for line in lines if line["event"] == "websocket.supervised_failed"]) == 1


@pytest.mark.spec("H7.7", "H8")
@pytest.mark.parametrize("error", [LookupError("x"), TimeoutError("x")], ids=["bug", "time-out"])
@pytest.mark.parametrize("how", ["gives up", "is closed", "stops"])
@virtual
async def test_an_engine_that_ends_meanwhile_is_not_handled_again(
    how: str, error: Exception
) -> None:
    ws, transport = engine(UP, policy=Answering(Stop()))
    started: list[float] = []

    async def fail(ws: ReconnectingWebSocket) -> None:
        started.append(now())
        await ws.receive()
        raise error

    async with Supervisor(restart=Asked(Retry(50.0))) as supervisor:
        supervisor.add(ws, fail, name="feed")
        await turns()
        transport.wires[0].deliver("x")
        await pass_time(3)
        if how == "gives up":
            transport.wires[0].end(KICKED)
            await supervisor.wait()
        elif how == "is closed":
            await ws.close()
            await supervisor.wait()
        else:
            supervisor.stop()
    assert (started, now()) == ([0.0], 3.0)
    assert supervisor.failures["feed"] is error


@pytest.mark.spec("H7.7")
@virtual
async def test_the_decision_of_the_policy_of_the_connection_stands() -> None:
    ws, transport = engine(UP, policy=Answering(Stop()))
    handler, policy = Handler(), Asked(Retry(1.0))
    async with Supervisor(restart=policy) as supervisor:
        supervisor.add(ws, handler, name="feed")
        await turns()
        transport.wires[0].end(KICKED)
        await supervisor.wait()
        assert isinstance(supervisor.failures["feed"], ConnectionClosed)
    assert policy.asked == []


@pytest.mark.spec("H7.8")
@pytest.mark.parametrize("plan", [UP, DEAF])
@virtual
async def test_an_engine_is_replaced_by_name_and_the_others_go_on(plan: Any) -> None:
    (old, _), (other, _), (new, transport) = engine(plan), engine(UP), engine(UP)
    left: list[str] = []

    async def handle(ws: ReconnectingWebSocket) -> None:
        async for _ in ws:
            pass
        left.append("old" if ws is old else "other")

    async with Supervisor(deadline=2.0) as supervisor:
        supervisor.add(old, handle, name="feed")
        supervisor.add(other, handle, name="other")
        await turns()
        await supervisor.replace("feed", new, handle)
        assert now() <= 3.0
        await turns()
        assert (old.state, new.state, other.state) == (State.CLOSED, State.OPEN, State.OPEN)
        assert dict(supervisor.engines) == {"other": other, "feed": new}
        assert len(transport.wires) == 1
    assert left.count("old") == (plan is UP)


@pytest.mark.spec("H7.8", "H7.10")
@virtual
async def test_a_discarded_engine_is_gone_with_its_failure() -> None:
    ws, transport = engine(UP)
    failing, fails = engine(UP)
    async with Supervisor() as supervisor:
        supervisor.add(ws, Handler(), name="feed")
        supervisor.add(failing, Handler(), name="failed")
        await turns()
        fails.wires[0].deliver("x")
        await turns()
        assert set(supervisor.failures) == {"failed"}
        await supervisor.discard("failed")
        await supervisor.discard("feed")
        assert supervisor.states() == {}
        assert supervisor.failures == {}
        assert transport.wires[0].closed_with == (1000, "")


@pytest.mark.spec("H7.8")
@virtual
async def test_bad_arguments_change_nothing() -> None:
    (ws, _), (new, _) = engine(UP), engine(UP)
    async with Supervisor() as supervisor:
        supervisor.add(ws, Handler(), name="feed")
        await turns()
        for call, error in (
            (supervisor.discard("nobody"), ValueError),
            (supervisor.replace("nobody", new, Handler()), ValueError),
            (supervisor.replace("feed", ws, Handler()), ValueError),
            (supervisor.replace("feed", new, "handler"), TypeError),  # type: ignore[arg-type] # the point of the test
            (supervisor.replace("feed", new, Handler(), restart=1), TypeError),  # type: ignore[arg-type] # the same
        ):
            assert isinstance(await ended(call), error)
        assert supervisor.states() == {"feed": State.OPEN}
        assert new.state is State.CLOSED
    with pytest.raises(TypeError, match="restart must be an object"):
        Supervisor(restart=7)  # type: ignore[arg-type] # the point of the test
    with pytest.raises(TypeError, match="on_failure"):
        Supervisor(on_failure=Handler().__call__)  # type: ignore[arg-type] # a coroutine function


@pytest.mark.spec("H7.8")
@virtual
async def test_a_handler_does_not_wait_for_itself() -> None:
    ws, _ = engine(UP)
    raised: list[Any] = []

    async def handle(ws: ReconnectingWebSocket) -> None:
        raised.append(await ended(supervisor.discard("feed")))

    async with Supervisor() as supervisor:
        supervisor.add(ws, handle, name="feed")
        await supervisor.wait()
    assert isinstance(raised[0], RuntimeError)
    assert now() == 0.0


@pytest.mark.spec("H7.8", "J3")
@virtual
async def test_a_cancelled_discard_ends_the_engine_within_a_second() -> None:
    ws, _ = engine(DEAF)

    async def lingers(ws: ReconnectingWebSocket) -> None:
        await asyncio.Event().wait()

    async with Supervisor(deadline=60.0) as supervisor:
        supervisor.add(ws, lingers, name="feed")
        await turns()
        task = asyncio.ensure_future(supervisor.discard("feed"))
        await pass_time(1)
        task.cancel()
        await asyncio.wait({task})
        assert now() <= 2.0
        assert ws.state is State.CLOSED
        assert supervisor.states() == {}


@pytest.mark.spec("H7.9")
@pytest.mark.parametrize("fails", [False, True])
@virtual
async def test_each_failure_is_told_at_once(*, fails: bool) -> None:
    told: list[tuple[str, str]] = []

    def on_failure(name: str, error: Exception) -> None:
        told.append((name, type(error).__name__))
        if fails:
            raise ValueError("a bug of the callback")

    (ws, transport), (gone, goes) = engine(UP), engine(UP, policy=Answering(Stop()))
    with capture_logs() as lines:
        async with Supervisor(on_failure=on_failure, restart=Asked(Retry(5.0))) as supervisor:
            supervisor.add(ws, Handler(), name="feed")
            supervisor.add(gone, Handler(), name="gone")
            await turns()
            transport.wires[0].deliver("x")
            await turns()
            goes.wires[0].end(KICKED)
            await pass_time(6)
            transport.wires[0].deliver("x")
            await turns()
    names = [("feed", "LookupError"), ("gone", "ConnectionClosed"), ("feed", "LookupError")]
    assert told == names
    logged = [line for line in lines if line["event"] == "websocket.listener_failed"]
    assert len(logged) == 3 * fails


@pytest.mark.spec("H7.10", "J1.1")
@virtual
async def test_what_ended_is_let_go_of() -> None:
    gone: list[weakref.ref[ReconnectingWebSocket]] = []

    async def once(ws: ReconnectingWebSocket) -> None:
        if len(gone) % 2:
            raise LookupError

    async with Supervisor() as supervisor:
        for number in range(40):
            ws, _ = engine(UP)
            gone.append(weakref.ref(ws))
            supervisor.add(ws, once, name="again" if number % 4 else None)
            del ws
            await supervisor.wait()
        assert supervisor.states() == {}
        assert len(supervisor.failures) <= 11
        await turns()
        gc.collect()
        assert [each for each in gone if each() is not None] == []
        assert others() == set()


@pytest.mark.spec("H7.10")
@virtual
async def test_the_failures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recloser.supervisor._MOST_FAILURES", 3)

    async def fail(ws: ReconnectingWebSocket) -> None:
        raise LookupError

    async with Supervisor() as supervisor:
        for number in range(5):
            supervisor.add(engine(UP)[0], fail, name=str(number))
            await supervisor.wait()
        assert list(supervisor.failures) == ["2", "3", "4"]
