"""examples/app_socket.py against a service that gives a URL a dial, and sends again what is not
acknowledged."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

import recloser
from examples import app_socket
from recloser import Close
from recloser.transport import Request
from tests.engine.rig import now, pass_time, virtual
from tests.engine.served import serving
from tests.examples.service import Client, Service


class Slack(Service):
    """Tickets are for one dial; an envelope without an acknowledgement comes again."""

    def __init__(self) -> None:
        super().__init__()
        self.tickets = 0
        self.valid = set[str]()
        self.dials: list[float] = []
        self.waiting: dict[str, Any] = {}
        self.acknowledged: list[str] = []
        self.number = 0

    async def open(self) -> str:
        """What apps.connections.open answers."""
        self.tickets += 1
        url = f"wss://wss-primary.example/link/?ticket={self.tickets}"
        self.valid.add(url)
        return url

    def admit(self, request: Request) -> Close | None:
        self.dials.append(now())
        if request.url not in self.valid:
            return Close.refused(408)
        self.valid.remove(request.url)
        return None

    async def serve(self, client: Client) -> None:
        client.send({"type": "hello", "num_connections": 1})
        for envelope in self.waiting.values():
            client.send(envelope)
        while True:
            number = (await client.receive())["envelope_id"]
            assert number in self.waiting, "acknowledged twice, or on another connection"
            del self.waiting[number]
            self.acknowledged.append(number)

    def happen(self, text: str) -> None:
        self.number += 1
        number = f"e{self.number}"
        envelope = {"envelope_id": number, "type": "events_api", "payload": {"text": text}}
        self.waiting[number] = envelope
        if self.clients and not self.clients[-1].gone:
            self.clients[-1].send(envelope)

    def disconnect(self, reason: str) -> None:
        self.clients[-1].send({"type": "disconnect", "reason": reason})


class App:
    """The example at work, and what it has handled."""

    def __init__(self) -> None:
        self.service = Slack()
        self.handled: list[str] = []
        self.takes = 0.0

    async def _handle(self, payload: Any) -> None:
        self.handled.append(payload["text"])
        if self.takes:
            await pass_time(self.takes)

    def start(self) -> "asyncio.Task[None]":
        service = self.service
        running = app_socket.run(service.open, self._handle, transport=service, seed=1)
        return asyncio.create_task(running)


@pytest.mark.spec("B14.4", "E1.1")
@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
def test_it_comes_back_with_a_new_url_and_no_event_is_lost_or_handled_twice(reason: str) -> None:
    @virtual
    async def story() -> None:
        app = App()
        running = app.start()
        service = app.service
        await pass_time(1.0)
        service.happen("one")
        await pass_time(1.0)
        service.disconnect(reason)
        await pass_time(0.1)
        service.happen("two, while away")
        await pass_time(60.0)
        assert app.handled == ["one", "two, while away"]
        assert service.acknowledged == ["e1", "e2"]
        assert (service.tickets, len(service.clients)) == (2, 2)
        assert service.clients[0].left_with == (1011, reason)
        running.cancel()
        await asyncio.wait((running,))

    story()


@virtual
async def test_what_is_not_acknowledged_comes_again_and_is_handled_once() -> None:
    app = App()
    running = app.start()
    await pass_time(1.0)
    app.takes = 5.0
    app.service.happen("slow")
    await pass_time(1.0)
    app.service.clients[0].close(1001)  # while the handler is at work
    await pass_time(60.0)
    assert app.handled == ["slow"]
    assert app.service.acknowledged == ["e1"]
    assert len(app.service.clients) == 2
    running.cancel()
    await asyncio.wait((running,))


@virtual
async def test_a_server_that_says_disconnect_each_time_is_not_dialled_in_a_hot_loop() -> None:
    app = App()
    running = app.start()
    for _ in range(120):
        await pass_time(1.0)
        if not app.service.clients[-1].gone:
            app.service.disconnect("refresh_requested")
    gaps = [later - former for former, later in pairwise(app.service.dials)]
    assert min(gaps) >= 1.0
    assert len(app.service.dials) < 40
    running.cancel()
    await asyncio.wait((running,))


@virtual
async def test_an_app_that_is_switched_off_ends() -> None:
    app = App()
    running = app.start()
    await pass_time(1.0)
    app.service.disconnect("link_disabled")
    await pass_time(3600.0)
    assert running.done()
    assert isinstance(running.exception(), recloser.ConnectionClosed)
    assert len(app.service.clients) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"ok": True, "url": "wss://x.example/?ticket=1"}, "wss://x.example/?ticket=1"),
        ({"ok": False, "error": "invalid_auth"}, recloser.Unauthorized),
        ({"ok": False, "error": "ratelimited"}, ConnectionError),
    ],
)
async def test_the_url_is_asked_for(
    answer: Any, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answers(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer xapp"
        return web.Response(text=json.dumps(answer), content_type="application/json")

    async with serving(answers, method="POST") as url:
        monkeypatch.setattr(app_socket, "OPEN", url.replace("ws:", "http:"))
        if isinstance(expected, str):
            assert await app_socket.address("xapp") == expected
        else:
            with pytest.raises(expected):
                await app_socket.address("xapp")
