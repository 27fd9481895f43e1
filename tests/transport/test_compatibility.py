"""A release of aiohttp that lacks something fails the dial, and the error says what."""

from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector
from aiohttp.client_proto import ResponseHandler

import recloser
from recloser import UnsupportedAiohttp, policies
from recloser.fsm import Cause, Origin, Stop
from recloser.transport import AiohttpTransport, DialFailed, Request, compatibility
from tests.aiohttp_releases import numbers, supported
from tests.policies.rig import after
from tests.transport.link import serving


@pytest.fixture(autouse=True)
def as_in_a_new_process() -> Iterator[None]:
    compatibility.check_aiohttp.cache_clear()
    yield
    compatibility.check_aiohttp.cache_clear()


def without(part: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take something from aiohttp, and say how it is named."""
    match part:
        case "property":
            monkeypatch.delattr(ResponseHandler, "closed")
            return "ResponseHandler.closed"
        case "method":
            monkeypatch.delattr(ClientSession, "detach")
            return "ClientSession.detach(self)"
        case "option":
            monkeypatch.setattr(TCPConnector, "__init__", lambda self, *, limit=0: None)
            return "TCPConnector.__init__(force_close=...)"
        case _:
            monkeypatch.setattr(ClientSession, "ATTRS", ClientSession.ATTRS - {"_default_proxy"})
            return "ClientSession._default_proxy"


@pytest.mark.spec("N1.2", "E6")
@pytest.mark.parametrize("part", ["property", "method", "option", "attribute"])
async def test_what_is_missing_fails_the_first_dial_by_name(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = without(part, monkeypatch)
    transport = AiohttpTransport()
    async with serving() as server:
        with pytest.raises(DialFailed) as failed:
            await transport.dial(Request(server.url), lambda close: None)
        assert not server.another(), "it has dialled all the same"
    await transport.aclose()
    close = failed.value.close
    assert (close.origin, close.cause) == (Origin.ENGINE, Cause.CONFIGURATION)
    assert isinstance(close.error, UnsupportedAiohttp)
    assert (close.error.version, close.error.missing) == (aiohttp.__version__, [name])
    for policy in (policies.standard(), policies.basic()):
        assert isinstance(policy.decide(close, after(1)), Stop)


@pytest.mark.spec("N1.2")
async def test_a_session_that_cannot_be_read_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ClientSession() as session:
        without("attribute", monkeypatch)
        with pytest.raises(UnsupportedAiohttp, match="_default_proxy"):
            AiohttpTransport(session=session)


@pytest.mark.spec("N1.2")
def test_picows_is_refused_where_the_parser_is_not_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ClientWebSocketResponse, "__init__", lambda self: None)
    with pytest.raises(UnsupportedAiohttp, match=r"ClientWebSocketResponse\._parser"):
        recloser.connect("ws://feed.example/", transport="picows")


@pytest.mark.spec("N1.1")
def test_the_range_ends_below_the_next_major_release_alone() -> None:
    oldest, requirement = supported()
    major = numbers(oldest)[0]
    assert requirement == f"aiohttp>={oldest},<{major + 1}"
    assert numbers(oldest) <= numbers(aiohttp.__version__) < (major + 1,)
