"""What is sent while there is no connection waits in order, and goes out before anything newer."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import recloser
from recloser import (
    Acknowledgements,
    ConnectionClosed,
    Delivery,
    Drop,
    NotOpen,
    Outbox,
    State,
    Stop,
)
from recloser.fsm import Hold, Retry, Unsent
from recloser.outbox import Reason
from recloser.testing import Plan, ScriptedTransport
from tests.engine.outbox.engines import ACKNOWLEDGED, in_backoff, in_memory, sender_of
from tests.engine.rig import CUT, DEAF, DOWN, UP, Answering, ended, engine, turns, virtual

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED


async def waiting(*plans: Plan, **options: Any) -> Any:
    """An engine in backoff, and its transport."""
    ws, transport = engine(*(plans or (DOWN, UP, UP)), outbox=Outbox(**options))
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    return ws, transport


def shown(ws: recloser.ReconnectingWebSocket) -> list[str | bytes]:
    return [message.data for message in ws.outbox.peek()]


def stalled(
    ws: recloser.ReconnectingWebSocket,
    transport: ScriptedTransport,
    then: Callable[[], object] = lambda: None,
) -> None:
    """Have every wire that opens stall before anything is flushed."""

    def opened(change: recloser.StateChange) -> None:
        if change.current is State.OPEN:
            transport.wires[-1].stall()
            then()

    ws.subscribe(opened)


@pytest.mark.spec("G1.1", "G3.2")
@virtual
async def test_queued_in_order_and_flushed_before_what_is_sent_directly() -> None:
    ws, transport = await waiting()
    assert [await ws.send(each) for each in ("a", b"b", bytearray(b"c"))] == [QUEUED] * 3
    assert await ws.send_json({"d": 4}) is QUEUED
    assert shown(ws) == ["a", b"b", b"c", '{"d": 4}']
    assert (len(ws.outbox), ws.outbox.bytes) == (4, 11)
    during: list[asyncio.Task[Delivery]] = []
    stalled(ws, transport, lambda: during.append(asyncio.ensure_future(ws.send("e"))))
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()
    assert await during[0] is QUEUED  # open, and the flush has not ended
    transport.wires[0].flow()
    await ws.drain()
    assert await ws.send("f") is SENT
    assert transport.wires[0].sent == ["a", b"b", b"c", '{"d": 4}', "e", "f"]
    assert len(ws.outbox) == 0
    await ws.close()


@pytest.mark.spec("G1.1")
@virtual
async def test_while_nothing_is_held_send_is_that_of_the_wire() -> None:
    ws, transport = await waiting()
    await ws.send("a")
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert sender_of(ws).core.blank
    assert sender_of(ws).send == transport.wires[0].send
    await ws.close()


@pytest.mark.spec("G8.1")
@virtual
async def test_on_open_comes_first_on_every_open_and_is_not_sent_again() -> None:
    async def hello(opening: recloser.Opening) -> None:
        await opening.send("hello")

    ws, transport = engine(UP, UP, outbox=Outbox(), on_open=hello)
    ws.connect()
    await ws.wait_for(State.OPEN)
    transport.wires[0].end(CUT)
    await ws.send("a")
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert [wire.sent for wire in transport.wires] == [["hello"], ["hello", "a"]]
    await ws.close()


@pytest.mark.spec("G9.1", "G9.2")
@pytest.mark.parametrize("in_passive", [False, True])
@virtual
async def test_passive_takes_messages_only_if_asked_to(in_passive: bool) -> None:
    ws, transport = engine(UP, UP, outbox=Outbox(in_passive=in_passive))
    with pytest.raises(ConnectionClosed):
        await ws.send("in closed")
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.suspend()
    outcome = await ended(ws.send("resting"))
    assert outcome is QUEUED if in_passive else isinstance(outcome, NotOpen)
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert transport.wires[1].sent == (["resting"] if in_passive else [])
    await ws.close()


@pytest.mark.spec("G1.1", "G9.3")
@virtual
async def test_while_closing_messages_are_taken_if_the_engine_will_dial_again() -> None:
    ws, transport = engine(DEAF, UP, outbox=Outbox())
    ws.connect()
    await ws.wait_for(State.OPEN)
    leaver = asyncio.ensure_future(ws.close())
    await turns()
    with pytest.raises(NotOpen):
        await ws.send("lost for good")
    ws.connect()
    assert await ws.send("for the next") is QUEUED
    await leaver
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert transport.wires[1].sent == ["for the next"]
    await ws.close()


@pytest.mark.spec("G5.3", "G5.4")
@virtual
async def test_closing_in_backoff_keeps_messages_and_the_change_counts_them() -> None:
    ws, transport = await waiting(DOWN, UP)
    changes: list[recloser.StateChange] = []
    ws.subscribe(changes.append)
    await ws.send("a")
    await ws.send("b")
    await ws.close()
    assert [change.unsent for change in changes] == [2]
    assert shown(ws) == ["a", "b"]
    with pytest.raises(ConnectionClosed):
        await ws.drain()
    with pytest.raises(ConnectionClosed):
        await ws.send("c")
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert transport.wires[0].sent == ["a", "b"]
    await ws.close()


@pytest.mark.spec("G4.2", "G4.3", "G5.1")
@pytest.mark.parametrize("fate", list(Unsent))
@pytest.mark.parametrize("kind", [Retry, Hold, Stop])
@virtual
async def test_the_decision_says_what_becomes_of_what_has_not_left(kind: Any, fate: Unsent) -> None:
    drops: list[Drop] = []
    decision = Retry(5.0, unsent=fate) if kind is Retry else kind(unsent=fate)
    ws, transport = engine(UP, UP, outbox=Outbox(on_drop=drops.append), policy=Answering(decision))
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.send("left")
    wire = transport.wires[0]
    wire.stall()
    senders = [asyncio.ensure_future(ws.send(each)) for each in ("a", "b", "c")]
    await turns()
    wire.flow(1)
    wire.end(CUT)
    assert await asyncio.gather(*senders) == [QUEUED] * 3
    assert ws.last_close is not None
    assert ws.last_close.unsent == 2
    assert wire.sent == ["left", "a"]
    if fate is Unsent.DROP:
        assert [(drop.message.data, drop.reason) for drop in drops] == [
            ("b", Reason.DECISION),
            ("c", Reason.DECISION),
        ]
        assert ws.statistics().dropped == 2
        assert shown(ws) == []
    else:  # which one was refused is not known: another one had left
        assert (shown(ws), drops) == (["b", "c"], [])
        assert ws.statistics().resent == 2
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert transport.wires[1].sent == ([] if fate is Unsent.DROP else ["b", "c"])
    await ws.close()


@pytest.mark.spec("G4.2", "G4.3")
@virtual
async def test_without_resend_what_was_handed_over_counts_as_sent() -> None:
    ws, transport = engine(UP, UP, outbox=Outbox(resend=False))
    ws.connect()
    await ws.wait_for(State.OPEN)
    transport.wires[0].stall()
    sender = asyncio.ensure_future(ended(ws.send("a")))
    await turns()
    transport.wires[0].end(CUT)
    assert isinstance(await sender, ConnectionError)
    assert ws.last_close is not None
    assert ws.last_close.unsent == 1
    assert shown(ws) == []
    await ws.close()


@pytest.mark.spec("G3.3")
@virtual
async def test_an_interrupted_flush_goes_on_where_it_was() -> None:
    ws, transport = await waiting(DOWN, UP, UP, UP)
    for each in "abcdef":
        await ws.send(each)
    stalled(ws, transport)
    for count in (2, 3):
        ws.connect()
        await ws.wait_for(State.OPEN)
        wire = transport.wires[-1]
        for _ in range(count):
            await turns()
            wire.flow()
            wire.stall()
        await turns()
        wire.end(CUT)
        await turns()
    assert [wire.sent for wire in transport.wires] == [["a", "b"], ["c", "d", "e"]]
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()
    transport.wires[-1].flow()
    await ws.drain()
    assert transport.wires[-1].sent == ["f"]
    await ws.close()


@pytest.mark.spec("G1.1", "G3.1")
@virtual
async def test_a_send_that_begins_after_the_connection_ended_is_queued() -> None:
    """The coroutine was made while open, and runs when the wire is gone."""
    ws, transport = engine(UP, UP, outbox=Outbox())
    ws.connect()
    await ws.wait_for(State.OPEN)
    sending = ws.send("late")
    transport.wires[0].end(CUT)
    assert await sending is QUEUED
    queued = ws.send("begun while waiting")
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert await queued is SENT
    assert transport.wires[1].sent == ["late", "begun while waiting"]
    await ws.close()


@pytest.mark.spec("A11.2", "A11.5", "J1.2")
@virtual
async def test_closing_during_a_flush_leaves_nothing_running_and_keeps_the_rest() -> None:
    ws, transport = await waiting()
    for each in "abc":
        await ws.send(each)
    stalled(ws, transport)
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()
    drainer = asyncio.ensure_future(ended(ws.drain()))
    await ws.close()
    assert isinstance(await drainer, ConnectionClosed)
    assert shown(ws) == ["a", "b", "c"]
    assert transport.wires[0].sent == []


@virtual
async def test_without_an_outbox_there_is_none_to_look_into() -> None:
    ws, _ = engine(UP)
    with pytest.raises(recloser.RecloserError, match="outbox="):
        _ = ws.outbox
    await ws.drain()
    ws.connect()
    with pytest.raises(NotOpen):
        await ws.send("a")
    await ws.close()


@virtual
async def test_a_flush_lets_others_have_their_turn() -> None:
    ws, transport = await waiting()
    for number in range(200):
        await ws.send(str(number))
    ws.connect()
    await ws.wait_for(State.OPEN)
    seen = set()
    while len(ws.outbox):
        await asyncio.sleep(0)
        seen.add(len(transport.wires[0].sent))
    assert len(seen) > 2
    assert transport.wires[0].sent == [str(number) for number in range(200)]
    await ws.close()


@pytest.mark.spec("G1.2", "G3.1")
@pytest.mark.parametrize("flushing", [False, True])
@virtual
async def test_a_wire_that_ended_before_anybody_was_told_loses_nothing(flushing: bool) -> None:
    ws, transport = await waiting(DOWN, UP, UP)

    def opened(change: recloser.StateChange) -> None:
        if change.current is State.OPEN and len(transport.wires) == 1:
            transport.wires[0].closed_with = (1000, "")  # it takes nothing more

    ws.subscribe(opened)
    if flushing:
        assert await ws.send("a") is QUEUED
        assert await ws.send("b") is QUEUED
    ws.connect()
    await ws.wait_for(State.OPEN)
    if not flushing:
        assert await ws.send("a") is QUEUED
        assert await ws.send("b") is QUEUED
    assert await ws.send("c") is QUEUED
    assert shown(ws) == ["a", "b", "c"]
    transport.wires[0].end(CUT)
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.drain()
    assert [wire.sent for wire in transport.wires] == [[], ["a", "b", "c"]]
    await ws.close()


@pytest.mark.spec("G7.1")
@pytest.mark.parametrize("how", ["cleared", "moved"])
@pytest.mark.parametrize("acknowledgements", [None, ACKNOWLEDGED])
@virtual
async def test_drain_returns_when_the_last_is_taken_out(
    how: str, acknowledgements: Acknowledgements | None
) -> None:
    """Open, where nothing else happens any more, and in backoff, before the next connection."""
    plan = DOWN if acknowledgements is None else UP
    ws, _ = in_memory(plan, acknowledgements=acknowledgements)
    other, _ = in_memory(DOWN)
    ws.connect()
    await in_backoff(other)
    await ws.send("a")
    draining = asyncio.ensure_future(ws.drain())
    await turns()
    assert not draining.done()
    if how == "cleared":
        ws.outbox.clear()
    else:
        ws.outbox.move_to(other)
    await turns()
    assert draining.done()
    await ws.close()
    await other.close()
