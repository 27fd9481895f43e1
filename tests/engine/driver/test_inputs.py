"""What a dial asks the application for, each time: values, functions, coroutines, and failures."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import yarl

from recloser import Close, Retry, State, Unauthorized, policies
from recloser.fsm import Cause, Origin
from tests.engine.rig import CUT, HANGS, UP, URL, Answering, engine, now, opened, turns, virtual


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def ways(value: Any) -> list[Any]:
    """A value in each way that an application may give it."""
    return [value, lambda: value, partial(later, value), lambda: later(value)]


@pytest.mark.spec("E1.2")
@pytest.mark.parametrize("way", range(4))
@virtual
async def test_values_functions_and_coroutines(way: int) -> None:
    ws, wire, _ = await opened(
        url=ways(URL)[way],
        headers=ways({"Authorization": "Bearer x"})[way],
        subprotocols=ways(["chat", "superchat"])[way],
    )
    request = wire.request
    assert request.url == URL
    assert dict(request.headers) == {"Authorization": "Bearer x"}
    assert request.subprotocols == ("chat", "superchat")
    await ws.close()


@pytest.mark.spec("E1.1")
@virtual
async def test_they_are_asked_before_every_dial_and_in_order() -> None:
    asked: list[str] = []

    def url() -> yarl.URL:
        asked.append("url")
        return yarl.URL(URL) % {"n": len(asked)}

    async def headers() -> dict[str, str]:
        asked.append("headers")
        return {"N": str(len(asked))}

    def subprotocols() -> list[str]:
        asked.append("subprotocols")
        return [f"v{len(asked)}"]

    ws, _, transport = await opened(
        UP, UP, url=url, headers=headers, subprotocols=subprotocols, policy=Answering(Retry(1))
    )
    transport.wires[-1].end(CUT)
    await ws.wait_for(State.OPEN)
    assert asked == ["url", "headers", "subprotocols"] * 2
    assert [request.url for request in transport.requests] == [f"{URL}?n=1", f"{URL}?n=4"]
    assert [request.subprotocols for request in transport.requests] == [("v3",), ("v6",)]
    await ws.close()


def raises(error: BaseException) -> Callable[[], Any]:
    def provider() -> Any:
        raise error

    return provider


def raises_later(error: BaseException) -> Callable[[], Any]:
    async def provider() -> Any:
        await asyncio.sleep(0)
        raise error

    return provider


def broken_iterable() -> Any:
    yield "chat"
    raise RuntimeError("half a list")


BASIC = {"authorization": "Basic YTpi"}
FAILURES: list[tuple[str, dict[str, Any], Cause]] = [
    ("raises", {"url": raises(OSError("no vault"))}, Cause.CREDENTIALS),
    ("raises later", {"headers": raises_later(KeyError("token"))}, Cause.CREDENTIALS),
    ("subprotocols raise", {"subprotocols": raises(ValueError("x"))}, Cause.CREDENTIALS),
    ("time-out", {"headers": raises_later(TimeoutError())}, Cause.CREDENTIALS),
    ("unauthorized", {"url": raises(Unauthorized("revoked"))}, Cause.UNAUTHORIZED),
    ("unauthorized later", {"headers": raises_later(Unauthorized())}, Cause.UNAUTHORIZED),
    ("cancelled future", {"url": raises(asyncio.CancelledError())}, Cause.CREDENTIALS),
    ("cancelled await", {"url": raises_later(asyncio.CancelledError())}, Cause.CREDENTIALS),
    ("None", {"url": lambda: None}, Cause.CONFIGURATION),
    ("http", {"url": partial(later, "http://feed.example")}, Cause.CONFIGURATION),
    ("headers None", {"headers": lambda: None}, Cause.CONFIGURATION),
    ("headers pairs", {"headers": lambda: [("a", "b")]}, Cause.CONFIGURATION),
    ("header line break", {"headers": lambda: {"a": "b\n"}}, Cause.CONFIGURATION),
    ("header NUL", {"headers": lambda: {"a": "\0"}}, Cause.CONFIGURATION),
    ("header name", {"headers": lambda: {"a\nb": "c"}}, Cause.CONFIGURATION),
    ("header number", {"headers": lambda: {"a": 7}}, Cause.CONFIGURATION),
    ("two credentials", {"url": lambda: "ws://a:b@h/", "headers": BASIC}, Cause.CONFIGURATION),
    ("long label", {"url": lambda: f"ws://{'a' * 64}.example/"}, Cause.CONFIGURATION),
    ("empty label", {"url": lambda: "ws://a..example/"}, Cause.CONFIGURATION),
    ("subprotocols text", {"subprotocols": lambda: "chat"}, Cause.CONFIGURATION),
    ("subprotocols broken", {"subprotocols": broken_iterable}, Cause.CONFIGURATION),
]


@pytest.mark.spec("E2.1", "E6", "B3")
@pytest.mark.parametrize(("options", "cause"), [pytest.param(*a[1:], id=a[0]) for a in FAILURES])
@virtual
async def test_a_provider_that_fails_is_a_failed_dial(
    options: dict[str, Any], cause: Cause
) -> None:
    policy = Answering(Retry(5.0, rule="again"))
    ws, transport = engine(UP, policy=policy, **options)
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    assert now() == 0.0
    close = ws.last_close
    assert close is not None
    assert (close.code, close.origin, close.cause) == (1006, Origin.ENGINE, cause)
    assert close.error is not None
    assert close.error.__traceback__ is close.error.__context__ is close.error.__cause__ is None
    assert transport.requests == []
    assert len(policy.asked) == 1
    await ws.close()


@pytest.mark.spec("E2.2")
@pytest.mark.parametrize("make", ["standard", "basic"])
@virtual
async def test_the_shipped_policies_stop_where_there_is_no_credential(make: str) -> None:
    policy = getattr(policies, make)()
    ws, _ = engine(UP, policy=policy, headers=raises(Unauthorized("revoked")))
    ws.connect()
    await turns()
    assert ws.state is State.CLOSED
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.UNAUTHORIZED


@pytest.mark.spec("F5", "A5.2")
@pytest.mark.parametrize("which", ["url", "headers", "subprotocols"])
@virtual
async def test_a_provider_that_hangs_runs_into_the_deadline(which: str) -> None:
    ended = asyncio.Event()

    async def hang() -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    ws, transport = engine(UP, **{which: hang})
    ws.connect()
    await ws.wait_for(State.BACKOFF)
    assert now() == 20.0
    assert ws.last_close is not None
    assert ws.last_close.cause is Cause.CONNECT_TIMEOUT
    await turns()
    assert ended.is_set()
    assert transport.requests == []
    await ws.close()


@pytest.mark.spec("A1", "A5.2")
@pytest.mark.parametrize("leave", ["close", "suspend"])
@pytest.mark.parametrize("which", ["url", "headers", "subprotocols"])
@virtual
async def test_leaving_while_a_provider_runs_opens_nothing(which: str, leave: str) -> None:
    async def hang() -> Any:
        await asyncio.Event().wait()

    ws, transport = engine(UP, **{which: hang})
    ws.connect()
    await turns()
    await getattr(ws, leave)()
    assert now() == 0.0
    assert ws.state is (State.CLOSED if leave == "close" else State.PASSIVE)
    assert ws.last_close is not None
    assert (ws.last_close.cause, ws.last_close.intentional) == (Cause.CANCELLED, True)
    assert transport.requests == []
    await ws.close()


@pytest.mark.spec("A1", "A5.2")
@pytest.mark.parametrize("which", ["url", "headers", "subprotocols"])
@virtual
async def test_a_provider_that_swallows_cancellation_does_not_lead_to_a_dial(which: str) -> None:
    values = {"url": URL, "headers": {}, "subprotocols": []}

    async def stubborn() -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return values[which]  # the one in the cache

    ws, transport = engine(UP, **{which: stubborn})
    ws.connect()
    await turns()
    await ws.close()
    await turns()
    assert ws.state is State.CLOSED
    assert transport.requests == []
    assert transport.wires == []


@pytest.mark.spec("A1", "A5.2")
@virtual
async def test_a_provider_may_itself_ask_for_the_end() -> None:
    async def url() -> str:
        await ws.close()
        return URL

    ws, transport = engine(UP, url=url)
    ws.connect()
    await ws.wait_for(State.CLOSED)
    await turns()
    assert transport.requests == []
    assert ws.last_close is not None
    assert ws.last_close.intentional


@pytest.mark.spec("A5.1", "C1")
@virtual
async def test_leaving_while_the_transport_dials() -> None:
    ws, transport = engine(HANGS)
    ws.connect()
    await turns()
    assert transport.dialling == 1
    await ws.close()
    assert transport.dialling == 0
    assert ws.last_close == Close(
        code=1006,
        origin=Origin.APPLICATION,
        cause=Cause.CANCELLED,
        intentional=True,
        wish=ws.last_close.wish if ws.last_close else None,
    )
