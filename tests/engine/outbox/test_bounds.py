"""The outbox is bounded, and every message that gives way is reported."""

import asyncio
from typing import Any

import pytest
import structlog

import recloser
from recloser import (
    Acknowledgements,
    ConnectionClosed,
    Delivery,
    Drop,
    NotOpen,
    Outbox,
    OutboxFull,
    State,
)
from recloser.fsm import Hold
from recloser.outbox import Reason
from tests.engine.outbox.engines import in_memory, open_
from tests.engine.rig import (
    CUT,
    DOWN,
    HANGS,
    UP,
    Answering,
    ended,
    engine,
    pass_time,
    turns,
    virtual,
)

SENT, QUEUED = Delivery.SENT, Delivery.QUEUED


class Waiting:
    """An engine in backoff with an outbox, and what it dropped."""

    def __init__(self, *, policy: Answering | None = None, **options: Any) -> None:
        self.drops: list[Drop] = []
        options.setdefault("on_drop", self.drops.append)
        plans = (DOWN, UP, UP)
        self.ws, self.transport = engine(
            *plans, outbox=Outbox(**options), policy=policy or Answering()
        )

    async def begin(self) -> recloser.ReconnectingWebSocket:
        self.ws.connect()
        await turns()
        return self.ws

    @property
    def dropped(self) -> list[tuple[str | bytes, Reason]]:
        return [(drop.message.data, drop.reason) for drop in self.drops]

    async def flushed(self) -> list[str | bytes]:
        """Open, flush and close; what reached the peer."""
        self.ws.connect()
        await self.ws.wait_for(State.OPEN)
        await self.ws.drain()
        await self.ws.close()
        return self.transport.wires[-1].sent


BOUNDS = [{"max_messages": 3}, {"max_bytes": 3}]


@pytest.mark.spec("G2.1", "G2.2")
@pytest.mark.parametrize("bound", BOUNDS, ids=str)
@virtual
async def test_a_full_outbox_raises(bound: dict[str, int]) -> None:
    rig = Waiting(when_full="raise", **bound)
    ws = await rig.begin()
    for each in "abc":
        assert await ws.send(each) is QUEUED
    with pytest.raises(OutboxFull):
        await ws.send("d")
    assert rig.dropped == []
    assert await rig.flushed() == ["a", "b", "c"]


@pytest.mark.spec("G1.1", "G1.2", "G2.1", "G2.2", "G2.3")
@pytest.mark.parametrize("bound", BOUNDS, ids=str)
@pytest.mark.parametrize("which", ["oldest", "newest"])
@virtual
async def test_a_full_outbox_drops_and_says_so(which: str, bound: dict[str, int]) -> None:
    rig = Waiting(when_full=f"drop-{which}", **bound)
    ws = await rig.begin()
    with structlog.testing.capture_logs() as logs:
        outcomes = [await ws.send(each) for each in "abcde"]
    lost = "de" if which == "newest" else "ab"
    assert rig.dropped == [(each, Reason(which)) for each in lost]
    assert outcomes[3:] == [Delivery.DROPPED if which == "newest" else QUEUED] * 2
    assert [(line["event"], line["reason"], line["count"], line["bytes"]) for line in logs] == [
        ("websocket.messages_dropped", which, 1, 1)
    ] * 2
    assert ws.statistics().dropped == 2
    assert await rig.flushed() == [each for each in "abcde" if each not in lost]


@pytest.mark.spec("G2.1", "G2.2", "G3.1")
@pytest.mark.parametrize("bound", BOUNDS, ids=str)
@virtual
async def test_senders_wait_for_room_and_keep_their_order(bound: dict[str, int]) -> None:
    rig = Waiting(**bound)
    ws = await rig.begin()
    tasks = [asyncio.ensure_future(ws.send(each)) for each in "abcdefg"]
    await turns()
    assert [task.done() for task in tasks] == [True] * 3 + [False] * 4
    tasks[4].cancel()
    await turns()
    assert len(ws.outbox) == 3
    assert [message.data for message in ws.outbox.clear()] == ["a", "b", "c"]
    await turns()
    assert await rig.flushed() == ["d", "f", "g"]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [result is QUEUED for result in results] == [True] * 4 + [False] + [True] * 2


@pytest.mark.spec("G1.1")
@virtual
async def test_a_cancelled_send_says_where_the_message_stood() -> None:
    rig = Waiting(max_messages=1)
    ws = await rig.begin()
    await ws.send("a")
    found: list[str] = []

    async def sending(message: str) -> None:
        try:
            await ws.send(message)
        except asyncio.CancelledError as error:
            found.extend(error.__notes__)
            raise

    first, second = (asyncio.ensure_future(sending(each)) for each in "bc")
    await turns()
    ws.outbox.clear()  # lets b in, which has not heard of it when it is cancelled
    first.cancel()
    second.cancel()
    await asyncio.wait((first, second))
    assert [note.split("message ")[1] for note in found] == [
        "had been put into the outbox before",
        "was not taken",
    ]
    assert await rig.flushed() == ["b"]


@pytest.mark.spec("G1.1", "A11.2")
@pytest.mark.parametrize("end", ["close", "hold"])
@virtual
async def test_who_waits_for_room_is_told_when_there_will_be_none(end: str) -> None:
    rig = Waiting(max_messages=1)
    ws = await rig.begin()
    await ws.send("a")
    task = asyncio.ensure_future(ended(ws.send("b")))
    await turns()
    await (ws.close() if end == "close" else ws.suspend())
    assert isinstance(await task, ConnectionClosed if end == "close" else NotOpen)
    assert [message.data for message in ws.outbox.peek()] == ["a"]
    await ws.close()


@pytest.mark.spec("G2.1")
@pytest.mark.parametrize("when_full", ["wait", "raise", "drop-oldest", "drop-newest"])
@virtual
async def test_a_message_that_can_never_fit_is_refused(when_full: Any) -> None:
    rig = Waiting(max_bytes=4, when_full=when_full)
    ws = await rig.begin()
    await ws.send("abc")
    with pytest.raises(OutboxFull):
        await ws.send("\u00e4\u00f6\u00fc")
    assert await rig.flushed() == ["abc"]
    assert rig.dropped == []


@pytest.mark.spec("G2.3", "G2.4")
@virtual
async def test_a_message_that_outlived_its_time_is_dropped_and_reported() -> None:
    rig = Waiting(policy=Answering(Hold("rest")), in_passive=True)
    ws = await rig.begin()
    await ws.send("short", ttl=3)
    await ws.send("long", ttl=30.0)
    await ws.send("for ever")
    await pass_time(3.0)
    assert await rig.flushed() == ["long", "for ever"]
    assert rig.dropped == [("short", Reason.EXPIRED)]


@pytest.mark.spec("G2.2", "G2.4")
@virtual
async def test_who_waits_behind_an_expired_message_gets_its_room_whoever_notices() -> None:
    rig = Waiting(max_messages=1)
    ws = await rig.begin()
    await ws.send("short", ttl=1.0)
    first = asyncio.ensure_future(ws.send("a"))
    await pass_time(2.0)
    second = asyncio.ensure_future(ws.send("b"))
    await turns()
    assert first.done()
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()
    assert [first.result(), second.result()] == [QUEUED] * 2
    assert rig.transport.wires[-1].sent == ["a", "b"]
    await ws.close()


@pytest.mark.spec("G2.3", "G2.4", "G3.1")
@virtual
async def test_a_key_replaces_the_older_message_and_takes_its_room() -> None:
    rig = Waiting(max_messages=2, when_full="raise")
    ws = await rig.begin()
    await ws.send("x=1", key="x")
    await ws.send("other")
    await ws.send("x=2", key="x")
    with pytest.raises(OutboxFull):
        await ws.send("y=1", key="y")
    assert await rig.flushed() == ["other", "x=2"]
    assert rig.dropped == [("x=1", Reason.REPLACED)]


@pytest.mark.spec("G2.1", "G2.4")
@virtual
async def test_a_key_gives_back_the_bytes_of_the_message_that_it_replaces() -> None:
    """To the byte: with what is left and what it frees there are sixty, and no more."""
    rig = Waiting(max_bytes=100, when_full="raise")
    ws = await rig.begin()
    await ws.send("o" * 40)
    await ws.send("k" * 30, key="k")
    with pytest.raises(OutboxFull):
        await ws.send("l" * 61, key="k")
    assert await ws.send("m" * 60, key="k") is QUEUED
    assert await rig.flushed() == ["o" * 40, "m" * 60]


@pytest.mark.spec("G2.1", "G4.3")
@virtual
async def test_what_comes_back_fills_the_outbox_beyond_its_bound_and_a_key_finds_no_room() -> None:
    """Three came back where two fit; the key frees one place, and two are held still."""
    ws, transport = engine(UP, UP, outbox=Outbox(max_messages=2, when_full="raise"))
    ws.connect()
    await ws.wait_for(State.OPEN)
    transport.wires[0].stall()
    options: list[dict[str, Any]] = [{"key": "k"}, {}, {}]
    tasks = [asyncio.ensure_future(ws.send("x", **each)) for each in options]
    await turns()
    transport.wires[0].end(CUT)
    assert await asyncio.gather(*tasks) == [QUEUED] * 3
    with pytest.raises(OutboxFull):
        await ws.send("newer", key="k")
    assert len(ws.outbox) == 3
    await ws.close()


@pytest.mark.spec("G2.3", "G2.4", "G4.3")
@virtual
async def test_what_comes_back_gives_way_to_a_newer_key_and_keeps_to_its_generation() -> None:
    drops: list[Drop] = []
    ws, transport = engine(UP, UP, outbox=Outbox(on_drop=drops.append))
    ws.connect()
    await ws.wait_for(State.OPEN)
    transport.wires[0].stall()
    tasks = [
        asyncio.ensure_future(ws.send("x=1", key="x")),
        asyncio.ensure_future(ws.send("here", this_generation=True)),
        asyncio.ensure_future(ws.send("x=2", key="x")),
        asyncio.ensure_future(ws.send("old", ttl=0)),
    ]
    await turns()
    transport.wires[0].end(CUT)
    assert await asyncio.gather(*tasks) == [QUEUED] * 4
    assert [(drop.message.data, drop.reason) for drop in drops] == [
        ("x=1", Reason.REPLACED),
        ("old", Reason.EXPIRED),
        ("here", Reason.GENERATION),
    ]
    assert [message.data for message in ws.outbox.peek()] == ["x=2"]
    await ws.close()


@pytest.mark.spec("G2.4")
@virtual
async def test_a_message_for_one_generation_is_taken_while_there_is_one() -> None:
    ws, _ = engine(DOWN, HANGS, outbox=Outbox(max_messages=1))
    ws.connect()
    await turns()
    with pytest.raises(NotOpen):
        await ws.send("in backoff", this_generation=True)
    ws.connect()
    assert await ws.send("while connecting", this_generation=True) is QUEUED
    task = asyncio.ensure_future(ended(ws.send("no room", this_generation=True)))
    await pass_time(20)
    assert isinstance(await task, NotOpen)
    assert len(ws.outbox) == 0
    await ws.close()


@pytest.mark.spec("I3.2")
@virtual
async def test_a_callback_that_raises_harms_nobody() -> None:
    def broken(drop: Drop) -> None:
        raise ValueError(drop.reason.value)

    rig = Waiting(max_messages=1, when_full="drop-oldest", on_drop=broken)
    ws = await rig.begin()
    with structlog.testing.capture_logs() as logs:
        for each in "ab":
            await ws.send(each)
    assert [line["event"] for line in logs] == [
        "websocket.messages_dropped",
        "websocket.listener_failed",
    ]
    assert await rig.flushed() == ["b"]


@pytest.mark.spec("G2.3", "I1.1")
@virtual
async def test_what_the_application_asked_to_drop_is_no_error() -> None:
    rig = Waiting(max_messages=2, when_full="drop-oldest")
    ws = await rig.begin()
    with structlog.testing.capture_logs() as logs:
        await ws.send("a", key="price")
        await ws.send("b", key="price")
        await ws.send("c", ttl=0.0)
        await ws.send("d")
        await ws.send("e")
    assert [(line["log_level"], line["reason"]) for line in logs] == [
        ("info", "replaced"),
        ("info", "expired"),
        ("error", "oldest"),
    ]
    assert await rig.flushed() == ["d", "e"]


@pytest.mark.spec("G1.2", "G3.1")
@virtual
async def test_messages_are_handed_over_to_another_engine() -> None:
    rig = Waiting()
    ws = await rig.begin()
    await ws.send("a")
    await ws.send("b", key="k")
    other, transport = engine(UP, outbox=Outbox(max_messages=1))
    with pytest.raises(ConnectionClosed):
        ws.outbox.move_to(other)
    other.connect()
    await other.wait_for(State.OPEN)
    with pytest.raises(OutboxFull):
        ws.outbox.move_to(other)
    assert len(ws.outbox) == 2
    assert ws.outbox.move_to(ws) == 0
    larger, transport = engine(UP, outbox=Outbox())
    larger.connect()
    await larger.wait_for(State.OPEN)
    assert ws.outbox.move_to(larger) == 2
    assert ws.outbox.move_to(larger) == 0
    await larger.drain()
    assert transport.wires[0].sent == ["a", "b"]
    assert await larger.send("c") is SENT
    for each in (ws, other, larger):
        await each.close()


@pytest.mark.spec("G1.2", "G2.1")
@pytest.mark.parametrize(
    ("bound", "held", "fits", "too_many"),
    [
        ({"max_bytes": 100}, ["h" * 40], ["m" * 60], ["m" * 61]),
        ({"max_messages": 3}, ["h"], ["m", "m"], ["m", "m", "m"]),
        ({"max_messages": 3}, ["h", "h", "h"], [], ["m"]),
    ],
    ids=["bytes", "count", "none"],
)
@virtual
async def test_what_is_handed_over_fits_to_the_last_byte_and_message(
    bound: dict[str, int], held: list[str], fits: list[str], too_many: list[str]
) -> None:
    """All of them, or none: the bounds are those of the other engine, with what it holds."""
    for messages in (fits, too_many):
        rig, target = Waiting(), Waiting(**bound)
        ws, other = await rig.begin(), await target.begin()
        for each in messages:
            await ws.send(each)
        for each in held:
            await other.send(each)
        if messages is too_many:
            with pytest.raises(OutboxFull) as full:
                ws.outbox.move_to(other)
            assert full.value.size == len(held) + len(messages)
            assert (len(ws.outbox), len(other.outbox)) == (len(messages), len(held))
        else:
            assert ws.outbox.move_to(other) == len(messages)
        await ws.close()
        await other.close()


BAD: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"max_messages": 0}, ValueError),
    ({"max_bytes": True}, TypeError),
    ({"max_bytes": 1.5}, TypeError),
    ({"when_full": "explode"}, ValueError),
    ({"in_passive": 1}, TypeError),
    ({"resend": None}, TypeError),
    ({"on_drop": 3}, TypeError),
]


@pytest.mark.parametrize(("options", "error"), BAD, ids=str)
def test_bad_options_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        Outbox(**options)


def test_an_outbox_is_given_as_one() -> None:
    with pytest.raises(TypeError, match="outbox must be"):
        recloser.connect("ws://feed.example", outbox=10)  # type: ignore[arg-type] # refused


@pytest.mark.spec("G1.1")
@virtual
async def test_what_is_no_message_is_refused_before_anything_is_kept() -> None:
    rig = Waiting()
    ws = await rig.begin()
    bad: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"message": 1}, TypeError),
        ({"message": "\ud800"}, UnicodeEncodeError),
        ({"message": "a", "ttl": -1}, ValueError),
        ({"message": "a", "ttl": float("nan")}, ValueError),
        ({"message": "a", "ttl": "1"}, TypeError),
        ({"message": "a", "key": []}, TypeError),
    ]
    for arguments, error in bad:
        with pytest.raises(error):
            await ws.send(**arguments)
    assert len(ws.outbox) == 0
    await ws.close()


@pytest.mark.spec("G2.2", "G7.1", "G7.3")
@virtual
async def test_a_sender_let_in_and_cancelled_at_once_does_not_leave_its_message_behind() -> None:
    """It had been put into the outbox, as the note says; nobody else would have sent it."""
    acknowledgements = Acknowledgements(window=1)
    ws, transport = in_memory(UP, acknowledgements=acknowledgements, max_messages=1)
    await open_(ws)
    await ws.send("a")
    await ws.send("b")
    waiting = asyncio.ensure_future(ws.send("c"))
    await turns()
    ws.outbox.clear()
    waiting.cancel()
    error = await ended(waiting)
    assert isinstance(error, asyncio.CancelledError)
    await turns()
    assert transport.wires[0].sent == ["a", "c"]
    await ws.close()
