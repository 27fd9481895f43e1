"""A service of ten engines for a long time: all goes on, nothing piles up, the log tells it all.

Ten virtual days always; ten real minutes, or RECLOSER_MINUTES of them, in the slow profile.
"""

import asyncio
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import WSCloseCode, WSMsgType, web

import recloser
from recloser import State
from recloser.fsm import Cause, Close, Origin
from recloser.policies import standard
from recloser.testing import Plan, ScriptedTransport, ScriptedWire, run
from recloser.transport import DialFailed, Request

Line = MutableMapping[str, Any]
ENGINES = 10
DAY = 86_400.0
REFUSED = {"origin": Origin.PEER, "cause": Cause.REFUSED, "code": 1006}
SAID = {"origin": Origin.PEER, "cause": Cause.CLOSE_FRAME, "clean": True}
ENDS = (
    Close(code=1000, reason="Token expired", **SAID),
    Close(code=1000, reason="", **SAID),
    Close(code=1001, **SAID),
    Close(code=1012, reason="restart", **SAID),
    Close(code=1013, **SAID),
    Close.cut(Cause.RESET),
    Close.by_engine(Cause.HEARTBEAT),
)
DIALS = (
    *(Plan() for _ in range(12)),
    Plan(takes=2.0),
    Plan(takes=float("inf")),
    Plan(refused=Close(status=503, retry_after=7.0, **REFUSED)),
    Plan(refused=Close(status=429, **REFUSED)),
    Plan(refused=Close.cut(Cause.TCP)),
    Plan(refused=Close.cut(Cause.DNS)),
)


class Tokens:
    """What a login service knows: the token of the hour, and the one before.

    A token is good for some seconds at least, so that who asks for one can dial with it.
    """

    def __init__(self) -> None:
        self.current = 1
        self.since = -inf

    def expire(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self.since >= 3.0:
            self.current += 1
            self.since = now

    def fetch(self) -> str:
        return f"token {self.current}"

    def accepts(self, header: str | None) -> bool:
        return header in {f"Bearer token {number}" for number in (self.current, self.current - 1)}


class Weather(ScriptedTransport):
    """Peers that come and go for ever, each socket for some hours, with a message an hour."""

    def __init__(self, dice: random.Random, tokens: Tokens) -> None:
        super().__init__(dice.choice(DIALS) for _ in iter(int, 1))
        self.dice = dice
        self.tokens = tokens

    async def dial(self, request: Request, ended: Callable[[Close], None]) -> ScriptedWire:
        assert not self.live
        if not self.tokens.accepts(request.headers["Authorization"]):
            raise DialFailed(Close(status=401, **REFUSED))
        wire = await super().dial(request, ended)
        loop = asyncio.get_running_loop()
        life = self.dice.choice((2.0, self.dice.expovariate(1 / 7200)))
        for at in range(0, int(life), 3600):
            loop.call_later(at, wire.deliver, f"{len(self.wires)}")
        loop.call_later(life, self.finish, wire, self.dice.choice(ENDS))
        return wire

    def finish(self, wire: ScriptedWire, close: Close) -> None:
        if not wire.over and close.reason == "Token expired":
            self.tokens.expire()
        wire.end(close)


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    kept: list[Line] = []

    def keep(_logger: object, event: str, line: Line) -> Line:
        kept.append({"event": event, **line})
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], cache_logger_on_first_use=False)
    try:
        yield kept
    finally:
        structlog.configure(**before)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def check_the_story(lines: list[Line]) -> Counter[str]:
    """Each engine's lines are one path through the machine, and each end has its record."""
    stories: defaultdict[object, list[Line]] = defaultdict(list)
    for line in lines:
        assert line["event"] == "websocket.state_changed", line
        assert "token " not in str(line)
        stories[line["engine"]].append(line)
    assert len(stories) == ENGINES
    for story in stories.values():
        assert (story[0]["from"], story[-1]["to"]) == ("closed", "closed")
        assert all(before["to"] == after["from"] for before, after in pairwise(story))
        opened = [line["generation"] for line in story if line["to"] == "open"]
        ended = [line["generation"] for line in story if line["uptime"] is not None]
        assert opened == ended == sorted(set(opened))
        assert all(line["rule"] for line in story if line["code"] is not None)
        assert story[-1]["trigger"] == "close" or story[-1]["intentional"]
        assert not any(line["intentional"] for line in story[:-1])
    return Counter(line["to"] for line in lines)


async def live(
    engines: list[recloser.ReconnectingWebSocket], seconds: float
) -> tuple[int, dict[str, object]]:
    """Do what the README says a service does; how many messages came, and what failed."""
    taken = 0

    async def handle(ws: recloser.ReconnectingWebSocket) -> None:
        nonlocal taken
        async for _ in ws:
            taken += 1

    async def nudge() -> None:
        while True:  # a peer's third 1000 in a row puts an engine to rest; somebody wakes it
            for ws in engines:
                if ws.state is State.PASSIVE:
                    ws.wake()
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds / 500)

    async with recloser.Supervisor(deadline=2.0) as supervisor:
        for number, ws in enumerate(engines):
            supervisor.add(ws, handle, name=f"feed {number}")
        nudging = asyncio.create_task(nudge())
        await asyncio.wait({nudging}, timeout=seconds)
        nudging.cancel()
        await asyncio.wait({nudging})
        # Whoever is on the way gets there, so that every engine is left in the same way.
        for ws in engines:
            ws.connect()
            while ws.state is not State.OPEN:
                await ws.wait_for(State.OPEN)
    return taken, dict(supervisor.failures)


@pytest.mark.spec("A11.5", "E1.1", "E3.1", "H7.1", "I1.1", "I2", "J1.1")
def test_ten_virtual_days(lines: list[Line]) -> None:
    tokens = Tokens()
    shared = recloser.Credentials(tokens.fetch)
    weathers = [Weather(random.Random(number), tokens) for number in range(ENGINES)]

    async def service() -> tuple[int, dict[str, object]]:
        engines = [
            recloser.connect(
                "ws://feed.example/",
                transport=weather,
                credentials=shared,
                policy=standard(peer_normal="hold" if number % 5 == 0 else "retry"),
                fields={"engine": number},
                seed=number,
            )
            for number, weather in enumerate(weathers)
        ]
        outcome = await live(engines, 10 * DAY)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return outcome

    taken, failures = run(service())
    assert not failures
    assert not any(weather.live or weather.dialling for weather in weathers)
    seen = check_the_story(lines)
    assert set(seen) == {state.value for state in State}
    assert seen["open"] > 10 * ENGINES * 10
    assert taken > 10 * ENGINES * 10
    assert tokens.current > ENGINES


class Unruly:
    """A real server for all engines: tokens expire, it restarts, hangs, refuses and closes."""

    def __init__(self, dice: random.Random, tokens: Tokens) -> None:
        self.dice = dice
        self.tokens = tokens
        self.over = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if not self.tokens.accepts(request.headers.get("Authorization")):
            return web.Response(status=401)
        fate = self.dice.choice(("expire", "normal", "restart", "hang", "cut", "refuse"))
        if fate == "refuse":
            return web.Response(status=503, headers={"Retry-After": "1"})
        ws = web.WebSocketResponse(autoping=fate != "hang")
        await ws.prepare(request)
        await ws.send_str("hello")
        try:
            async with asyncio.timeout(self.dice.uniform(0.2, 4.0)):
                async for message in ws:
                    if message.type is WSMsgType.TEXT:
                        await ws.send_str(message.data)
        except TimeoutError:
            if fate == "expire":
                self.tokens.expire()
                await ws.close(code=WSCloseCode.OK, message=b"Token expired")
            elif fate == "normal":
                await ws.close(code=WSCloseCode.OK)
            elif fate == "restart":
                await ws.close(code=WSCloseCode.SERVICE_RESTART)
            elif fate == "cut" and request.transport is not None:
                request.transport.abort()
            elif fate == "hang":
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.over.wait(), 6.0)
        return ws


@pytest.mark.slow
@pytest.mark.spec("A11.5", "E3.1", "F1.1", "H7.1", "J1.1")
async def test_ten_real_minutes(lines: list[Line]) -> None:
    minutes = float(os.environ.get("RECLOSER_MINUTES", "10"))
    tokens = Tokens()
    server = Unruly(random.Random(1), tokens)
    app = web.Application()
    app.router.add_get("/", server.serve)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shared = recloser.Credentials(tokens.fetch)
    before = descriptors()
    engines = [
        recloser.connect(
            f"ws://127.0.0.1:{runner.addresses[0][1]}/",
            credentials=shared,
            heartbeat=1.0,
            timeouts=recloser.Timeouts(stable=2.0),
            fields={"engine": number},
        )
        for number in range(ENGINES)
    ]
    try:
        taken, failures = await live(engines, minutes * 60)
    finally:
        server.over.set()
        await runner.cleanup()
    assert not failures
    seen = check_the_story(lines)
    assert {"open", "backoff", "closing"} <= set(seen)
    assert taken >= seen["open"] - ENGINES
    assert descriptors() <= before
