"""Whatever a dial raises is a failed dial: connectors, resolvers and hooks may be lent (E6)."""

import asyncio
from collections.abc import Callable
from socket import AddressFamily
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, TraceConfig
from aiohttp.abc import AbstractResolver, ResolveResult

import recloser
from recloser.fsm.decisions import Context, Phase
from recloser.fsm.record import Cause, Origin
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import Request
from tests.transport.test_dialling import failing


class OfItsOwnError(Exception):
    """What a proxy library raises, neither a `ClientError` nor an `OSError`."""


ERRORS: dict[str, Callable[[], Exception]] = {
    "no thread": lambda: RuntimeError("can't start new thread"),
    "no memory": MemoryError,
    "look-up": lambda: LookupError("no such name"),
    "key": lambda: KeyError("host"),
    "end of the stream": EOFError,
    "in the middle": lambda: asyncio.IncompleteReadError(b"\x05", 2),
    "value": lambda: ValueError("bad answer"),
    "type": lambda: TypeError("bad answer"),
    "text": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "of its own": OfItsOwnError,
    "several": lambda: ExceptionGroup("both", [OSError("one"), OfItsOwnError("other")]),
    "assertion": AssertionError,
    "stopped": StopAsyncIteration,
}


class Failing(AbstractResolver):
    """Raises until it is well, and gives the loopback then."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        self.error: Callable[[], Exception] | None = error

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        if self.error is not None:
            raise self.error()
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Hold nothing."""


class Broken(TCPConnector):
    """A connector that raises what it likes."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        super().__init__()
        self.error = error

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error()


def traced(error: Callable[[], Exception]) -> TraceConfig:
    async def hook(*_: object) -> None:
        raise error()

    config = TraceConfig()
    config.on_request_start.append(hook)
    return config


@pytest.mark.spec("E6", "E2.1")
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("where", ["resolver", "connector", "trace hook"])
async def test_an_error_of_no_known_kind_is_a_failed_dial(where: str, error: str) -> None:
    make = ERRORS[error]
    if where == "resolver":
        lent = ClientSession(connector=TCPConnector(resolver=Failing(make)))
    elif where == "connector":
        lent = ClientSession(connector=Broken(make))
    else:
        lent = ClientSession(trace_configs=[traced(make)])
    async with lent:
        close = await failing(Request("ws://feed.example/"), session=lent)
    assert close.cause not in (Cause.CONFIGURATION, Cause.SESSION_CLOSED)
    assert close.origin in (Origin.NETWORK, Origin.ENGINE)
    decision = recloser.policies.standard().decide(close, Context(phase=Phase.DIAL, attempt=1))
    assert decision.rule == "no-connection"


@pytest.mark.spec("E6")
@pytest.mark.parametrize("error", ["no thread", "of its own", "value"])
async def test_the_engine_is_there_when_the_resolver_is_well_again(error: str) -> None:
    resolver = Failing(ERRORS[error])
    async with (
        ClientSession(connector=TCPConnector(resolver=resolver)) as lent,
        serving() as server,
    ):
        url = server.url.replace("127.0.0.1", "feed.example")
        ws = recloser.connect(url, session=lent, heartbeat=None)
        ws.connect()
        await ws.wait_for(recloser.State.BACKOFF)
        assert ws.last_close is not None
        assert ws.last_close.cause is Cause.DIAL
        resolver.error = None
        ws.connect()
        peer = await server.accept()
        await peer.upgrade()
        await ws.wait_for(recloser.State.OPEN)
        peer.fin()
        await ws.close()
