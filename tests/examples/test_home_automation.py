"""examples/home_automation.py against a server that asks for the token and sends events between."""

import asyncio
from typing import Any, Self

import pytest

from examples.home_automation import Home
from recloser import Close, ConnectionClosed, State
from recloser.fsm import Cause
from tests.engine.rig import pass_time, virtual
from tests.examples.service import Client, Service


class House(Service):
    """Home Assistant: states of devices, and commands whose ids must grow on each connection."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = {"good"}
        self.devices = {"light.hall": "off", "light.kitchen": "off"}
        self.presented: list[str] = []
        self.mute = False
        """Commands get no answer."""
        self.listening: dict[Client, int] = {}

    async def serve(self, client: Client) -> None:
        client.send({"type": "auth_required", "ha_version": "2026.11"})
        auth = await client.receive()
        assert auth["type"] == "auth"
        self.presented.append(auth["access_token"])
        if auth["access_token"] not in self.tokens:
            client.send({"type": "auth_invalid", "message": "Invalid access token or password"})
            client.close(1000)
            return
        client.send({"type": "auth_ok"})
        last = 0
        while True:
            command = await client.receive()
            assert command["id"] > last, "id_reuse"
            last = command["id"]
            if not self.mute:
                self.answer(client, command)

    def answer(self, client: Client, command: dict[str, Any]) -> None:
        number, result = command["id"], None
        match command:
            case {"type": "subscribe_events"}:
                self.listening[client] = number
                self.happen("light.hall", "flickers")  # an event before the answer
            case {"type": "get_states"}:
                result = [{"entity_id": name, "state": it} for name, it in self.devices.items()]
            case {"type": "call_service", "service_data": {"entity_id": name}}:
                if name not in self.devices:
                    error = {"code": "not_found", "message": f"no {name}"}
                    answer = {"id": number, "type": "result", "success": False, "error": error}
                    client.send(answer)
                    return
                self.happen(name, command["service"].removeprefix("turn_"))
        client.send({"id": number, "type": "result", "success": True, "result": result})

    def happen(self, name: str, value: str) -> None:
        self.devices[name] = value
        for client, number in self.listening.items():
            if not client.gone:
                new = {"entity_id": name, "state": value}
                data = {"entity_id": name, "new_state": new}
                client.send({"id": number, "type": "event", "event": {"data": data}})


class Life:
    """The example at work, and what it has seen."""

    def __init__(self, *tokens: str) -> None:
        self.service = House()
        left = list(tokens)
        self.home = Home(
            "ws://home.example/api/websocket", lambda: left.pop(0), transport=self.service, seed=1
        )
        self.seen: list[tuple[str, str]] = []
        self.outcome: Any = None

    async def __aenter__(self) -> Self:
        self.home.ws.connect()
        self._task = asyncio.create_task(self._consume())
        await pass_time(1.0)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.home.ws.close()
        (self.outcome,) = await asyncio.gather(self._task, return_exceptions=True)

    async def _consume(self) -> None:
        async for change in self.home.changes():
            self.seen.append(change)


@pytest.mark.spec("G8.1", "G10.2")
@virtual
async def test_the_view_is_right_after_each_outage() -> None:
    async with Life("good") as life:
        house = life.service
        assert life.home.states == house.devices
        house.happen("light.hall", "on")
        await pass_time(1.0)
        assert life.seen[-1] == ("light.hall", "on")
        house.clients[-1].cut(Close.cut(Cause.RESET))
        house.happen("light.kitchen", "on")
        await pass_time(60.0)
        assert life.home.states == house.devices
        assert ("light.kitchen", "on") in life.seen, "it has changed while nobody was connected"
        assert house.presented == ["good", "good"]


@pytest.mark.spec("G10.1", "G10.3")
@virtual
async def test_a_call_is_answered_refused_or_fails_with_its_connection() -> None:
    async with Life("good") as life:
        await life.home.call("light", "turn_on", entity_id="light.hall")
        await pass_time(1.0)
        assert life.seen[-1] == ("light.hall", "on")
        with pytest.raises(ValueError, match=r"no light\.attic"):
            await life.home.call("light", "turn_on", entity_id="light.attic")
        life.service.mute = True
        call = asyncio.create_task(life.home.call("light", "turn_on", entity_id="light.kitchen"))
        await pass_time(1.0)
        life.service.clients[-1].close(1001)
        with pytest.raises(ConnectionError, match="ask again"):
            await call
        life.service.mute = False
        await life.home.ws.wait_for(State.OPEN)
        await life.home.call("light", "turn_on", entity_id="light.kitchen")
        assert life.service.devices["light.kitchen"] == "on"


@pytest.mark.spec("E3.1")
@virtual
async def test_a_spent_token_is_replaced_once() -> None:
    async with Life("spent", "good") as life:
        await pass_time(30.0)
        assert life.service.presented == ["spent", "good"]
        assert life.home.ws.state is State.OPEN


@pytest.mark.spec("E3.2")
@virtual
async def test_a_token_that_is_never_accepted_ends_it() -> None:
    async with Life("bad", "worse", "worst") as life:
        await pass_time(3600.0)
        assert life.service.presented == ["bad", "worse"]
        assert life.home.ws.state is State.CLOSED
    assert isinstance(life.outcome, ConnectionClosed)
