"""`ws.records()`: each message with its generation, its number and the time of its receipt."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recloser
from recloser import (
    Close,
    ConcurrentReceive,
    ConnectionClosed,
    MessageRecord,
    Opening,
    Outbox,
    Queries,
    Retry,
    State,
    Stop,
)
from recloser.testing import Plan, run
from tests.engine.rig import (
    CUT,
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


def facts(record: MessageRecord) -> tuple[str | bytes, int, int, float]:
    return record.data, record.generation, record.number, record.at


@pytest.mark.spec("C5.1")
@virtual
async def test_each_message_has_its_generation_its_number_and_its_time() -> None:
    ws, first, transport = await opened(UP, UP, policy=Answering(Retry(1.0)))
    records = ws.records()
    first.deliver("a")
    await pass_time(2.0)
    first.deliver(b"b")
    await pass_time(1.0)  # nobody has received yet: the time is that of the receipt
    assert facts(await anext(records)) == ("a", 1, 1, 0.0)
    assert facts(await anext(records)) == (b"b", 1, 2, 2.0)
    first.deliver("left over")
    first.end(CUT)
    await ws.wait_for(State.OPEN)
    transport.wires[1].deliver("c")
    await pass_time(1.0)
    assert facts(await anext(records)) == ("left over", 1, 3, 3.0)
    assert facts(await anext(records)) == ("c", 2, 1, 4.0)
    await ws.close()


@pytest.mark.spec("C5.1")
@virtual
async def test_a_consumer_that_waits_gets_the_record_at_once() -> None:
    ws, wire, _ = await opened(UP)
    waiting = asyncio.ensure_future(anext(ws.records()))
    await pass_time(7.0)
    wire.deliver("x")
    record = await waiting
    assert facts(record) == ("x", 1, 1, 7.0)
    assert record.wall > 1e9
    assert len(record) == 1
    wire.deliver("")
    empty = await anext(ws.records())
    assert (bool(empty), len(empty), empty.number) == (True, 0, 2)
    await ws.close()


@pytest.mark.spec("C5.2")
@virtual
async def test_who_does_not_ask_gets_the_data_and_pays_nothing() -> None:
    ws, wire, _ = await opened(UP)
    plain = wire.read
    wire.deliver("a")
    assert await ws.receive() == "a"
    assert wire.read is plain or wire.read == plain
    records = ws.records()
    assert wire.read != plain
    wire.deliver("b")
    wire.deliver('{"c": 1}')
    wire.deliver("d")
    wire.deliver("e")
    assert await ws.receive() == "b"
    assert await ws.receive_json() == {"c": 1}
    async for message in ws:
        assert message == "d"
        break
    assert (await anext(records)).data == "e"
    await ws.close()
    assert isinstance(await ended(ws.receive()), ConnectionClosed)
    assert [message async for message in ws] == []
    assert [record async for record in records] == []


@pytest.mark.spec("C5.3")
@virtual
async def test_what_had_arrived_before_the_first_call_is_recorded_then() -> None:
    ws, first, transport = await opened(UP, UP, UP, policy=Answering(Retry(1.0)))
    assert transport.wires == [first]
    for number in (1, 2, 3):
        wire = transport.wires[-1]
        wire.deliver(f"{number} a")
        wire.deliver(f"{number} b")
        if number < 3:
            wire.end(CUT)
            await ws.wait_for(State.OPEN)
    assert await ws.receive() == "1 a"
    await pass_time(5.0)
    records = ws.records()
    found = [facts(await anext(records)) for _ in range(5)]
    assert found == [
        ("1 b", 1, 1, 7.0),
        ("2 a", 2, 1, 7.0),
        ("2 b", 2, 2, 7.0),
        ("3 a", 3, 1, 7.0),
        ("3 b", 3, 2, 7.0),
    ]
    await ws.close()


@pytest.mark.spec("C5.3")
@virtual
async def test_what_arrived_while_on_open_ran_has_the_time_of_the_opening() -> None:
    async def greet(opening: Opening) -> None:
        assert await opening.receive() == "hello"
        await pass_time(3.0)
        opening.pass_on("hello")

    ws, _ = engine(Plan(messages=("hello", "early")), on_open=greet)
    records = ws.records()
    ws.connect()
    assert facts(await anext(records)) == ("hello", 1, 1, 3.0)
    assert facts(await anext(records)) == ("early", 1, 2, 3.0)
    await ws.close()


@pytest.mark.spec("C5.1", "G7.5")
@virtual
async def test_an_acknowledgement_that_nobody_gets_has_no_number() -> None:
    matcher = recloser.Acknowledgements(matcher=lambda said: 1 if said == "ack" else None)
    ws, wire, _ = await opened(UP, outbox=Outbox(acknowledgements=matcher))
    records = ws.records()
    for message in ("a", "ack", "b"):
        wire.deliver(message)
    assert [facts(await anext(records))[:3] for _ in range(2)] == [("a", 1, 1), ("b", 1, 2)]
    await ws.close()


@pytest.mark.spec("C5.1", "F7.6")
@virtual
async def test_a_message_that_gave_way_leaves_a_gap_in_the_numbers() -> None:
    ws, wire, _ = await opened(UP, receive_buffer=1000, when_full="drop-oldest")
    records = ws.records()
    for number in range(6):
        wire.deliver(str(number) * 300)
    await turns()
    assert [(await anext(records)).number for _ in range(2)] == [5, 6]
    await ws.close()
    assert ws.statistics().undelivered == 4


@pytest.mark.spec("C5.2", "G10.2", "G10.4")
@virtual
async def test_queries_go_on_as_before() -> None:
    ws, wire, _ = await opened(UP)
    ws.records()
    queries = Queries(ws, key=lambda message: message)
    asked = asyncio.ensure_future(queries.ask("q", "answer"))
    await turns()
    wire.deliver("other")
    wire.deliver("answer")
    assert await asked == "answer"
    assert await queries.receive() == "other"
    await ws.close()


@pytest.mark.spec("C5.1", "F8.2", "F8.1")
@virtual
async def test_two_consumers_are_one_too_many_and_a_cancelled_one_loses_nothing() -> None:
    ws, wire, _ = await opened(UP)
    records = ws.records()
    first = asyncio.ensure_future(anext(records))
    await turns()
    assert isinstance(await ended(anext(ws.records())), ConcurrentReceive)
    assert isinstance(await ended(ws.receive()), ConcurrentReceive)
    first.cancel()
    await asyncio.wait((first,))
    wire.deliver("x")
    assert (await anext(records)).data == "x"
    await ws.close()


@pytest.mark.spec("C5.1")
@virtual
async def test_a_policy_that_gives_up_ends_it_with_an_error() -> None:
    ws, wire, _ = await opened(UP, policy=Answering(Stop()))
    records = ws.records()
    wire.deliver("last")
    wire.end(Close.frame(4004))
    assert (await anext(records)).data == "last"
    error = await ended(anext(records))
    assert isinstance(error, ConnectionClosed)
    await ws.close()


@pytest.mark.spec("C5.1", "C3.2")
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(["deliver", "deliver", "take", "take plain", "cut", "wait", "ask"]),
        max_size=40,
    )
)
def test_whatever_happens_the_records_are_in_order_and_of_their_generation(
    moves: list[str],
) -> None:
    async def story() -> None:
        ws, _, transport = await opened(*[UP] * 50, policy=Answering(Retry(0.5)))
        records: Any = None
        sent: list[tuple[str, int]] = []
        got: list[tuple[str | bytes, int | None]] = []
        places: list[tuple[int, int]] = []
        for move in [*moves, "ask", *["take"] * len(moves)]:
            wire = transport.wires[-1]
            if move == "deliver" and not wire.over:
                wire.deliver(f"m{len(sent)}")
                sent.append((f"m{len(sent)}", len(transport.wires)))
            elif move == "cut":
                wire.end(CUT)
            elif move == "wait":
                await pass_time(0.3)
            elif move == "ask" and records is None:
                records = ws.records()
            elif move == "take plain" and len(got) < len(sent):
                got.append((await ws.receive(), None))
            elif move == "take" and records is not None and len(got) < len(sent):
                record = await anext(records)
                got.append((record.data, record.generation))
                places.append((record.generation, record.number))
                assert record.at <= now()
        assert [data for data, _ in got] == [data for data, _ in sent]
        assert all(of in (None, came) for (_, of), (_, came) in zip(got, sent, strict=True))
        assert places == sorted(set(places))
        await ws.close()

    run(story())


@pytest.mark.spec("C5.4")
@virtual
async def test_json_is_read_as_it_is_told() -> None:
    async def greet(opening: Opening) -> None:
        assert await opening.receive_json() == 1
        assert await opening.receive_json(loads=str.upper) == "HELLO"

    ws, wire, _ = await opened(Plan(messages=("1", "hello")), on_open=greet)
    wire.deliver('{"a": [1]}')
    wire.deliver(b"[2]")
    wire.deliver("7")
    wire.deliver("no json")
    assert await ws.receive_json() == {"a": [1]}
    assert await ws.receive_json() == [2]
    assert await ws.receive_json(loads=lambda text: f"read {text!r}") == "read '7'"
    assert isinstance(await ended(ws.receive_json()), ValueError)
    await ws.close()
    assert isinstance(await ended(ws.receive_json()), ConnectionClosed)
