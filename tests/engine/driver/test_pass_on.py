"""`Opening.pass_on`: what the hook received on its way is the application's, in order (G8.6)."""

import json
from typing import Any

import pytest

import recloser
from recloser import Acknowledgements, Outbox, State
from recloser.testing import Fault, ScriptedServer
from tests.engine.rig import PATIENT, Hasty

GREETING = ("one", "two", "subscribed", "three")


async def subscribe(opening: recloser.Opening) -> None:
    """Wait for the confirmation amid events, as feeds send it."""
    while (message := await opening.receive()) != "subscribed":
        opening.pass_on(message)


@pytest.mark.spec("G8.6")
@pytest.mark.parametrize("outbox", [False, True])
async def test_messages_come_in_order_on_every_connection(*, outbox: bool) -> None:
    faults = [Fault(do="cut", send=GREETING), Fault(do="serve", send=GREETING, times=0)]
    async with ScriptedServer(faults) as server:
        box = Outbox() if outbox else None
        ws = recloser.connect(
            server.url, on_open=subscribe, outbox=box, clock=Hasty(), timeouts=PATIENT
        )
        async with ws:
            first = [await ws.receive() for _ in range(3)]
            ws.connect()
            second = [await ws.receive() for _ in range(3)]
            await ws.send("last")
            assert await ws.receive() == "last"
    assert first == second == ["one", "two", "three"]


@pytest.mark.spec("G8.6", "G7.5")
@pytest.mark.parametrize("passed_to_consumer", [False, True])
async def test_an_acknowledgement_that_is_passed_on_is_heard(*, passed_to_consumer: bool) -> None:
    def acknowledged(message: str | bytes) -> Any:
        return json.loads(message).get("ack")

    async def greet(opening: recloser.Opening) -> None:
        if opening.generation == 1:
            return
        for _ in range(2):
            opening.pass_on(await opening.receive())

    options = Acknowledgements(matcher=acknowledged, numbered=False, pass_on=passed_to_consumer)
    told = (json.dumps({"event": 1}), json.dumps({"ack": "order 1"}))
    faults = [Fault(do="cut", after=0.05), Fault(do="serve", send=told, times=0)]
    async with ScriptedServer(faults) as server:
        ws = recloser.connect(
            server.url,
            on_open=greet,
            outbox=Outbox(acknowledgements=options),
            clock=Hasty(),
            timeouts=PATIENT,
        )
        async with ws:
            await ws.send(json.dumps({"id": "order 1"}), id="order 1")
            while await ws.receive() != told[0]:
                """The server of the first connection echoes the order."""
            if passed_to_consumer:
                assert await ws.receive() == told[1]
            assert len(ws.outbox) == 0
            assert ws.statistics().acknowledged == 1


@pytest.mark.spec("G8.6", "G8.2")
async def test_messages_of_a_failed_opening_are_dropped() -> None:
    async def fail(opening: recloser.Opening) -> None:
        opening.pass_on(await opening.receive())
        if opening.generation == 1:
            raise recloser.OpeningFailed(4000)

    async with ScriptedServer([Fault(do="serve", send=("hello",), times=0)]) as server:
        ws = recloser.connect(server.url, on_open=fail, clock=Hasty(), timeouts=PATIENT)
        ws.connect()
        await ws.wait_for(State.BACKOFF)
        ws.connect()
        await ws.wait_for(State.OPEN)
        await ws.send("last")
        assert [await ws.receive(), await ws.receive()] == ["hello", "last"]
        await ws.close()


@pytest.mark.spec("G8.6")
async def test_it_is_for_messages_and_for_the_hook_alone() -> None:
    kept: list[recloser.Opening] = []

    async def keep(opening: recloser.Opening) -> None:
        kept.append(opening)
        with pytest.raises(TypeError, match="a message is str or bytes, not int"):
            opening.pass_on(1)  # type: ignore[arg-type] # the point of the test

    async with (
        ScriptedServer([Fault(do="serve")]) as server,
        recloser.connect(server.url, on_open=keep),
    ):
        with pytest.raises(recloser.RecloserError, match="before it does"):
            kept[0].pass_on("late")
