"""Questions and answers: settled by the answer, the time-out or the end of the generation."""

import asyncio
import contextlib
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

import recloser
from recloser import (
    ConcurrentReceive,
    ConnectionClosed,
    Delivery,
    Hold,
    NotOpen,
    Outbox,
    Queries,
    Retry,
    State,
    Stop,
)
from recloser.testing import Plan, ScriptedWire, run
from tests.engine.rig import (
    CUT,
    KICKED,
    UP,
    Answering,
    ended,
    engine,
    now,
    opened,
    others,
    pass_time,
    turns,
    virtual,
)

Asked = asyncio.Task[BaseException | object]


def number(message: str | bytes) -> Any:
    return json.loads(message).get("id")


def text(identity: int | None = None, **more: object) -> str:
    return json.dumps(more if identity is None else {"id": identity, **more})


def asking(queries: Queries, identity: int, within: float = 10.0) -> Asked:
    async def ask() -> BaseException | object:
        return await ended(queries.ask(text(identity, q=1), identity, within=within))

    return asyncio.ensure_future(ask())


async def start(
    *plans: Plan, **options: Any
) -> tuple[recloser.ReconnectingWebSocket, ScriptedWire, Queries]:
    ws, wire, _ = await opened(*plans, **options)
    return ws, wire, Queries(ws, key=number)


@pytest.mark.spec("G10.2")
@virtual
async def test_answers_are_told_apart_while_nobody_consumes() -> None:
    ws, wire, queries = await start()
    one, two = asking(queries, 1), asking(queries, 2)
    await turns()
    assert wire.sent == [text(1, q=1), text(2, q=1)]
    wire.deliver(text(2, a="second"))
    wire.deliver(text(note="none"))
    wire.deliver(text(1, a="first"))
    assert await one == text(1, a="first")
    assert await two == text(2, a="second")
    assert await queries.receive() == text(note="none")
    assert others() == set()
    await ws.close()


@pytest.mark.spec("G10.2", "G10.3")
@virtual
async def test_a_consumer_gets_the_rest_in_order_and_may_ask_within_its_loop() -> None:
    ws, wire, queries = await start()
    seen: list[Any] = []

    async def consume() -> None:
        async for message in queries:
            value = json.loads(message)["n"]
            seen.append(value)
            if value == 2:
                seen.append(await queries.ask(text(7, q=1), 7))

    task = asyncio.ensure_future(consume())
    await turns()
    for value in (1, 2, 3):
        wire.deliver(text(n=value))
    await turns()
    assert seen == [1, 2]
    wire.deliver(text(n=4))
    wire.deliver(text(7, a=1))
    wire.deliver(text(n=5))
    await turns()
    assert seen == [1, 2, text(7, a=1), 3, 4, 5]
    await ws.close()
    await task


@pytest.mark.spec("A11.3", "G10.1")
@pytest.mark.parametrize(
    "end", ["lost", "held", "stopped", "close", "suspend", "reconnect", "consumed"]
)
@virtual
async def test_the_end_of_the_generation_settles_what_is_pending(end: str) -> None:
    policy = Answering({"held": Hold(), "stopped": Stop()}.get(end, Retry(5.0)))
    ws, wire, queries = await start(UP, UP, policy=policy)
    consumer = asyncio.ensure_future(ended(queries.receive())) if end == "consumed" else None
    await turns()
    pending = [asking(queries, each) for each in range(3)]
    await turns()
    if end in ("close", "suspend"):
        await getattr(ws, end)()
    elif end == "reconnect":
        ws.reconnect()
    else:
        wire.end(KICKED)
    for task in pending:
        assert isinstance(await task, ConnectionError)
    assert now() == 0
    await ws.close()
    if consumer is not None:
        assert isinstance(await consumer, ConnectionClosed)


@pytest.mark.spec("C2", "G10.1", "G10.2")
@virtual
async def test_an_answer_of_the_next_generation_is_none() -> None:
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(1.0)))
    queries = Queries(ws, key=number)
    first = asking(queries, 1)
    await turns()
    wire.end(CUT)
    assert isinstance(await first, ConnectionError)
    await pass_time(2)
    transport.wires[-1].deliver(text(1, a="late"))
    assert await queries.receive() == text(1, a="late")
    await ws.close()


@pytest.mark.spec("G10.2", "J1.1")
@virtual
async def test_a_time_out_leaves_nothing_and_the_late_answer_goes_to_the_consumer() -> None:
    ws, wire, queries = await start()
    assert isinstance(await asking(queries, 1, within=3.0), TimeoutError)
    assert now() == 3
    await turns()
    assert others() == set()
    wire.deliver(text(1, a="late"))
    assert await ws.receive() == text(1, a="late")  # nobody reads beside the application
    again = asking(queries, 1)
    await turns()
    wire.deliver(text(1, a=1))
    assert await again == text(1, a=1)
    await ws.close()


@virtual
async def test_a_query_that_comes_as_the_last_one_goes_is_read_for() -> None:
    ws, wire, queries = await start()
    first = asking(queries, 1)
    await turns()
    first.cancel()
    await asyncio.sleep(0)
    second = asking(queries, 2)
    await turns()
    wire.deliver(text(2, a=1))
    assert await second == text(2, a=1)
    await ws.close()


@virtual
async def test_a_cancelled_query_is_no_longer_pending() -> None:
    ws, wire, queries = await start()
    task = asyncio.ensure_future(queries.ask(text(1), 1))
    await turns()
    task.cancel()
    wire.deliver(text(1, a=1))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await queries.receive() == text(1, a=1)
    await ws.close()


@pytest.mark.spec("C3.3", "C3.8")
@pytest.mark.parametrize("unread", ["keep", "discard"])
@virtual
async def test_what_was_held_comes_before_the_next_connection_or_is_discarded(unread: str) -> None:
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(1.0)), unread=unread)
    queries = Queries(ws, key=number)
    task = asking(queries, 1)
    await turns()
    for value in (1, 2, 3):
        wire.deliver(text(n=value))
    await turns()
    wire.end(CUT)
    assert isinstance(await task, ConnectionError)
    assert await queries.receive() == text(n=1)
    await pass_time(2)
    assert ws.state is State.OPEN
    transport.wires[-1].deliver(text(n=4))
    kept = [] if unread == "discard" else [2, 3]
    assert queries.undelivered == 2 - len(kept)
    assert [await queries.receive() for _ in (*kept, 4)] == [text(n=n) for n in (*kept, 4)]
    await ws.close()


@pytest.mark.spec("A11.1", "C3.4")
@virtual
async def test_what_was_held_is_given_after_the_own_close() -> None:
    ws, wire, queries = await start()
    task = asking(queries, 1)
    await turns()
    wire.deliver(text(n=1))
    await turns()
    await ws.close()
    await task
    assert [message async for message in queries] == [text(n=1)]
    assert queries.undelivered == 0
    with pytest.raises(ConnectionClosed):
        await queries.receive()


@pytest.mark.spec("G10.4")
@pytest.mark.parametrize("attended", [False, True])
@virtual
async def test_a_message_of_an_earlier_generation_answers_no_query(*, attended: bool) -> None:
    ws, wire, transport = await opened(UP, UP, policy=Answering(Retry(1.0)))
    queries = Queries(ws, key=number)
    old, new = text(1, old=1), text(1, new=1)
    wire.deliver(old)
    await turns()
    wire.end(CUT)
    await pass_time(2)
    assert ws.state is State.OPEN
    task = asking(queries, 1)
    receiving = asyncio.ensure_future(queries.receive()) if attended else None
    await turns()
    transport.wires[-1].deliver(new)
    assert await task == new
    assert await (queries.receive() if receiving is None else receiving) == old
    await ws.close()


@virtual
async def test_the_backlog_is_bounded_and_reading_goes_on_when_it_is_taken() -> None:
    ws, wire, _ = await opened()
    queries = Queries(ws, key=number, backlog=2)
    task = asking(queries, 1)
    await turns()
    for value in (1, 2, 3):
        wire.deliver(text(n=value))
    wire.deliver(text(1, a=1))
    await turns()
    assert wire.unread == 2
    assert not task.done()
    assert [json.loads(await queries.receive())["n"] for _ in range(2)] == [1, 2]
    assert await task == text(1, a=1)
    assert await queries.receive() == text(n=3)
    await ws.close()


@pytest.mark.spec("F8.1", "F8.2")
@virtual
async def test_a_second_consumer_is_refused_and_a_cancelled_one_loses_nothing() -> None:
    ws, wire, queries = await start()
    first = asyncio.ensure_future(queries.receive())
    await turns()
    with pytest.raises(ConcurrentReceive):
        await queries.receive()
    first.cancel()
    await turns()
    task = asking(queries, 1)
    await turns()
    waiting = asyncio.ensure_future(queries.receive())  # behind the pump now
    await turns()
    with pytest.raises(ConcurrentReceive):
        await queries.receive()
    waiting.cancel()
    await turns()
    wire.deliver(text(n=1))
    wire.deliver(text(1, a=1))
    assert await task == text(1, a=1)
    assert await queries.receive() == text(n=1)
    await ws.close()


@virtual
async def test_receiving_beside_it_fails_the_queries_at_once() -> None:
    ws, _, queries = await start()
    beside = asyncio.ensure_future(ended(ws.receive()))
    await turns()
    assert isinstance(await asking(queries, 1), ConcurrentReceive)
    await ws.close()
    await beside


@pytest.mark.spec("G1.1")
@virtual
async def test_what_send_raises_comes_out() -> None:
    ws, wire, queries = await start(UP, UP, policy=Answering(Retry(50.0)))
    with pytest.raises(TypeError):
        await queries.ask(1, 1)  # type: ignore[arg-type] # the point of the test
    wire.end(CUT)
    with pytest.raises(NotOpen):
        await queries.ask(text(1), 1)
    await ws.close()
    with pytest.raises(NotOpen):
        await queries.ask(text(1), 1)


@pytest.mark.spec("J2.1")
@virtual
async def test_a_send_that_fails_with_the_connection_leaves_no_unseen_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(wire: ScriptedWire, _: object) -> None:
        wire.end(CUT)
        raise ConnectionResetError

    monkeypatch.setattr(ScriptedWire, "send", broken)
    ws, _, queries = await start(UP, UP, policy=Answering(Retry(50.0)))
    assert isinstance(await asking(queries, 1), ConnectionError)
    await ws.close()


@pytest.mark.spec("G10.1")
@virtual
async def test_a_query_that_waits_in_the_outbox_ends_with_the_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A flush that is stuck holds it up; it must not be sent to a peer that nobody asked."""
    send, stuck = ScriptedWire.send, asyncio.Event()

    async def blocked(wire: ScriptedWire, message: str | bytes, item: object = None) -> Delivery:
        if wire is transport.wires[0]:
            await stuck.wait()
        return await send(wire, message, item)

    monkeypatch.setattr(ScriptedWire, "send", blocked)
    ws, transport = engine(UP, UP, outbox=Outbox(), policy=Answering(Retry(5.0)))
    queries = Queries(ws, key=number)
    ws.connect()
    assert await ws.send("before it") is Delivery.QUEUED
    await ws.wait_for(State.OPEN)
    task = asking(queries, 1)
    await turns()
    transport.wires[0].end(CUT)
    assert isinstance(await task, ConnectionError)
    stuck.set()
    await pass_time(6)
    assert ws.state is State.OPEN
    assert text(1, q=1) not in transport.wires[1].sent
    await ws.close()


@virtual
async def test_a_key_that_is_pending_is_refused() -> None:
    ws, wire, queries = await start()
    first = asking(queries, 1)
    await turns()
    assert isinstance(await asking(queries, 1), ValueError)
    wire.deliver(text(1, a=1))
    assert await first == text(1, a=1)
    assert len(wire.sent) == 1
    await ws.close()


@pytest.mark.spec("I3.2")
@pytest.mark.parametrize("odd", ["no JSON", '{"id": []}'])
@virtual
async def test_a_message_that_the_key_cannot_read_goes_to_the_consumer(odd: str) -> None:
    ws, wire, queries = await start(fields={"user": 7})
    task = asking(queries, 1)
    await turns()
    with capture_logs() as logs:
        wire.deliver(odd)
        wire.deliver(text(1, a=1))
        await task
    assert [(line["event"], line["user"]) for line in logs] == [("websocket.listener_failed", 7)]
    assert await queries.receive() == odd
    await ws.close()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"key": None}, TypeError),
        ({"key": number, "backlog": "9"}, TypeError),
        ({"key": number, "backlog": True}, TypeError),
        ({"key": number, "backlog": 0}, ValueError),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    ws, _ = engine()
    with pytest.raises(error, match=r"key|backlog"):
        Queries(ws, **options)


@pytest.mark.parametrize(
    ("within", "error"),
    [("1", TypeError), (True, TypeError), (0, ValueError), (-1, ValueError)]
    + [(value, ValueError) for value in (float("nan"), float("inf"))],
)
@virtual
async def test_a_time_out_must_be_one(within: Any, error: type[Exception]) -> None:
    ws, wire, queries = await start()
    with pytest.raises(error, match="within"):
        await queries.ask(text(1), 1, within=within)
    assert wire.sent == []
    await ws.close()


@pytest.mark.spec("F8.1", "G10.2")
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.integers(0, 4)),
            st.tuples(st.just("answer"), st.integers(0, 4)),
            st.tuples(st.just("other"), st.integers(0, 0)),
            st.tuples(st.just("take"), st.integers(0, 0)),
            st.tuples(st.just("give up"), st.integers(0, 4)),
            st.tuples(st.just("pause"), st.integers(0, 3)),
        ),
        max_size=40,
    )
)
def test_every_message_goes_to_its_query_or_to_the_consumer_in_order(
    steps: list[tuple[str, int]],
) -> None:
    async def story() -> None:
        ws, wire, queries = await start()
        tasks: dict[int, Asked] = {}
        delivered: list[str] = []
        given_up: list[int] = []
        answered: list[object] = []
        taken: list[str | bytes] = []
        for serial, (what, value) in enumerate(steps):
            if what == "ask" and value not in tasks:
                tasks[value] = asking(queries, value, within=1000.0)
            elif what in ("answer", "other"):
                message = text(value if what == "answer" else None, serial=serial)
                delivered.append(message)
                wire.deliver(message)
            elif what == "take":
                try:
                    async with asyncio.timeout(0.1):
                        taken.append(await queries.receive())
                except TimeoutError:
                    await turns()
            elif what == "give up" and value in tasks:
                tasks.pop(value).cancel()
                given_up.append(value)
            else:
                await turns(value)
            for key, task in list(tasks.items()):
                if task.done():
                    answered.append(await tasks.pop(key))
        await turns()
        answered += [await task for task in tasks.values() if task.done()]
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.1):
                    taken.append(await queries.receive())
        assert len({*taken, *answered}) == len(taken) + len(answered)
        # Whoever gives up in the very moment of the answer is not given it, nor is anybody.
        missing = [message for message in delivered if message not in (*taken, *answered)]
        assert not Counter(map(number, missing)) - Counter(given_up)
        assert taken == [message for message in delivered if message in taken]
        await ws.close()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        await turns()
        assert others() == set()

    run(story())
