"""examples/chat_gateway.py against a gateway that resumes sessions and wants its heartbeat."""

import asyncio
from typing import Any, Self

import pytest

from examples.chat_gateway import OVER, Gateway
from recloser import Close, ConnectionClosed, State
from recloser.fsm import Cause
from tests.engine.rig import now, pass_time, virtual
from tests.examples.service import Client, Service

INTERVAL = 41.25
"""Seconds, as Discord says it in milliseconds."""


class Discord(Service):
    """Keeps the events of a session, and replays those that a resumed client has not seen."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, list[dict[str, Any]]] = {}
        self.begun: list[str] = []
        """Identify or Resume of each connection."""
        self.beats: list[float] = []
        self.deaf = False
        """Heartbeats are not acknowledged."""
        self.forgets = False
        """No session can be resumed."""
        self.present: Client | None = None
        self.session = ""

    async def serve(self, client: Client) -> None:
        client.send({"op": 10, "d": {"heartbeat_interval": INTERVAL * 1000}})
        hello = await client.receive()
        self.begun.append({2: "identify", 6: "resume"}[hello["op"]])
        assert hello["d"]["token"] == "secret"
        if hello["op"] == 6 and self.forgets:
            client.send({"op": 9, "d": False})
        elif hello["op"] == 6:
            assert "resume.example" in client.request.url
            self.session = hello["d"]["session_id"]
            for event in self.sessions[self.session]:
                if event["s"] > hello["d"]["seq"]:
                    client.send(event)
            self.present = client
            self.event("RESUMED")
        else:
            self.session = f"session {len(self.sessions)}"
            self.sessions[self.session] = []
            self.present = client
            self.event("READY", session_id=self.session, resume_gateway_url="ws://resume.example/")
        last = now()
        try:
            while True:
                async with asyncio.timeout(1.5 * INTERVAL):
                    message = await client.receive()
                assert message["op"] == 1
                self.beats.append(now() - last)
                last = now()
                if not self.deaf:
                    client.send({"op": 11})
        except TimeoutError:
            client.close(4009, "Session timed out.")
        finally:
            if self.present is client:
                self.present = None

    def event(self, kind: str, **data: Any) -> None:
        """Happen: whoever is there is told now, whoever resumes later."""
        events = self.sessions[self.session]
        events.append({"op": 0, "t": kind, "s": len(events) + 1, "d": data})
        if self.present is not None and not self.present.gone:
            self.present.send(events[-1])

    def say(self, text: str) -> None:
        self.event("MESSAGE_CREATE", content=text)

    @property
    def client(self) -> Client:
        return self.clients[-1]


class Life:
    """The gateway of the example at work, and what its application has seen."""

    def __init__(self) -> None:
        self.service = Discord()
        self.gateway = Gateway("secret", "ws://gateway.example/", transport=self.service, seed=1)
        self.seen: list[str] = []
        self.outcome: BaseException | None = None

    async def __aenter__(self) -> Self:
        await self.gateway.ws.__aenter__()
        self._task = asyncio.create_task(self._consume())
        await pass_time(1.0)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.gateway.ws.close()
        (self.outcome,) = await asyncio.gather(self._task, return_exceptions=True)

    async def _consume(self) -> None:
        async for kind, data in self.gateway.events():
            if kind == "MESSAGE_CREATE":
                self.seen.append(data["content"])


@pytest.mark.spec("B14.4")
@virtual
async def test_a_session_is_resumed_and_no_event_is_lost_or_doubled() -> None:
    async with Life() as life:
        service = life.service
        service.say("one")
        await pass_time(5.0)
        service.client.send({"op": 7, "d": None})
        await pass_time(0.1)
        assert life.gateway.ws.state is not State.OPEN
        service.say("two, while away")
        await pass_time(60.0)
        service.say("three")
        service.client.cut(Close.cut(Cause.RESET))
        service.say("four, while away")
        await pass_time(60.0)
        assert service.begun == ["identify", "resume", "resume"]
        assert service.clients[0].left_with == (4000, "asked to reconnect")
        assert life.seen == ["one", "two, while away", "three", "four, while away"]


@virtual
async def test_the_server_dictates_the_heartbeat() -> None:
    async with Life() as life:
        await pass_time(10 * INTERVAL)
        beats = life.service.beats
        assert len(beats) in (10, 11)
        assert beats[0] <= INTERVAL, "the first is spread over the interval"
        assert beats[1:] == pytest.approx([INTERVAL] * len(beats[1:]))
        count = len(beats)
        life.service.client.send({"op": 1, "d": None})
        await pass_time(0.1)
        assert len(beats) >= count + 1, "the server asks for one at once"
        assert beats[count] < INTERVAL


@virtual
async def test_a_server_that_does_not_answer_is_left_and_the_session_resumed() -> None:
    async with Life() as life:
        life.service.deaf = True
        await pass_time(2 * INTERVAL)
        life.service.deaf = False
        await pass_time(INTERVAL)
        assert life.service.begun[:2] == ["identify", "resume"]
        assert "identify" not in life.service.begun[1:]
        assert life.service.clients[0].left_with == (4000, "no answer")


@pytest.mark.parametrize("how", ["invalid session", "4007", "1000"])
def test_a_session_that_is_over_is_begun_anew(how: str) -> None:
    @virtual
    async def story() -> None:
        async with Life() as life:
            service = life.service
            if how == "invalid session":
                service.forgets = True
                service.client.cut(Close.cut(Cause.EOF))
            else:
                service.client.close(int(how))
            await pass_time(90.0)
            expected = ["identify", "resume", "identify"] if how == "invalid session" else None
            assert service.begun == (expected or ["identify", "identify"])
            service.say("new")
            await pass_time(1.0)
            assert life.seen == ["new"]

    story()


@virtual
async def test_a_token_that_is_refused_ends_it() -> None:
    async with Life() as life:
        life.service.client.close(4004, "Authentication failed.")
        await pass_time(3600.0)
        assert life.gateway.ws.state is State.CLOSED
        assert len(life.service.clients) == 1
    assert isinstance(life.outcome, ConnectionClosed)


def test_what_begins_a_session_anew_is_in_the_catalogue() -> None:
    assert {code for code in range(1000, 5000) if any(code in codes for codes in OVER)} == {
        1000, 4003, 4005, 4007, 4008, 4009,
    }  # fmt: skip
