"""What is to be acknowledged is held until it is: window, time-out, redelivery and its mark."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

import recloser
from recloser import (
    Acknowledgements,
    Delivery,
    Drop,
    Outbox,
    OutboxFull,
    RecloserError,
    State,
    Stop,
)
from recloser.fsm import Unsent
from recloser.outbox import Message, Reason, UpTo
from recloser.testing import Plan, ScriptedTransport, ScriptedWire
from tests.engine.outbox.engines import ACKNOWLEDGED, data_of, in_backoff, in_memory, open_
from tests.engine.outbox.files import make, real, rows, settled
from tests.engine.rig import CUT, DOWN, UP, Answering, engine, opened, pass_time, turns, virtual

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED


def matcher(message: str | bytes) -> Any:
    """`ack 3`, `ack 3 4`, `upto 3`; ids are the numbers of messages, or words."""
    word, *ids = str(message).split()
    found = [int(each) if each.isdigit() else each for each in ids]
    match word:
        case "ack":
            return found[0] if len(found) == 1 else found
        case "upto":
            return UpTo(found[0])
    return None


def render(message: Message) -> str:
    parts = (str(message.id), "!" if message.redelivered else "", ":", str(message.data))
    return "".join(parts)


def outbox(on_drop: Callable[[Drop], object] | None = None, **options: Any) -> Outbox:
    options.setdefault("matcher", matcher)
    options.setdefault("render", render)
    return Outbox(acknowledgements=Acknowledgements(**options), on_drop=on_drop)


async def up(
    *plans: Plan, on_drop: Callable[[Drop], object] | None = None, **options: Any
) -> tuple[recloser.ReconnectingWebSocket, ScriptedWire, ScriptedTransport]:
    return await opened(*(plans or (UP, UP, UP)), outbox=outbox(on_drop, **options))


def shown(ws: recloser.ReconnectingWebSocket) -> list[tuple[Any, int]]:
    """Ids of what is held, and how often each was delivered."""
    return [(message.id, message.deliveries) for message in ws.outbox.peek()]


async def reopened(
    ws: recloser.ReconnectingWebSocket, transport: ScriptedTransport
) -> ScriptedWire:
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()
    return transport.wires[-1]


async def again(ws: recloser.ReconnectingWebSocket, transport: ScriptedTransport) -> ScriptedWire:
    """Cut the connection, and give the next one."""
    transport.wires[-1].end(CUT)
    return await reopened(ws, transport)


@pytest.mark.spec("G7.1")
@virtual
async def test_a_message_is_held_until_it_is_acknowledged() -> None:
    ws, wire, _ = await up()
    assert [await ws.send(each) for each in ("a", "b", "c")] == [SENT] * 3
    assert wire.sent == ["1:a", "2:b", "3:c"]
    assert shown(ws) == [(1, 1), (2, 1), (3, 1)]
    drained = asyncio.ensure_future(ws.drain())
    wire.deliver("ack 2")
    await turns()
    assert shown(ws) == [(1, 1), (3, 1)]
    assert (len(ws.outbox), ws.outbox.bytes) == (2, 2)
    assert not drained.done()
    wire.deliver("upto 3")
    await drained
    assert len(ws.outbox) == 0
    assert ws.statistics().acknowledged == 3
    await ws.close()


@pytest.mark.spec("G7.1")
@virtual
async def test_what_is_unacknowledged_and_what_waits_are_both_held() -> None:
    ws, wire, _ = await up(window=1)
    assert [await ws.send(each) for each in ("aaa", "bbb")] == [SENT, QUEUED]
    assert (len(ws.outbox), ws.outbox.bytes) == (2, 6)
    wire.deliver("ack 1")
    await turns()
    assert (len(ws.outbox), ws.outbox.bytes) == (1, 3)
    await ws.close()


@pytest.mark.spec("G7.2", "G3.1")
@virtual
async def test_what_is_not_acknowledged_goes_out_again_first_and_says_so() -> None:
    ws, wire, transport = await up()
    for each in ("a", "b", "c"):
        await ws.send(each)
    wire.deliver("ack 2")
    await turns()
    wire.end(CUT)
    assert await ws.send("d") is QUEUED
    assert shown(ws) == [(1, 1), (3, 1), (4, 0)]
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()
    assert transport.wires[-1].sent == ["1!:a", "3!:c", "4:d"]
    assert shown(ws) == [(1, 2), (3, 2), (4, 1)]
    assert ws.statistics().resent == 2
    await ws.send("e")
    assert transport.wires[-1].sent[-1] == "5:e"
    await ws.close()
    assert shown(ws) == [(1, 2), (3, 2), (4, 1), (5, 1)]


@pytest.mark.spec("G7.1")
@virtual
async def test_several_ids_of_one_message_mean_these_and_not_those_before_them() -> None:
    ws, wire, _ = await up()
    for each in "abcd":
        await ws.send(each)
    wire.deliver("ack 2 4")
    await turns()
    assert shown(ws) == [(1, 1), (3, 1)]
    await ws.close()


@pytest.mark.spec("G7.3")
@virtual
async def test_the_window_bounds_what_is_on_its_way() -> None:
    ws, wire, _ = await up(window=2)
    assert [await ws.send(each) for each in "abcd"] == [SENT, SENT, QUEUED, QUEUED]
    assert wire.sent == ["1:a", "2:b"]
    wire.deliver("ack 1")
    await turns()
    assert wire.sent[2:] == ["3:c"]
    wire.deliver("upto 3")
    await turns()
    assert wire.sent[3:] == ["4:d"]
    assert await ws.send("e") is SENT
    assert await ws.send("f") is QUEUED
    wire.deliver("upto 5")
    await turns()
    assert wire.sent[4:] == ["5:e", "6:f"]
    wire.deliver("ack 6")
    await ws.drain()
    await ws.close()


@pytest.mark.spec("G7.4")
@virtual
async def test_what_is_overdue_goes_out_again_on_the_same_connection() -> None:
    ws, wire, _ = await up(timeout=10.0)
    await ws.send("a")
    await pass_time(6)
    await ws.send("b")
    with structlog.testing.capture_logs() as lines:
        await pass_time(5)
    assert [(line["event"], line["count"]) for line in lines] == [
        ("websocket.messages_unacknowledged", 1)
    ]
    assert wire.sent == ["1:a", "2:b", "1!:a"]
    wire.deliver("ack 2")
    await pass_time(6)
    assert wire.sent == ["1:a", "2:b", "1!:a"]  # 2 was acknowledged in time
    await pass_time(4.5)
    assert wire.sent[3:] == ["1!:a"]
    assert shown(ws) == [(1, 3)]
    await ws.close()


@pytest.mark.spec("G7.4")
@pytest.mark.parametrize("seconds", [0.1, 1 / 3, 7.3, 1e-3])
@virtual
async def test_the_timer_of_an_overdue_message_rings_once_a_timeout(seconds: float) -> None:
    ws, wire, _ = await up(timeout=seconds, render=None)
    await ws.send("a")
    await pass_time(seconds * 10.5)
    assert 10 <= len(wire.sent) <= 11
    await ws.close()


@pytest.mark.spec("G7.1", "G7.4", "G2.3")
@virtual
async def test_a_message_that_is_never_acknowledged_is_given_up_if_so_asked() -> None:
    drops: list[Drop] = []
    ws, wire, transport = await up(max_deliveries=2, timeout=10.0, on_drop=drops.append)
    await ws.send("poison")
    await pass_time(10.5)
    assert wire.sent == ["1:poison", "1!:poison"]
    await ws.send("b")
    wire = await again(ws, transport)
    assert wire.sent == ["2!:b"]
    assert [(drop.message.id, drop.reason) for drop in drops] == [(1, Reason.UNACKNOWLEDGED)]
    assert ws.statistics().dropped == 1
    assert await ws.send("mine", id=1) is SENT  # the id is free again
    await ws.close()


@pytest.mark.spec("G7.4", "G2.4")
@virtual
async def test_what_is_overdue_does_not_come_behind_what_has_replaced_it() -> None:
    drops: list[Drop] = []
    ws, wire, _ = await up(timeout=10.0, on_drop=drops.append)
    await ws.send("price 1", key="price")
    await ws.send("other", key="other")
    await pass_time(5)
    await ws.send("price 2", key="price")
    await pass_time(6)
    assert wire.sent == ["1:price 1", "2:other", "3:price 2", "2!:other"]
    assert [(drop.message.id, drop.reason) for drop in drops] == [(1, Reason.REPLACED)]
    await pass_time(5)
    assert wire.sent[4:] == ["3!:price 2"]
    await ws.close()


@pytest.mark.spec("G1.1", "G7.1")
@virtual
async def test_json_takes_the_options_of_a_message() -> None:
    ws, wire, transport = await up(numbered=False)
    wire.end(CUT)
    await ws.send_json([1], key="k")
    await ws.send_json([2], key="k", id="mine")
    await ws.send_json([3], ttl=0.0)
    assert (await reopened(ws, transport)).sent == ["mine:[2]"]
    await ws.close()


@pytest.mark.spec("G7.1", "G7.6")
@virtual
async def test_ids_of_ones_own() -> None:
    ws, wire, _ = await up(numbered=False)
    assert await ws.send("a", id="x") is SENT
    assert await ws.send("b") is SENT  # nobody waits for it
    assert await ws.send("c", id="y") is SENT
    assert wire.sent == ["x:a", "b", "y:c"]
    with pytest.raises(ValueError, match="id 'x' is held: choose another"):
        await ws.send("d", id="x")
    assert shown(ws) == [("x", 1), ("y", 1)]
    assert ws.outbox.ack("x") == 1
    assert ws.outbox.ack("x") == ws.outbox.ack("never") == 0
    assert await ws.send("d", id="x") is SENT
    assert ws.outbox.ack("x", up_to=True) == 2
    assert len(ws.outbox) == 0
    await ws.close()


@pytest.mark.parametrize("identity", [1.5, True, ("a",), [1]])
@virtual
async def test_an_id_is_text_a_number_or_bytes(identity: Any) -> None:
    ws, wire, _ = await up()
    with pytest.raises(TypeError, match="id must be a str, an int or bytes"):
        await ws.send("a", id=identity)
    with pytest.raises(ValueError, match="eight bytes"):
        await ws.send("a", id=2**63)
    with pytest.raises(UnicodeEncodeError):
        await ws.send("a", id="\ud800")
    assert wire.sent == []
    assert await ws.send("a") is SENT
    assert shown(ws) == [(1, 1)]
    await ws.close()


@pytest.mark.spec("G7.1", "G7.2")
@virtual
async def test_an_acknowledgement_that_comes_after_the_end_counts() -> None:
    ws, wire, transport = await up(matcher=None)
    await ws.send("a")
    await ws.send("b")
    wire.end(CUT)
    await ws.send("c")
    assert ws.outbox.ack(1) == 1  # the application had read it before
    assert ws.outbox.ack(3) == 0  # it was never sent: the peer is mistaken
    assert ws.outbox.ack(3, up_to=True) == 0
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()
    assert transport.wires[-1].sent == ["2!:b", "3:c"]
    await ws.close()


@pytest.mark.spec("G7.5")
@virtual
async def test_the_matcher_keeps_acknowledgements_from_the_consumer_unless_told() -> None:
    ws, wire, _ = await up()
    await ws.send("a")
    wire.deliver("ack 1")
    wire.deliver("news")
    assert await ws.receive() == "news"
    assert len(ws.outbox) == 0
    await ws.close()
    ws, wire, _ = await up(pass_on=True)
    await ws.send("a")
    wire.deliver("ack 1")
    assert await ws.receive() == "ack 1"
    assert len(ws.outbox) == 0
    await ws.close()


@pytest.mark.spec("I3.2")
@virtual
async def test_a_matcher_that_fails_harms_nobody() -> None:
    def fails(message: str | bytes) -> Any:
        return json.loads(message)["ack"]

    ws, wire, _ = await up(matcher=fails)
    await ws.send("a")
    with structlog.testing.capture_logs() as lines:
        wire.deliver("no JSON")
        wire.deliver('{"ack": 1.5}')
    assert [line["event"] for line in lines] == ["websocket.listener_failed"] * 2
    assert await ws.receive() == "no JSON"
    assert await ws.receive() == '{"ack": 1.5}'
    assert shown(ws) == [(1, 1)]
    wire.deliver('{"ack": {"1": 1}}')
    assert await ws.receive() == '{"ack": {"1": 1}}'
    wire.deliver('{"ack": [1]}')
    await turns()
    assert len(ws.outbox) == 0
    await ws.close()


@pytest.mark.spec("G1.1", "G2.3")
@virtual
async def test_a_message_that_cannot_be_rendered_is_refused_or_reported() -> None:
    def picky(message: Message) -> Any:
        if message.data == "number":
            return 5
        return json.dumps({"id": message.id, "body": json.loads(message.data)})

    drops: list[Drop] = []
    ws, wire, transport = await up(render=picky, on_drop=drops.append)
    with pytest.raises(json.JSONDecodeError):
        await ws.send("no JSON")
    with pytest.raises(TypeError, match="render must give str or bytes, not int"):
        await ws.send("number")
    assert (len(ws.outbox), drops) == (0, [])
    await ws.send("1")
    wire.end(CUT)
    for each in ("no JSON", "2", "number", "3"):
        assert await ws.send(each) is QUEUED
    wire = await reopened(ws, transport)
    assert [json.loads(each)["body"] for each in wire.sent] == [1, 2, 3]
    assert [(drop.message.data, drop.reason) for drop in drops] == [
        ("no JSON", Reason.UNRENDERED),
        ("number", Reason.UNRENDERED),
    ]
    assert [drop.message.deliveries for drop in drops] == [0, 0]
    await ws.close()


@pytest.mark.spec("G5.1")
@virtual
async def test_what_was_refused_for_its_content_is_not_sent_again() -> None:
    drops: list[Drop] = []
    options = outbox(drops.append)
    ws, transport = engine(UP, UP, outbox=options, policy=Answering(Stop(unsent=Unsent.DROP)))
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.send("a")
    transport.wires[-1].end(CUT)
    assert [(drop.message.data, drop.reason) for drop in drops] == [("a", Reason.DECISION)]
    assert len(ws.outbox) == 0
    await ws.close()


@pytest.mark.spec("G4.2", "G4.3", "I1.1")
@virtual
async def test_a_message_in_the_write_buffer_is_counted_once() -> None:
    ws, wire, transport = await up()
    changes: list[recloser.StateChange] = []
    ws.subscribe(changes.append)
    await ws.send("a")
    wire.stall()
    sending = asyncio.ensure_future(ws.send("b"))
    await turns()
    assert shown(ws) == [(1, 1), (2, 1)]
    wire.end(CUT)
    assert await sending is QUEUED
    assert [change.unsent for change in changes] == [2]
    assert (await reopened(ws, transport)).sent == ["1!:a", "2!:b"]
    await ws.close()


@pytest.mark.spec("G1.2")
@virtual
async def test_what_is_taken_out_does_not_come_back_with_the_end_of_the_wire() -> None:
    ws, wire, transport = await up()
    wire.stall()
    sending = asyncio.ensure_future(ws.send("a"))
    await turns()
    assert [message.data for message in ws.outbox.clear()] == ["a"]
    wire = await again(ws, transport)
    await sending
    assert wire.sent == []
    assert shown(ws) == []
    await ws.close()


@pytest.mark.spec("G1.2", "G7.7")
@virtual
async def test_messages_move_with_their_ids_but_not_with_their_numbers() -> None:
    ws, _, _ = await up()
    other, wire, _ = await up()
    await other.send("first")
    await ws.send("a")
    await ws.send("b", id="mine")
    assert ws.outbox.move_to(other) == 2
    assert shown(ws) == []
    await turns()
    assert shown(other) == [(1, 1), (2, 2), ("mine", 2)]
    assert wire.sent == ["1:first", "2!:a", "mine!:b"]  # the peer may have them already
    assert other.outbox.ack("mine") == 1
    plain, wire, _ = await opened(outbox=Outbox())
    assert other.outbox.move_to(plain) == 2
    await turns()
    assert wire.sent == ["first", "a"]
    for each in (ws, other, plain):
        await each.close()


@pytest.mark.spec("G7.1", "G7.2", "G2.4")
@virtual
async def test_a_message_of_one_generation_ends_with_it_acknowledged_or_not() -> None:
    drops: list[Drop] = []
    ws, _, transport = await up(on_drop=drops.append)
    await ws.send("answer", this_generation=True)
    await ws.send("a")
    wire = await again(ws, transport)
    assert wire.sent == ["2!:a"]
    assert [(drop.message.id, drop.reason) for drop in drops] == [(1, Reason.GENERATION)]
    await ws.close()


@pytest.mark.spec("G7.1")
@virtual
async def test_without_acknowledgements_an_id_is_an_error_and_so_is_an_acknowledgement() -> None:
    for options in ({}, {"outbox": Outbox()}):
        ws, wire, _ = await opened(UP, **options)
        with pytest.raises(RecloserError, match=r"Outbox\(acknowledgements="):
            await ws.send("a", id="x")
        assert wire.sent == []
        if options:
            with pytest.raises(RecloserError, match=r"give Outbox\(acknowledgements="):
                ws.outbox.ack("x")
        await ws.close()


@pytest.mark.spec("G3.1", "G7.2")
@virtual
async def test_order_survives_time_outs_while_the_peer_reads_nothing() -> None:
    """Each time-out put its messages ahead of those of the one before."""
    ws, transport = in_memory(UP, UP, acknowledgements=Acknowledgements(timeout=30.0))
    await open_(ws)
    wire = transport.wires[0]
    for word in ("a", "b"):
        await ws.send(word)
        await pass_time(10)
    wire.stall()
    sending = asyncio.ensure_future(ws.send("c"))
    await pass_time(35)  # "a" at 30 s goes out, and is stuck; "b" at 40 s and "c" at 50 s wait
    wire.end(CUT)
    await sending
    await open_(ws)
    assert transport.wires[1].sent == ["a", "b", "c"]
    await ws.close()


@pytest.mark.spec("G7.4")
@virtual
async def test_what_has_not_left_the_process_is_not_overdue() -> None:
    """A large message on a slow line would go out again behind itself, each time-out anew."""
    ws, transport = in_memory(UP, acknowledgements=Acknowledgements(timeout=30.0))
    await open_(ws)
    wire = transport.wires[0]
    wire.stall()
    sending = asyncio.ensure_future(ws.send("a"))
    await pass_time(200)
    wire.flow()
    assert await sending is SENT
    await pass_time(5)
    assert wire.sent == ["a"]
    await pass_time(30)
    assert wire.sent == ["a", "a"]  # now it has left, and nobody said that it had come
    await ws.close()


@pytest.mark.spec("G1.1", "G7.6")
@virtual
async def test_the_id_of_a_message_that_was_refused_is_free() -> None:
    """Too large for an outbox, and the connection that would have taken it had just ended."""
    ws, transport = in_memory(UP, UP, acknowledgements=ACKNOWLEDGED, max_bytes=5)
    await open_(ws)
    wire = transport.wires[0]
    wire.closed_with = (1000, "")  # it takes nothing more, and its end is not told yet
    with pytest.raises(OutboxFull):
        await ws.send("too long", id="x")
    assert ws.outbox.ack("x") == 0
    wire.end(CUT)
    await open_(ws)
    await ws.send("short", id="x")
    assert ws.outbox.ack("x") == 1
    await ws.close()


@pytest.mark.spec("G7.6")
@virtual
async def test_an_id_that_is_a_number_blocks_nobody_who_gives_none() -> None:
    ws, transport = in_memory(UP, acknowledgements=ACKNOWLEDGED)
    await open_(ws)
    await ws.send("mine", id=2)
    await ws.send("a")
    await ws.send("b")
    assert transport.wires[0].sent == ["mine", "a", "b"]
    assert [message.id for message in ws.outbox.peek()] == [2, 3, 4]
    await ws.close()


@pytest.mark.spec("G7.1")
@virtual
async def test_all_up_to_a_message_that_was_dropped_since_it_was_sent() -> None:
    """The peer goes on naming the last that it got; nothing else would ever settle those before."""
    ws, _ = in_memory(UP, acknowledgements=Acknowledgements(timeout=30.0))
    await open_(ws)
    await ws.send("a")
    await ws.send("b", ttl=5)
    await pass_time(31)
    assert data_of(ws) == ["a"]
    assert ws.outbox.ack(3, up_to=True) == 0  # never sent
    assert ws.outbox.ack(2, up_to=True) == 1
    assert data_of(ws) == []
    await ws.close()


@pytest.mark.spec("G7.5", "I3.2")
@virtual
async def test_a_matcher_that_answers_yes_or_no_is_told_so_and_swallows_nothing() -> None:
    """True is 1 to a dict: it acknowledged the first message, and False kept all others back."""
    acknowledgements = Acknowledgements(matcher=lambda message: message == "yes")
    ws, transport = in_memory(UP, acknowledgements=acknowledgements)
    await open_(ws)
    await ws.send("a")
    with structlog.testing.capture_logs() as lines:
        transport.wires[0].deliver("yes")
        transport.wires[0].deliver("no")
    assert ["not True" in str(line["error"]) for line in lines] == [True, False]
    assert len(ws.outbox) == 1
    assert [await ws.receive(), await ws.receive()] == ["yes", "no"]
    await ws.close()


@pytest.mark.spec("G7.8")
@pytest.mark.parametrize("call", ["ack", "clear", "move_to"])
@virtual
async def test_a_call_from_another_thread_is_refused_and_harms_nothing(call: str) -> None:
    """An acknowledgement from a thread marked a flush as under way that could not be started."""
    ws, transport = in_memory(UP, acknowledgements=Acknowledgements(window=1))
    other, _ = in_memory(DOWN)
    await open_(ws)
    await in_backoff(other)
    await ws.send("a")
    await ws.send("b")
    given = {"ack": (1,), "move_to": (other,)}.get(call, ())
    outcomes: list[Any] = []

    def elsewhere() -> None:
        try:
            outcomes.append(getattr(ws.outbox, call)(*given))
        except recloser.WrongLoop as error:
            outcomes.append(error)

    def called() -> Any:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return outcomes[-1]

    assert isinstance(called(), recloser.WrongLoop)
    assert ws.outbox.ack(1) == 1
    await turns()
    assert transport.wires[0].sent == ["a", "b"]
    await ws.close()
    await other.close()
    if call != "move_to":  # into a closed engine nothing moves
        assert not isinstance(called(), recloser.WrongLoop)  # nobody is at work there


# -- what need not wait for the window ----------------------------------------------------


@pytest.mark.spec("G3.4", "G7.2")
@virtual
async def test_an_answer_does_not_wait_behind_calls_that_wait_for_their_window() -> None:
    ws, wire, transport = await up(window=1, numbered=False, render=None)
    assert [await ws.send(each, id=each) for each in ("call 1", "call 2")] == [SENT, QUEUED]
    assert await ws.send("answer 1", this_generation=True) is SENT
    assert await ws.send("no answer") is QUEUED  # it crosses reconnections, and keeps its place
    assert await ws.send("answer 2", this_generation=True) is SENT
    assert wire.sent == ["call 1", "answer 1", "answer 2"]
    assert ws.outbox.ack("call 1") == 1
    await turns()
    assert wire.sent[3:] == ["call 2", "no answer"]
    wire = await again(ws, transport)
    assert wire.sent == ["call 2"]
    await ws.close()


@pytest.mark.spec("G3.4", "G3.2")
@virtual
async def test_answers_that_had_to_wait_go_in_their_order() -> None:
    """The write buffer was full while the flush stood at the window."""
    ws, wire, transport = await up(window=1, numbered=False, render=None)
    wire.end(CUT)
    for each in ("call 1", "call 2"):
        await ws.send(each, id=each)
    answers: list[asyncio.Task[Delivery]] = []

    def opened(change: recloser.StateChange) -> None:
        if change.current is State.OPEN:
            transport.wires[-1].stall()
            answers.extend(
                asyncio.ensure_future(ws.send(each, this_generation=True))
                for each in ("answer 1", "answer 2")
            )

    ws.subscribe(opened)
    wire = await reopened(ws, transport)
    wire.flow()
    await turns()
    assert [await each for each in answers] == [QUEUED] * 2
    assert wire.sent == ["call 1", "answer 1", "answer 2"]
    await ws.close()


@pytest.mark.spec("G3.4", "G6")
@real
async def test_an_answer_passes_with_a_file_too(path: Path) -> None:
    acknowledgements = Acknowledgements(window=1, numbered=False)
    ws, transport = make(path, UP, acknowledgements=acknowledgements)
    async with ws:
        for each in ("call 1", "call 2"):
            assert await ws.send(each, id=each) is QUEUED
        await settled(lambda: transport.wires[0].sent == ["call 1"])
        assert await ws.send("answer", this_generation=True) is SENT
        assert transport.wires[0].sent == ["call 1", "answer"]
    assert [data for _, data in rows(path)] == ["call 1", "call 2"]
