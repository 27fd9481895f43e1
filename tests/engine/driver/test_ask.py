"""`Opening.ask`, `advise` and `credential`: an `on_open` that converses with its peer."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

import recloser
from recloser import (
    Acknowledgements,
    NotOpen,
    Opening,
    OpeningFailed,
    Outbox,
    RecloserError,
    Retry,
    State,
    Timeouts,
    Unauthorized,
    policies,
)
from recloser.credentials import Credentials, in_band
from recloser.fsm import Cause
from recloser.testing import Fault, Plan, ScriptedServer
from tests.engine.credentials.rig import Asked
from tests.engine.rig import KICKED, UP, Answering, ended, engine, now, opened, turns, virtual


def wanted(message: str | bytes) -> bool:
    return message == "yes"


GREETING = ("one", "two", "yes", "three", "yes")


@pytest.mark.spec("G8.7", "G8.6")
@pytest.mark.parametrize("outbox", [False, True])
@virtual
async def test_the_answer_comes_back_and_all_else_passes_on_in_order(*, outbox: bool) -> None:
    answers: list[str | bytes] = []

    async def ask(opening: Opening) -> None:
        answers.append(await opening.ask("subscribe", wanted))

    plan = Plan(messages=GREETING)
    ws, transport = engine(
        plan, plan, on_open=ask, outbox=Outbox() if outbox else None, policy=Answering(Retry(1.0))
    )
    for generation in (1, 2):
        ws.connect()
        await ws.wait_for(State.OPEN)
        assert transport.wires[-1].sent == ["subscribe"]
        assert [await ws.receive() for _ in range(4)] == ["one", "two", "three", "yes"]
        assert answers == ["yes"] * generation
        transport.wires[-1].end(KICKED)
    await ws.close()


@pytest.mark.spec("G8.7", "G7.5")
@virtual
async def test_an_acknowledgement_before_the_answer_is_heard() -> None:
    async def ask(opening: Opening) -> None:
        await opening.ask("subscribe", wanted)

    def acknowledged(message: Any) -> Any:
        return message.removeprefix("ack ") if message.startswith("ack ") else None

    options = Acknowledgements(matcher=acknowledged, numbered=False)
    ws, transport = engine(
        Plan(messages=("yes",)),
        Plan(messages=("event", "ack order", "yes")),
        on_open=ask,
        outbox=Outbox(acknowledgements=options),
        policy=Answering(Retry(1.0)),
    )
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.send("order", id="order")
    transport.wires[0].end(KICKED)
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()
    assert len(ws.outbox) == 0
    assert await ws.receive() == "event"
    await ws.close()


@pytest.mark.spec("G8.7")
@virtual
async def test_without_an_answer_it_raises_in_time_and_loses_nothing() -> None:
    raised: list[Any] = []

    async def ask(opening: Opening) -> None:
        raised.append(await ended(opening.ask("subscribe", wanted, within=2.5)))

    ws, _ = engine(Plan(messages=("one", "two")), on_open=ask)
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert now() == 2.5
    assert isinstance(raised[0], TimeoutError)
    assert str(raised[0]) == "no answer came in 2.5 s"
    assert [await ws.receive(), await ws.receive()] == ["one", "two"]
    await ws.close()


@pytest.mark.spec("G8.7", "G8.2", "G8.5")
@virtual
async def test_a_time_out_that_leaves_the_hook_is_its_failure_and_no_bug() -> None:
    async def ask(opening: Opening) -> None:
        await opening.ask("subscribe", wanted, within=2.5)

    ws, _ = engine(UP, on_open=ask, policy=policies.standard())
    changes: list[recloser.StateChange] = []
    ws.subscribe(changes.append)
    with capture_logs() as lines:
        ws.connect()
        await ws.wait_for(State.BACKOFF)
    assert (now(), changes[-1].rule) == (2.5, "hook-failed")
    assert ws.last_close is not None
    assert (ws.last_close.cause, ws.last_close.sent_code) == (Cause.HOOK, 1011)
    assert not [line for line in lines if line["event"] == "websocket.on_open_failed"]
    await ws.close()


@pytest.mark.spec("G8.7", "F5")
@virtual
async def test_the_deadline_of_the_dial_is_not_extended() -> None:
    async def ask(opening: Opening) -> None:
        await opening.ask("subscribe", wanted, within=60.0)

    ws, _ = engine(UP, on_open=ask, timeouts=Timeouts(connect=3.0))
    ws.connect()
    await ws.wait_for(State.BACKOFF)
    assert now() == 3.0
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.CONNECT_TIMEOUT
    await ws.close()


@pytest.mark.spec("G8.7")
@virtual
async def test_a_message_at_which_the_function_raises_passes_on() -> None:
    def picky(message: str | bytes) -> bool:
        if message == "two":
            raise ValueError("unreadable")
        return wanted(message)

    async def ask(opening: Opening) -> None:
        assert isinstance(await ended(opening.ask("subscribe", picky)), ValueError)
        assert await opening.ask("again", wanted) == "yes"

    ws, _ = engine(Plan(messages=GREETING), on_open=ask)
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert [await ws.receive() for _ in range(4)] == ["one", "two", "three", "yes"]
    await ws.close()


@pytest.mark.spec("G8.7")
@virtual
async def test_the_end_of_the_connection_ends_the_wait() -> None:
    raised: list[Any] = []

    async def ask(opening: Opening) -> None:
        raised.append(await ended(opening.ask("subscribe", wanted)))
        raise raised[0]

    ws, transport = engine(UP, on_open=ask)
    ws.connect()
    await turns()
    transport.wires[0].end(KICKED)
    await turns()
    assert isinstance(raised[0], RecloserError | asyncio.CancelledError)
    assert ws.last_close == KICKED
    assert (ws.state, now()) == (State.BACKOFF, 0.0)
    await ws.close()


async def coroutine(message: str | bytes) -> bool:
    return True


@pytest.mark.spec("G8.7")
@pytest.mark.parametrize(
    ("arguments", "within", "error"),
    [
        (("m", coroutine), 1.0, TypeError),
        (("m", lambda _: asyncio.sleep(0)), 1.0, TypeError),
        (("m", "yes"), 1.0, TypeError),
        (("m", wanted), 0, ValueError),
        (("m", wanted), float("nan"), ValueError),
        (("m", wanted), "1", TypeError),
        ((7, wanted), 1.0, TypeError),
    ],
)
@virtual
async def test_arguments_that_cannot_work_are_refused_and_lose_nothing(
    arguments: tuple[Any, Any], within: Any, error: type[Exception]
) -> None:
    async def ask(opening: Opening) -> None:
        with pytest.raises(error):
            await opening.ask(*arguments, within=within)

    ws, _ = engine(Plan(messages=("one",)), on_open=ask)
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert await ws.receive() == "one"
    await ws.close()


@pytest.mark.spec("G8.7")
@virtual
async def test_after_the_hook_it_is_refused() -> None:
    kept: list[Opening] = []
    ws, wire, _ = await opened(on_open=kept.append)
    with pytest.raises(RecloserError, match="on_open has returned: ask before it does"):
        await kept[0].ask("late", wanted)
    assert wire.sent == []
    await ws.close()


@pytest.mark.spec("G8.9", "B11")
@virtual
async def test_advice_reaches_the_policy_at_the_end_of_its_own_generation() -> None:
    kept: list[Opening] = []

    async def advise(opening: Opening) -> None:
        kept.append(opening)
        if opening.generation == 1:
            opening.advise("full", retry_after=7.0, spread=3.0)
            raise OpeningFailed(4000)

    policy = Answering(Retry(1.0))
    ws, transport = engine(UP, UP, on_open=advise, policy=policy)
    ws.connect()
    await ws.wait_for(State.OPEN)
    close = policy.asked[0][0]
    assert (close.advice, close.retry_after, close.spread) == ("full", 7.0, 3.0)
    kept[0].advise("of the first generation, which has ended")
    kept[1].advise("of the second")
    transport.wires[1].end(KICKED)
    assert policy.asked[1][0].advice == "of the second"
    with pytest.raises(TypeError, match="advice must be a str"):
        kept[1].advise(7)  # type: ignore[arg-type] # the point of the test
    with pytest.raises(ValueError, match="retry_after"):
        kept[1].advise("later", retry_after=-1.0)
    await ws.close()


@pytest.mark.spec("G8.8", "E1.4")
@pytest.mark.parametrize(
    ("credentials", "expected", "header"),
    [
        (None, None, None),
        ("a token", "a token", "Bearer a token"),
        (lambda: "a token", "a token", "Bearer a token"),
        (Credentials("a token", place=in_band()), "a token", None),
        ({"Authorization": "Hmac 1"}, {"Authorization": "Hmac 1"}, "Hmac 1"),
    ],
    ids=["none", "value", "function", "in-band", "headers"],
)
@virtual
async def test_the_credential_of_this_dial_can_be_read(
    credentials: Any, expected: object, header: str | None
) -> None:
    seen: list[object] = []
    ws, wire, _ = await opened(
        on_open=lambda opening: seen.append(opening.credential), credentials=credentials
    )
    assert seen == [expected]
    assert wire.request.headers.get("Authorization") == header
    assert "a token" not in repr(wire.request)
    await ws.close()


@pytest.mark.spec("E2.4")
@virtual
async def test_a_rejected_credential_is_replaced_once_and_at_once() -> None:
    async def sign_in(opening: Opening) -> None:
        assert isinstance(opening.credential, str)
        if await opening.ask(opening.credential, lambda _: True) != "welcome":
            raise Unauthorized("not accepted")

    spent, fine = Plan(messages=("who?",)), Plan(messages=("welcome", "hello"))
    provider = Asked()
    changes: list[recloser.StateChange] = []
    options: dict[str, Any] = {
        "on_open": sign_in,
        "credentials": Credentials(provider, place=in_band()),
        "policy": policies.standard(),
        "observers": [changes.append],
    }
    ws, transport = engine(spent, fine, **options)
    ws.connect()
    assert await ws.receive() == "hello"
    assert now() == 0.0
    assert [wire.sent for wire in transport.wires] == [["token-1"], ["token-2"]]
    assert transport.wires[0].closed_with == (1008, "")
    assert [change.rule for change in changes if change.rule] == ["rejected-refresh"]
    await ws.close()

    changes.clear()
    ws, transport = engine(spent, spent, fine, **options)
    ws.connect()
    await ws.wait_for(State.CLOSED)
    assert [change.rule for change in changes if change.rule] == ["rejected-refresh", "rejected"]
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.REJECTED
    assert len(transport.wires) == 2


@pytest.mark.spec("E2.3", "E3.3")
@pytest.mark.parametrize("make", [policies.standard, policies.basic])
@virtual
async def test_where_nobody_can_be_asked_a_rejection_stops(make: Any) -> None:
    def reject(opening: Opening) -> None:
        raise Unauthorized("not accepted")

    ws, transport = engine(UP, UP, on_open=reject, credentials="a token", policy=make())
    ws.connect()
    await ws.wait_for(State.CLOSED)
    assert len(transport.wires) == 1
    assert ws.last_close is not None
    assert str(ws.last_close.error) == "not accepted"


@pytest.mark.spec("E2.3")
async def test_a_peer_that_closes_behind_its_rejection_is_understood() -> None:
    """The rejection and the close frame are in one packet; the rejection decides."""

    def answers(message: str | bytes) -> bool:
        raise Unauthorized(str(message))

    async def sign_in(opening: Opening) -> None:
        await opening.ask("a token", answers)

    script = [Fault(do="close", code=1000, send=["auth_invalid"])]
    async with ScriptedServer(script) as server:
        ws = recloser.connect(server.url, on_open=sign_in, policy=policies.standard())
        ws.connect()
        await ws.wait_for(State.CLOSED)
    assert ws.last_close is not None
    assert (ws.last_close.cause, str(ws.last_close.error)) == (Cause.REJECTED, "auth_invalid")


@pytest.mark.spec("G9.3", "G8.1")
@virtual
async def test_the_engine_itself_is_not_open_yet_and_says_what_to_use() -> None:
    raised: list[Any] = []

    async def hook(opening: Opening) -> None:
        raised.append(await ended(ws.send("too soon")))

    ws, _ = engine(UP, on_open=hook)
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert isinstance(raised[0], NotOpen)
    assert "use opening.send() in on_open" in str(raised[0])
    await ws.close()
