"""The public API as a script that is type-checked against the built wheel and never run.

`make types` runs mypy --strict on it. An `ignore` that is not needed is an error there, so the
lines that must be refused are checked as well.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, assert_type

from aiohttp import web

import recloser
from recloser import (
    Acknowledgements,
    Close,
    ConnectionClosed,
    Context,
    Credentials,
    Delivery,
    Drop,
    Hold,
    Opening,
    Outbox,
    PolicyError,
    ReconnectingWebSocket,
    Retry,
    Settled,
    State,
    StateChange,
    Status,
    Stop,
    Timeouts,
    policies,
)
from recloser.credentials import Token, header, query, subprotocol
from recloser.fsm import Cause, Decision, Guard, Origin, Policy, Trigger, Unsent, Wish
from recloser.inspector import Inspector, aiohttp_app, asgi_app
from recloser.metrics import PrometheusMetrics
from recloser.outbox import Message, UpTo
from recloser.statistics import CloseAlarm, CloseKind, CloseStatistics


class Mine:
    """A policy needs no base class."""

    def decide(self, close: Close, context: Context, /) -> Decision:
        assert_type(close.code, int)
        assert_type(close.origin, Origin)
        assert_type(close.cause, Cause)
        assert_type(close.wish, Wish | None)
        assert_type(context.uptime, float | None)
        if close.intentional:
            return Stop(rule="asked", unsent=Unsent.DROP)
        return Retry(2.0 * context.roll) if context.attempt < 5 else Hold()


class Late:
    """A policy that is async by mistake."""

    async def decide(self, close: Close, context: Context, /) -> Decision:
        return Stop()


mine: Policy = Mine()
shipped: Policy = policies.standard()
late: Policy = Late()  # type: ignore[assignment] # must be refused: decide is async


def token() -> str:
    return "wss://feed.example/v1?token=1"


async def headers() -> dict[str, str]:
    return {"Authorization": "Bearer 1"}


async def sign_in() -> Token:
    return Token("1", expires_in=3600, expires_at=2e9)


shared = Credentials(sign_in, refresh=lambda: "2", place=query(), ahead=60, timeout=None)
assert_type(shared.can_refresh, bool)
assert_type(shared.forget(), None)
Credentials({"X-Key": "1"}, place=header("X-Token", scheme=""), cache=False)
Credentials("1", place=subprotocol("auth."))
Credentials(lambda: 7)  # type: ignore[arg-type, return-value] # must be refused: no credential


async def identify(opening: Opening) -> None:
    assert_type(opening.generation, int)
    assert_type(opening.subprotocol, str | None)
    await opening.send("hello")
    await opening.send_json({"op": 2})


async def consume(ws: ReconnectingWebSocket) -> None:
    async for message in ws:
        assert_type(message, str | bytes)


async def use() -> None:
    ws = recloser.connect(
        token,
        policy=Mine(),
        credentials=shared,
        on_open=identify,
        timeouts=Timeouts(connect=5),
        heartbeat=20,
        fields={"user": 7},
        headers=headers,
        subprotocols=("v1",),
    )
    assert_type(ws, ReconnectingWebSocket)
    async with ws as same:
        assert_type(same, ReconnectingWebSocket)
        async for message in ws:
            assert_type(message, str | bytes)
        assert_type(await ws.receive(), str | bytes)
        assert_type(await ws.send(b"x"), Delivery)
        assert_type(await ws.send("x", ttl=1.5, key=("a", 1), this_generation=True), Delivery)
        assert_type(await ws.send("x", id="order 7"), Delivery)
        assert_type(await ws.send_json({"a": 1}), Delivery)
        assert_type(await ws.send_json({"a": 1}, ttl=1.5, key="a", id="order 8"), Delivery)
        assert_type(await ws.drain(), None)
        assert_type(ws.outbox.move_to(ws), int)
        assert_type(ws.outbox.ack("order 7", up_to=True), int)
        assert_type([each.data for each in ws.outbox.peek()], list[str | bytes])
        await ws.wait_for(State.OPEN)
    assert_type(ws.state, State)
    assert_type(ws.attempt, int)
    assert_type(ws.retry_in, float | None)
    assert_type(ws.last_close, Close | None)
    assert_type(ws.changes(), AsyncIterator[StateChange])
    assert_type(ws.subscribe(print), Callable[[], None])
    settled = ws.settled(after=1)
    assert_type(settled, Settled)
    assert_type(settled.status, Status)
    async for status in settled:
        assert_type(status, Status)
    assert_type(ws.connect(), None)
    assert_type(ws.reconnect(4000, "again"), None)
    assert_type(ws.wake(), None)
    assert_type(ws.mark_healthy(), None)
    assert_type(ws.fail("invalid session", code=4000, generation=ws.generation), None)
    assert_type(ws.advise("maintenance", retry_after=3.0), None)
    queries = recloser.Queries(ws, key=lambda message: message[:4])
    assert_type(await queries.ask("1234 now?", "1234", within=5), str | bytes)
    assert_type(await queries.receive(), str | bytes)
    async with recloser.Supervisor(signals=(signal.SIGTERM,), code=1001) as supervisor:
        supervisor.add(ws, consume, name="feed", restart=recloser.policies.standard())
        assert_type(supervisor.states(), dict[str, State])
        await supervisor.wait()
    await ws.suspend()
    await ws.suspend_until(asyncio.Event().wait(), 4000, "night")
    with recloser.hints.network(ws.wake), recloser.hints.signalled(ws.wake, signal.SIGCONT):
        pass
    await ws.close(code=1000, reason="")
    await ws.send(1)  # type: ignore[arg-type] # must be refused: neither str nor bytes
    recloser.connect("ws://x", credentials="token", follow_redirects=3, proxy="env", compression=12)
    recloser.connect("ws://x", heartbeat=recloser.Heartbeat(30, 10, lambda: "ping"))
    recloser.connect("ws://x", credentials=headers)
    recloser.connect("ws://x", retries=3)  # type: ignore[call-arg] # must be refused: no such option


async def long_lives(ws: recloser.ReconnectingWebSocket, supervisor: recloser.Supervisor) -> None:
    assert_type(await ws.move(4000, "new home"), None)
    assert_type(await recloser.Distinct(ws, key=len, keep=100).receive(), str | bytes)
    assert_type(await supervisor.replace("feed", ws, consume), None)
    recloser.connect("ws://x", budget=recloser.Budget((300, 300.0), path="dials.db"))


def dropped(drop: Drop) -> None:
    assert_type(drop.message.data, str | bytes)


recloser.connect("ws://x", outbox=Outbox(max_messages=5, when_full="raise", on_drop=dropped))


def acknowledged(message: str | bytes) -> UpTo | None:
    return UpTo(int(message[4:])) if isinstance(message, str) and message[:4] == "ack " else None


def rendered(message: Message) -> str:
    return f"{message.id!r} {message.redelivered} {message.data!r}"


Outbox(
    path="outbox.db",
    fsync=True,
    acknowledgements=Acknowledgements(matcher=acknowledged, render=rendered, window=10),
)
Outbox(when_full="explode")  # type: ignore[arg-type] # must be refused: no such choice


def watch(change: StateChange) -> Any:
    assert_type(change.previous, State)
    assert_type(change.trigger, Trigger)
    assert_type(change.close, Close | None)
    assert_type(change.decision, Retry | Hold | Stop | None)
    return Guard.RETRY


def errors(error: Exception) -> None:
    if isinstance(error, PolicyError):
        assert_type(error.close, Close)
        assert_type(error.answer, object)
    if isinstance(error, ConnectionClosed):
        assert_type(error.change, StateChange | None)


def seeing(ws: recloser.ReconnectingWebSocket, app: web.Application) -> None:
    closes = CloseStatistics(on_alarm=lambda alarm: print(alarm.reading, alarm.kind.code))
    assert_type(closes.counts(within=600.0), Mapping[CloseKind, int])
    assert_type(closes.alarms, list[CloseAlarm])
    inspector = Inspector(closes=closes)
    inspector.watch("ada", ws)
    app.add_subapp("/recloser/", aiohttp_app(inspector))
    asgi_app(inspector, token="0" * 32, allow_remote=True)
    observers: list[Callable[[StateChange], object]] = [closes, PrometheusMetrics().bind("ada")]
    recloser.connect("ws://x", observers=observers)
    CloseStatistics(on_alarm=3)  # type: ignore[arg-type] # must be refused: no function
