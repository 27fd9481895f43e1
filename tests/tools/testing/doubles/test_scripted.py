"""The scripted transport keeps the contract with the engine, and plays what it was told."""

import asyncio

import pytest
from aiohttp.http import WSMessage

from recloser import Close, ConcurrentReceive, NotOpen
from recloser.fsm import Cause, Origin
from recloser.testing import Plan, ScriptedTransport, ScriptedWire
from recloser.testing.doubles.scripted import DEAD
from recloser.transport import DialFailed, Opcode, Request, Transport, Wire
from tests.engine.rig import CUT, KICKED, REFUSED, ended, now, pass_time, turns, virtual

REQUEST = Request("ws://feed.example")


async def dialled(plan: Plan) -> tuple[ScriptedWire, list[Close]]:
    told: list[Close] = []
    return await ScriptedTransport([plan]).dial(REQUEST, told.append), told


@virtual
async def test_it_keeps_the_contract() -> None:
    transport: Transport = ScriptedTransport([Plan()])
    wire: Wire = await transport.dial(REQUEST, lambda close: None)
    assert (wire.busy, wire.sent_code, wire.subprotocol, dict(wire.headers)) == (
        False,
        None,
        None,
        {},
    )
    assert (wire.unread, wire.unsent) == (0, 0)
    await transport.aclose()


@virtual
async def test_plans_are_played_in_turn_and_then_the_server_is_dead() -> None:
    transport = ScriptedTransport([Plan(), Plan(refused=REFUSED), Plan(takes=2.0)])
    first = await transport.dial(REQUEST, lambda close: None)
    with pytest.raises(DialFailed) as caught:
        await transport.dial(REQUEST, lambda close: None)
    assert caught.value.close is REFUSED
    third = await transport.dial(REQUEST, lambda close: None)
    assert now() == 2.0
    with pytest.raises(DialFailed) as caught:
        await transport.dial(REQUEST, lambda close: None)
    assert caught.value.close is DEAD
    assert transport.requests == [REQUEST] * 4
    assert transport.wires == transport.live == [first, third]
    first.abort()
    assert transport.live == [third]
    await transport.aclose()
    assert transport.released == 1


@virtual
async def test_a_dial_that_hangs_can_be_cancelled() -> None:
    transport = ScriptedTransport([Plan(takes=float("inf"))])
    dial = asyncio.ensure_future(transport.dial(REQUEST, lambda close: None))
    await turns()
    assert transport.dialling == 1
    dial.cancel()
    assert isinstance(await ended(dial), asyncio.CancelledError)
    assert transport.dialling == 0
    assert transport.wires == []


@virtual
async def test_messages_are_read_in_order_and_the_end_is_told_once() -> None:
    wire, told = await dialled(Plan(messages=("a", b"b")))
    wire.deliver("c")
    frames = [await wire.read() for _ in range(3)]
    assert [(frame.type, frame.data) for frame in frames] == [
        (Opcode.TEXT, "a"),
        (Opcode.BINARY, b"b"),
        (Opcode.TEXT, "c"),
    ]
    wire.busy = True  # as a consumer does
    reading = asyncio.ensure_future(ended(wire.read()))
    await turns()
    wire.end(KICKED)
    wire.end(CUT)
    assert told == [KICKED]
    error = await reading
    assert isinstance(error, EOFError)
    wire.read_failed(error)
    assert wire.busy
    assert wire.take() is None
    await wire.wait_closed()


@virtual
async def test_what_is_left_after_the_end_is_taken_one_by_one_or_at_once() -> None:
    wire, _ = await dialled(Plan(messages=("a", "b", "c")))
    wire.busy = True  # as a consumer does
    with pytest.raises(ConcurrentReceive):
        wire.take()
    wire.busy = False
    wire.end(CUT)
    wire.deliver("too late")
    assert wire.busy
    assert wire.unread == 3
    assert wire.take() == "a"
    assert list(wire.take_all()) == ["b", "c"]
    assert wire.take() is None
    assert wire.unread == 0


@virtual
async def test_a_parked_reader_gets_what_comes() -> None:
    wire, _ = await dialled(Plan())
    reading = asyncio.ensure_future(wire.read())
    await turns()
    wire.deliver("x")
    assert (await reading).data == "x"
    reading = asyncio.ensure_future(wire.read())
    await turns()
    reading.cancel()
    await ended(reading)
    wire.deliver("y")
    assert (await wire.read()).data == "y"


@pytest.mark.parametrize("echo", [0.0, 2.0])
@virtual
async def test_a_close_is_answered_as_planned(echo: float) -> None:
    wire, told = await dialled(Plan(echo_takes=echo))
    await wire.send("before")
    wire.close(4000, "bye")
    wire.close(4001, "again")
    assert wire.closed_with == (4000, "bye")
    assert wire.sent_code == 4000
    with pytest.raises(NotOpen):
        await wire.send("after")
    assert told == []
    await pass_time(echo)
    assert told == [
        Close(
            code=4000,
            reason="bye",
            sent_code=4000,
            origin=Origin.PEER,
            cause=Cause.CLOSE_FRAME,
            clean=True,
        )
    ]
    wire.close(4002, "over")
    assert wire.sent == ["before"]


@virtual
async def test_a_deaf_peer_and_an_abort() -> None:
    wire, told = await dialled(Plan(deaf=True))
    wire.close(1000, "")
    await pass_time(100)
    assert told == []
    with pytest.raises(AssertionError, match="leaks a socket"):
        await wire.wait_closed()
    wire.abort()
    wire.end(CUT)
    assert wire.aborted
    assert told == []
    with pytest.raises(NotOpen):
        await wire.send("x")
    await wire.wait_closed()


@virtual
async def test_what_a_script_does_not_hold() -> None:
    wire, _ = await dialled(Plan())
    with pytest.raises(AssertionError, match="no control frame"):
        wire.control(WSMessage(Opcode.PING, b"", None))
    with pytest.raises(AssertionError, match="broke before its end"):
        wire.read_failed(OSError())
    with pytest.raises(TypeError, match="str or bytes"):
        await wire.send(5)  # type: ignore[arg-type]  # bad on purpose
    wire.probe()
    wire.probe()
    assert wire.probes == 2
