"""The peer refused one message: that one is dropped and no other, however long it takes to know."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import recloser
from recloser import Acknowledgements, Close, Delivery, Drop, Outbox, State, policies
from recloser.fsm import Retry, Stop, Unsent
from recloser.outbox import Reason
from recloser.outbox.trial import TRIAL
from recloser.testing import ScriptedWire
from tests.engine.outbox.engines import sender_of
from tests.engine.outbox.files import killed, make, real
from tests.engine.rig import CUT, UP, Answering, engine, pass_time, turns, virtual
from tests.engine.served import PATIENCE, serving

TOO_BIG = Close.frame(1009, "too big")
REFUSES = Answering(Stop(unsent=Unsent.DROP_REFUSED))


def matcher(message: str | bytes) -> Any:
    word, _, number = str(message).partition(" ")
    return int(number) if word == "ack" else None


ACKNOWLEDGED = Acknowledgements(matcher=matcher, timeout=30.0)


class Service:
    """An engine that has five connections before it, and what it dropped."""

    def __init__(self, *, acknowledged: bool = True, **options: Any) -> None:
        self.drops: list[Drop] = []
        outbox = Outbox(
            on_drop=self.drops.append, acknowledgements=ACKNOWLEDGED if acknowledged else None
        )
        options.setdefault("policy", policies.standard())
        self.ws, self.transport = engine(*[UP] * 5, outbox=outbox, **options)

    async def connect(self) -> ScriptedWire:
        self.ws.connect()
        await self.ws.wait_for(State.OPEN)
        await turns()
        return self.transport.wires[-1]

    @property
    def held(self) -> list[Any]:
        return [message.data for message in self.ws.outbox.peek()]

    @property
    def suspects(self) -> list[Any]:
        return [message.data for message in self.ws.outbox.peek() if message.suspect]

    @property
    def dropped(self) -> list[tuple[Any, Reason]]:
        return [(drop.message.data, drop.reason) for drop in self.drops]


@pytest.mark.spec("G5.5", "G7.1")
@pytest.mark.parametrize("code", [1002, 1003, 1007, 1009])
@virtual
async def test_the_one_message_that_is_not_acknowledged_is_the_refused_one(code: int) -> None:
    service = Service()
    wire = await service.connect()
    for number in (1, 2, 3):
        await service.ws.send(f"message {number}")
    for number in (1, 3):
        wire.deliver(f"ack {number}")
    await turns()
    wire.end(Close.frame(code))
    assert service.ws.state is State.CLOSED
    assert service.dropped == [("message 2", Reason.REFUSED)]
    assert service.held == []
    await service.ws.close()


@pytest.mark.spec("G5.5")
@pytest.mark.parametrize("code", [1001, 1008, 1011, 1013, 4000, 4400])
@virtual
async def test_a_code_that_blames_no_message_drops_none(code: int) -> None:
    service = Service()
    wire = await service.connect()
    await service.ws.send("message 1")
    wire.end(Close.frame(code))
    assert (service.held, service.suspects, service.drops) == (["message 1"], [], [])
    await service.ws.close()


@pytest.mark.spec("G5.5", "G5.6", "G5.7", "G3")
@virtual
async def test_several_go_out_one_at_a_time_until_the_refused_one_is_known() -> None:
    service = Service()
    wire = await service.connect()
    for number in range(1, 6):
        await service.ws.send(f"message {number}")
    wire.end(TOO_BIG)
    everything = [f"message {number}" for number in range(1, 6)]
    assert (service.held, service.suspects, service.drops) == (everything, everything, [])
    wire = await service.connect()
    assert await service.ws.send("message 6") is Delivery.QUEUED
    for number in (1, 2):
        assert wire.sent == everything[:number]
        wire.deliver(f"ack {number}")
        await turns()
    assert wire.sent == everything[:3]
    wire.end(TOO_BIG)
    assert service.dropped == [("message 3", Reason.REFUSED)]
    assert service.held == ["message 4", "message 5", "message 6"]
    assert service.suspects == ["message 4", "message 5"]
    wire = await service.connect()
    for number in (4, 5):
        assert wire.sent[-1] == f"message {number}"
        wire.deliver(f"ack {number}")
        await turns()
    assert wire.sent == ["message 4", "message 5", "message 6"]
    assert await service.ws.send("message 7") is Delivery.SENT, "nobody is suspect any more"
    await service.ws.close()


@pytest.mark.spec("G5.7", "G7.4")
@virtual
async def test_one_that_is_overdue_was_not_refused() -> None:
    service = Service()
    wire = await service.connect()
    for number in (1, 2):
        await service.ws.send(f"message {number}")
    wire.end(TOO_BIG)
    wire = await service.connect()
    assert wire.sent == ["message 1"]
    await pass_time(30.0)
    assert wire.sent == ["message 1", "message 1", "message 2"]
    assert service.suspects == ["message 2"]
    await service.ws.close()


@pytest.mark.spec("G5.5")
@virtual
async def test_a_message_that_the_connection_did_not_take_is_kept() -> None:
    service = Service(acknowledged=False)
    wire = await service.connect()
    wire.stall()
    sender = service.ws.send("never handed over")
    wire.closed_with = (1000, "")  # it takes nothing more, and its end is not told yet
    assert await sender is Delivery.QUEUED
    wire.end(TOO_BIG)
    await turns()
    assert (service.held, service.suspects) == (["never handed over"], [])
    wire = await service.connect()
    assert (wire.sent, service.drops) == (["never handed over"], [])
    await service.ws.close()


@pytest.mark.spec("G5.5")
@virtual
async def test_of_what_stands_in_the_buffer_only_the_first_can_be_the_refused_one() -> None:
    service = Service(acknowledged=False)
    wire = await service.connect()
    wire.stall()
    senders = [asyncio.ensure_future(service.ws.send(each)) for each in ("big", "a", "b")]
    await turns()
    wire.end(TOO_BIG)
    assert await asyncio.gather(*senders) == [Delivery.QUEUED] * 3
    assert service.dropped == [("big", Reason.REFUSED)]
    assert service.held == ["a", "b"]
    wire = await service.connect()
    assert wire.sent == ["a", "b"]
    await service.ws.close()


@pytest.mark.spec("G5.5", "G5.6", "G5.7")
@virtual
async def test_what_has_left_may_have_been_refused_too() -> None:
    """Then the one in the buffer is not dropped: it goes out alone, and is not refused."""
    service = Service(acknowledged=False)
    wire = await service.connect()
    await service.ws.send("big")
    wire.stall()
    senders = [asyncio.ensure_future(service.ws.send(each)) for each in ("a", "b")]
    await turns()
    wire.end(TOO_BIG)
    assert await asyncio.gather(*senders) == [Delivery.QUEUED] * 2
    assert (service.held, service.suspects, service.drops) == (["a", "b"], ["a"], [])
    wire = await service.connect()
    assert wire.sent == ["a"]
    assert await service.ws.send("c") is Delivery.QUEUED
    await pass_time(TRIAL)
    assert wire.sent == ["a", "b", "c"]
    assert sender_of(service.ws).send == wire.send, "nothing is held, and nobody is suspect"
    await service.ws.close()


@pytest.mark.spec("G5.6")
@virtual
async def test_one_that_went_out_alone_is_known_although_it_has_left() -> None:
    service = Service(acknowledged=False)
    wire = await service.connect()
    await service.ws.send("small")
    wire.stall()
    sender = asyncio.ensure_future(service.ws.send("big"))
    await turns()
    wire.end(TOO_BIG)
    assert await sender is Delivery.QUEUED
    wire = await service.connect()
    assert (wire.sent, service.drops) == (["big"], [])
    wire.end(TOO_BIG)
    assert service.dropped == [("big", Reason.REFUSED)]
    wire = await service.connect()
    assert wire.sent == []
    await service.ws.close()


@pytest.mark.spec("G5.7")
@virtual
async def test_one_that_has_not_left_yet_gets_more_time() -> None:
    service = Service(acknowledged=False)
    service.ws.subscribe(
        lambda change: change.current is State.OPEN and service.transport.wires[-1].stall()
    )
    wire = await service.connect()
    sender = asyncio.ensure_future(service.ws.send("big"))
    await turns()
    wire.flow(1)
    second = asyncio.ensure_future(service.ws.send("a"))
    await turns()
    wire.end(TOO_BIG)
    await asyncio.gather(sender, second)
    assert service.suspects == ["a"]
    wire = await service.connect()
    await pass_time(3 * TRIAL)
    assert await service.ws.send("b") is Delivery.QUEUED
    wire.flow()
    await pass_time(2 * TRIAL)
    assert wire.sent == ["a", "b"]
    await service.ws.close()


@pytest.mark.spec("G5.5", "G5.6", "G8.1")
@virtual
async def test_a_refusal_of_what_on_open_sent_is_laid_at_no_message() -> None:
    async def subscribe(opening: recloser.Opening) -> None:
        await opening.send("subscribe to far too much")

    service = Service(on_open=subscribe)
    wire = await service.connect()
    await service.ws.send("message 1")
    wire.end(TOO_BIG)
    assert (service.suspects, service.drops) == (["message 1"], [])
    wire = await service.connect()
    assert wire.sent == ["subscribe to far too much"], "first it is seen that this is taken"
    wire.end(TOO_BIG)
    assert (service.suspects, service.drops) == (["message 1"], [])
    wire = await service.connect()
    await pass_time(TRIAL)
    assert wire.sent[1:] == ["message 1"]
    wire.end(TOO_BIG)
    assert service.dropped == [("message 1", Reason.REFUSED)]
    await service.ws.close()


@pytest.mark.spec("G5.6", "G3.4")
@virtual
async def test_an_answer_passes_a_suspect_and_may_be_the_refused_one() -> None:
    outbox = Outbox(acknowledgements=Acknowledgements(matcher=matcher, numbered=False))
    ws, transport = engine(*[UP] * 3, outbox=outbox, policy=REFUSES)
    ws.connect()
    await ws.wait_for(State.OPEN)
    for name in ("a", "b"):
        await ws.send(name, id=name)
    transport.wires[-1].end(TOO_BIG)
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()
    await ws.send("pong", this_generation=True)
    assert transport.wires[-1].sent == ["a", "pong"]
    transport.wires[-1].end(TOO_BIG)
    assert [(each.data, each.suspect) for each in ws.outbox.peek()] == [("a", True), ("b", True)]
    await ws.close()


@pytest.mark.spec("G5.6")
@virtual
async def test_another_end_changes_nothing_about_the_suspects() -> None:
    service = Service(policy=Answering(Stop(unsent=Unsent.DROP_REFUSED), Retry(5.0)))
    wire = await service.connect()
    for number in (1, 2):
        await service.ws.send(f"message {number}")
    wire.end(TOO_BIG)
    wire = await service.connect()
    wire.end(CUT)
    assert service.suspects == ["message 1", "message 2"]
    wire = await service.connect()
    assert wire.sent == ["message 1"]
    taken = service.ws.outbox.clear()
    assert [message.data for message in taken] == ["message 1", "message 2"]
    assert await service.ws.send("message 3") is Delivery.SENT
    await service.ws.close()


@pytest.mark.spec("G5.6")
@virtual
async def test_a_suspect_stays_one_in_the_outbox_of_another_engine() -> None:
    service, other = Service(), Service()
    wire = await service.connect()
    for number in (1, 2):
        await service.ws.send(f"message {number}")
    wire.end(TOO_BIG)
    wire = await other.connect()
    assert service.ws.outbox.move_to(other.ws) == 2
    await turns()
    assert (wire.sent, other.suspects) == (["message 1"], ["message 1", "message 2"])
    assert service.ws.outbox.peek() == ()
    wire.end(TOO_BIG)
    assert other.dropped == [("message 1", Reason.REFUSED)]
    await service.ws.close()
    await other.ws.close()


@pytest.mark.spec("G5.2", "G5.8", "G6")
@pytest.mark.parametrize("acknowledged", [True, False])
@real
async def test_suspects_outlive_the_process(tmp_path: Path, acknowledged: bool) -> None:
    """A service that ends when its engine gives up comes back, again and again."""
    path, wanted = tmp_path / "outbox.db", ACKNOWLEDGED if acknowledged else None
    options: dict[str, Any] = {"acknowledgements": wanted, "policy": REFUSES}
    ws, transport = make(path, UP, **options)
    ws.connect()
    await ws.wait_for(State.OPEN)
    wire = transport.wires[-1]
    await ws.send("taken")
    await until_sent(wire, ["taken"])
    wire.stall()
    senders = [asyncio.ensure_future(ws.send(each)) for each in ("big", "a")]
    async with asyncio.timeout(10):
        while len(wire.unsent_messages()) < 1 + (not acknowledged):  # noqa: ASYNC110 - a thread's work
            await asyncio.sleep(0)
    wire.end(TOO_BIG)
    await asyncio.gather(*senders)
    expected = [("taken", True), ("big", True), ("a", False)][0 if acknowledged else 1 :]
    assert [(each.data, each.suspect) for each in ws.outbox.peek()] == expected
    await ws.close()
    drops: list[Drop] = []
    ws, transport = make(
        killed(path, tmp_path / "again.db"), UP, UP, on_drop=drops.append, **options
    )
    ws.connect()
    await ws.wait_for(State.OPEN)
    wire = transport.wires[-1]
    if acknowledged:
        await until_sent(wire, ["taken"])
        wire.deliver("ack 1")
    await until_sent(wire, ["taken", "big"] if acknowledged else ["big"])
    wire.end(TOO_BIG)
    assert [(each.message.data, each.reason) for each in drops] == [("big", Reason.REFUSED)]
    assert [(each.data, each.suspect) for each in ws.outbox.peek()] == [("a", False)]
    await ws.close()


async def until_sent(wire: ScriptedWire, messages: list[str]) -> None:
    async with asyncio.timeout(10):
        while wire.sent != messages:  # noqa: ASYNC110 - a thread's work
            await asyncio.sleep(0)


@pytest.mark.spec("G5.5", "G5.6", "G7.1")
@pytest.mark.parametrize("durable", [False, True], ids=["memory", "file"])
async def test_a_real_server_with_a_limit_gets_all_but_what_is_above_it(
    tmp_path: Path, durable: bool
) -> None:
    """Its owner connects again after each refusal; a manager of services would do it."""
    arrived: list[int] = []

    async def receive(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(max_msg_size=1000, timeout=1.0)
        await ws.prepare(request)
        async for message in ws:
            number = int(str(message.data).split()[0])
            arrived.append(number)
            await ws.send_str(f"ack {number}")
        return ws

    drops: list[Drop] = []
    outbox = Outbox(
        path=tmp_path / "outbox.db" if durable else None,
        acknowledgements=Acknowledgements(matcher=matcher),
        on_drop=drops.append,
    )
    async with asyncio.timeout(PATIENCE), serving(receive) as url:
        ws = recloser.connect(url, outbox=outbox, policy=policies.standard())
        dials, number = 0, 0
        while number < 30 or len(ws.outbox):
            if ws.state is State.CLOSED:
                ws.connect()
                dials += 1
            with suppress(recloser.ConnectionClosed):
                while number < 30:
                    size = 5000 if number + 1 in (11, 12, 25) else 900
                    await ws.send(f"{number + 1} " + "x" * size, id=number + 1)
                    number += 1
                await ws.drain()
        await ws.close()
    assert [(drop.message.id, drop.reason) for drop in drops] == [
        (number, Reason.REFUSED) for number in (11, 12, 25)
    ]
    assert set(arrived) == set(range(1, 31)) - {11, 12, 25}
    assert dials <= 7, "two connections at most for each of them"
