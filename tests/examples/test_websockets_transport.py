"""The example of a transport keeps every law, an engine uses it, and the page quotes it."""

import asyncio
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import uvloop

import recloser
from recloser.fsm import Cause
from recloser.testing import TRANSPORT_LAWS, TransportLaw, check_transport
from recloser.testing.doubles.raw_server import close_frame, raw_server, text
from recloser.transport import DialFailed, Request

ROOT = Path(__file__).parents[2]
PATH = ROOT / "examples" / "websockets_transport.py"

loops = pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PATH.parent)
        return import_module(PATH.stem)


@pytest.mark.spec("K6.4")
@loops
@pytest.mark.parametrize("law", TRANSPORT_LAWS, ids=lambda law: law.name)
def test_it_keeps_the_law(
    example: ModuleType, law: TransportLaw, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    report = check_transport(example.WebsocketsTransport, laws=[law], loop_factory=loop_factory)
    assert report.sound


@pytest.mark.spec("K6.4")
@loops
def test_an_engine_uses_it(
    example: ModuleType, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def live() -> None:
        async with asyncio.timeout(20), raw_server() as server:

            async def play() -> None:
                peer = await server.accept()
                await peer.upgrade()
                assert await peer.frame() == (1, b"hello")
                await peer.send(text("world"))
                assert await peer.close_seen() == (4000, "bye")
                await peer.send(close_frame(4001, "so long"))

            playing = asyncio.create_task(play())
            async with recloser.connect(server.url, transport=example.WebsocketsTransport()) as ws:
                await ws.send("hello")
                assert await ws.receive() == "world"
                await ws.close(4000, "bye")
            await playing
            assert ws.last_close is not None
            assert (ws.last_close.code, ws.last_close.reason) == (4001, "so long")
            assert ws.last_close.sent_code == 4000

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(live())


@pytest.mark.spec("K6.4")
@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1/", Cause.CONFIGURATION),
        ("ws://no.such.host.invalid/", Cause.DNS),
        ("ws://127.0.0.1:1/", Cause.TCP),
    ],
)
async def test_a_failed_dial_has_a_record(example: ModuleType, url: str, cause: Cause) -> None:
    with pytest.raises(DialFailed) as failed:
        await example.WebsocketsTransport().dial(Request(url), lambda close: None)
    assert failed.value.close.cause is cause


def test_the_page_quotes_it() -> None:
    page = (ROOT / "docs" / "transports.md").read_text("utf-8")
    source = PATH.read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert sum(block in source for block in blocks) == 5
