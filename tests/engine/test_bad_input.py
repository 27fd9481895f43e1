"""Bad input gives a clear error at the call, in every state, and nothing changes."""

import signal
from collections.abc import Callable, Coroutine
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

import recloser
from recloser import RecloserError, SessionClosed, Stop, Timeouts, hints, policies
from recloser.client import ReconnectingWebSocket
from recloser.testing import ScriptedTransport
from tests.engine.rig import STATES, UP, URL, Answering, Rig, engine, opened, turns, virtual

NAN, INF = float("nan"), float("inf")

BAD_CODES = [
    *((code, ValueError) for code in (0, -1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70000)),
    *((code, TypeError) for code in ("1000", True, False, None, 1000.0, Decimal(1000), b"1000")),
]
BAD_REASONS = [
    ("x" * 124, ValueError),
    ("é" * 62, ValueError),
    ("\ud800", ValueError),
    (b"bye", TypeError),
    (None, TypeError),
]
LEAVES: list[Callable[..., Any]] = [
    lambda ws, *a: ws.close(*a),
    lambda ws, *a: ws.suspend(*a),
    lambda ws, *a: ws.reconnect(*a),
    lambda ws, code, reason="": ws.fail(code=code, reason=reason),
]


async def tried(call: Callable[[], Any]) -> BaseException | object:
    """What a call came to, plain or coroutine."""
    try:
        outcome = call()
        return await outcome if isinstance(outcome, Coroutine) else outcome
    except Exception as error:  # noqa: BLE001 - the tests look at whatever it was
        return error


async def unchanged(place: str, call: Callable[[ReconnectingWebSocket], Any], kind: type) -> None:
    async with Rig(place) as rig:
        before = (rig.ws.attempt, rig.ws.generation, rig.ws.last_close, rig.ws.statistics())
        error = await tried(lambda: call(rig.ws))
        assert type(error) is kind, error
        assert len(str(error)) > 15
        await turns()
        assert rig.path == []
        after = (rig.ws.attempt, rig.ws.generation, rig.ws.last_close, rig.ws.statistics())
        assert after == before
        if place == "open":
            assert rig.transport.wires[-1].closed_with is None
            assert rig.transport.wires[-1].sent == []


@pytest.mark.spec("A6.3")
@pytest.mark.parametrize("place", STATES)
@virtual
async def test_codes_and_reasons(place: str) -> None:
    for call in LEAVES:
        for code, kind in BAD_CODES:
            await unchanged(place, lambda ws, call=call, code=code: call(ws, code), kind)
        for reason, kind in BAD_REASONS:
            await unchanged(place, lambda ws, call=call, r=reason: call(ws, 1000, r), kind)


@pytest.mark.spec("A6.1")
@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, "x" * 123), (1003, "é" * 61), (1007, ""), (1014, "\0"), (3000, ""), (4999, "")],
)
@virtual
async def test_what_a_close_frame_may_carry_reaches_the_wire(code: int, reason: str) -> None:
    async with Rig("open") as rig:
        await rig.ws.close(code, reason)
        assert rig.transport.wires[-1].closed_with == (code, reason)


ARGUMENTS: list[tuple[str, Callable[[ReconnectingWebSocket], Any], type]] = [
    ("advice None", lambda ws: ws.advise(None), TypeError),
    ("advice bytes", lambda ws: ws.advise(b"x"), TypeError),
    ("retry_after text", lambda ws: ws.advise("x", retry_after="3"), TypeError),
    ("retry_after True", lambda ws: ws.advise("x", retry_after=True), TypeError),
    ("retry_after below 0", lambda ws: ws.advise("x", retry_after=-1), ValueError),
    ("retry_after NaN", lambda ws: ws.advise("x", retry_after=NAN), ValueError),
    ("spread infinite", lambda ws: ws.advise("x", spread=INF), ValueError),
    ("spread list", lambda ws: ws.advise("x", spread=[1]), TypeError),
    ("advice of fail", lambda ws: ws.fail(b"x"), TypeError),
    ("retry_after of fail", lambda ws: ws.fail(retry_after=-1), ValueError),
    ("generation 0", lambda ws: ws.fail(generation=0), ValueError),
    ("generation text", lambda ws: ws.advise("x", generation="1"), TypeError),
    ("generation True", lambda ws: ws.reconnect(generation=True), TypeError),
    ("state text", lambda ws: ws.wait_for("open"), TypeError),
    ("state None", lambda ws: ws.wait_for(None), TypeError),
    ("listener", lambda ws: ws.subscribe("print"), TypeError),
    ("message int", lambda ws: ws.send(1), TypeError),
    ("message None", lambda ws: ws.send(None), TypeError),
    ("json", lambda ws: ws.send_json(object()), TypeError),
    ("ttl without an outbox", lambda ws: ws.send("x", ttl=1.0), RecloserError),
    ("key without an outbox", lambda ws: ws.send("x", key="a"), RecloserError),
    ("id without an outbox", lambda ws: ws.send_json({}, id="a"), RecloserError),
    ("json dumps", lambda ws: ws.send_json({}, dumps=lambda value: value), TypeError),
]


@pytest.mark.spec("G9.4")
@pytest.mark.parametrize("place", STATES)
@pytest.mark.parametrize(("call", "kind"), [pytest.param(*a[1:], id=a[0]) for a in ARGUMENTS])
@virtual
async def test_arguments(
    call: Callable[[ReconnectingWebSocket], Any], kind: type, place: str
) -> None:
    await unchanged(place, call, kind)


class NoDecide:
    decide = None


class AsyncDecide:
    async def decide(self, close: object, context: object) -> Stop:
        return Stop()


OPTIONS: list[tuple[str, dict[str, Any], type]] = [
    ("http", {"url": "http://feed.example"}, ValueError),
    (
        "two credentials",
        {"url": "ws://me:pw@feed.example/", "headers": {"authorization": "Bearer abc"}},
        ValueError,
    ),
    ("https", {"url": "https://feed.example"}, ValueError),
    ("no scheme", {"url": "feed.example"}, ValueError),
    ("no host", {"url": "ws://"}, ValueError),
    ("empty", {"url": ""}, ValueError),
    ("port", {"url": "ws://feed.example:99999"}, ValueError),
    ("fragment", {"url": "ws://feed.example/#top"}, ValueError),
    ("bytes url", {"url": b"ws://feed.example"}, TypeError),
    ("None url", {"url": None}, TypeError),
    ("headers list", {"headers": [("a", "b")]}, TypeError),
    ("header value", {"headers": {"a": 1}}, TypeError),
    ("header name", {"headers": {b"a": "b"}}, TypeError),
    ("header CRLF", {"headers": {"a": "b\r\nc: d"}}, ValueError),
    ("header name LF", {"headers": {"a\n": "b"}}, ValueError),
    ("header NUL", {"headers": {"a": "\0"}}, ValueError),
    ("header BEL", {"headers": {"a": "\a"}}, ValueError),
    ("header name space", {"headers": {"a b": "c"}}, ValueError),
    ("header name colon", {"headers": {"a:": "c"}}, ValueError),
    ("header name empty", {"headers": {"": "c"}}, ValueError),
    ("header key", {"headers": {"Sec-WebSocket-Key": "x"}}, ValueError),
    ("header version", {"headers": {"sec-websocket-version": "8"}}, ValueError),
    ("header extension", {"headers": {"Sec-WebSocket-Extensions": "x"}}, ValueError),
    ("header subprotocol", {"headers": {"Sec-WebSocket-Protocol": "chat"}}, ValueError),
    ("header Connection", {"headers": {"Connection": "close"}}, ValueError),
    ("header Upgrade", {"headers": {"Upgrade": "h2c"}}, ValueError),
    ("subprotocols text", {"subprotocols": "chat"}, TypeError),
    ("subprotocols int", {"subprotocols": 1}, TypeError),
    ("subprotocol bytes", {"subprotocols": [b"chat"]}, TypeError),
    ("subprotocol empty", {"subprotocols": [""]}, TypeError),
    ("subprotocol CRLF", {"subprotocols": ["chat\r\n"]}, ValueError),
    ("subprotocol twice", {"subprotocols": ["chat", "chat"]}, ValueError),
    ("policy without decide", {"policy": object()}, TypeError),
    ("policy text", {"policy": "standard"}, TypeError),
    ("policy decide None", {"policy": NoDecide()}, TypeError),
    ("policy class", {"policy": Answering}, TypeError),
    ("policy maker", {"policy": policies.standard}, TypeError),
    ("policy async", {"policy": AsyncDecide()}, TypeError),
    ("on_open", {"on_open": "hello"}, TypeError),
    ("timeouts number", {"timeouts": 5}, TypeError),
    ("timeouts dict", {"timeouts": {"connect": 5}}, TypeError),
    ("fields list", {"fields": ["a"]}, TypeError),
    ("fields name", {"fields": {1: "a"}}, ValueError),
    ("fields event", {"fields": {"event": "a"}}, ValueError),
    ("seed text", {"seed": "1"}, TypeError),
    ("seed bool", {"seed": True}, TypeError),
    ("seed float", {"seed": 1.0}, TypeError),
    ("observer", {"observers": ["print"]}, TypeError),
    ("transport", {"transport": object()}, TypeError),
    ("clock", {"clock": object()}, TypeError),
]


@pytest.mark.spec("E1.8")
@pytest.mark.parametrize(("options", "kind"), [pytest.param(*a[1:], id=a[0]) for a in OPTIONS])
def test_connect(options: dict[str, Any], kind: type) -> None:
    options = {"transport": ScriptedTransport(), **options}
    with pytest.raises(kind) as caught:
        recloser.connect(options.pop("url", URL), **options)
    assert type(caught.value) is kind
    assert len(str(caught.value)) > 15


@pytest.mark.spec("I2")
@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://me:hunter2@feed.example/?token=hunter2"},
        {"url": "ws://me:hunter2@feed.example/?token=hunter2#hunter2"},
        {"url": "ws://me:hunter2@"},
        {"headers": {"Authorization": "hunter2\n"}},
        {"headers": [("Authorization", "hunter2")]},
        {"subprotocols": "hunter2"},
        {"subprotocols": [b"hunter2"]},
    ],
)
def test_an_error_does_not_repeat_a_secret(options: dict[str, Any]) -> None:
    options = {"transport": ScriptedTransport(), **options}
    with pytest.raises((TypeError, ValueError)) as caught:
        recloser.connect(options.pop("url", URL), **options)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["connect", "close", "stable"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *((value, ValueError) for value in (0, -1, NAN, INF)),
        *((value, TypeError) for value in (True, "5", None)),
    ],
)
def test_timeouts(name: str, value: Any, kind: type) -> None:
    with pytest.raises(kind, match=name):
        Timeouts(**{name: value})


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ({"heartbeat": 0}, ValueError),
        ({"heartbeat": -1}, ValueError),
        ({"heartbeat": NAN}, ValueError),
        ({"heartbeat": True}, TypeError),
        ({"heartbeat": "20"}, TypeError),
        ({"session": object()}, TypeError),
        ({"ssl": 1}, TypeError),
        ({"ssl": None}, TypeError),
        ({"proxy": 1}, TypeError),
        ({"max_message_size": -1}, ValueError),
        ({"unread": "drop"}, ValueError),
        ({"unread": None}, ValueError),
        ({"when_full": "wait"}, ValueError),
        ({"receive_buffer": 0}, ValueError),
        ({"receive_buffer": 2**30 + 1}, ValueError),
        ({"receive_buffer": 1.5}, TypeError),
        ({"receive_buffer": True}, TypeError),
        ({"max_message_size": 1.5}, TypeError),
        ({"max_message_size": True}, TypeError),
    ],
)
def test_what_belongs_to_the_aiohttp_transport(option: dict[str, Any], kind: type) -> None:
    with pytest.raises(kind) as caught:
        recloser.connect(URL, **option)
    assert len(str(caught.value)) > 15


@pytest.mark.parametrize(
    "option", [{"heartbeat": 5}, {"heartbeat": None}, {"ssl": False}, {"max_message_size": 1}]
)
def test_no_option_of_aiohttp_goes_with_another_transport(option: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="aiohttp"):
        recloser.connect(URL, transport=ScriptedTransport(), **option)


@pytest.mark.spec("J4")
async def test_a_closed_session() -> None:
    session = ClientSession()
    await session.close()
    with pytest.raises(SessionClosed, match="lend an open one"):
        recloser.connect(URL, session=session)


async def later(*_: object) -> None:
    """Nobody would await this."""


class Later:
    async def __call__(self, *_: object) -> None:
        """Nor this."""


@pytest.mark.spec("I3.5")
@pytest.mark.parametrize(
    "function", [later, partial(later, 1), Later()], ids=["function", "partial", "object"]
)
@pytest.mark.parametrize(
    "give",
    [
        lambda ws, f: ws.subscribe(f),
        lambda ws, f: ws.settled().subscribe(f),
        lambda ws, f: recloser.Queries(ws, key=f),
        lambda ws, f: engine(observers=[f]),
        lambda ws, f: ws.scope.callback(f),
        lambda ws, f: hints.signalled(f, signal.SIGUSR1).__enter__(),
        lambda ws, f: hints.network(f).__enter__(),
    ],
)
@virtual
async def test_a_coroutine_function_is_refused_where_nobody_would_await_it(
    give: Callable[[Any, Any], object], function: object
) -> None:
    ws, _, _ = await opened(UP)
    with pytest.raises(TypeError, match="must be a plain function"):
        give(ws, function)
    await ws.close()


@pytest.mark.spec("I3.2", "I3.5")
@virtual
async def test_a_function_that_turns_out_to_give_a_coroutine_is_told_of() -> None:
    ws, wire, _ = await opened(UP)
    ws.subscribe(lambda change: (later(change), None)[0])
    ws.settled(0.0).subscribe(lambda status: (later(status), None)[0])
    ws.scope.callback(lambda: (later(), None)[0])
    with capture_logs() as logs:
        await ws.close()
    failed = [line for line in logs if line["event"] == "websocket.listener_failed"]
    assert len(failed) == 4  # two changes, a status and the end of a scope
    assert all("nobody awaits" in line["error"] for line in failed)
    assert wire.closed_with == (1000, "")
