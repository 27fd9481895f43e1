"""Tests that name `loop_factory` run on asyncio's loop and on uvloop; none may leak descriptors.

Those of them that open a link run over picows too, unless they are marked `aiohttp`.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from inspect import iscoroutinefunction
from pathlib import Path

import aiohttp
import pytest
import trustme
import uvloop

from recloser.transport import AiohttpTransport, ticker
from recloser.transport.picows_transport import PicowsTransport
from tests.aiohttp_releases import numbers
from tests.transport import link

OPEN = Path("/proc/self/fd")

HANDED_OVER = (3, 14, 4)
"""The first release of aiohttp that hands its parser over, which picows needs."""

BOUND = 120.0
"""Seconds after which a test fails instead of hanging."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "loop_factory" not in metafunc.fixturenames:
        return
    cases = {
        "asyncio": (asyncio.new_event_loop, AiohttpTransport),
        "uvloop": (uvloop.new_event_loop, AiohttpTransport),
    }
    any_transport = metafunc.definition.get_closest_marker("aiohttp") is None
    handed_over = numbers(aiohttp.__version__) >= HANDED_OVER
    if any_transport and handed_over and hasattr(metafunc.module, "linked"):
        cases["picows"] = (asyncio.new_event_loop, PicowsTransport)
    metafunc.parametrize("loop_factory", cases.values(), ids=cases, indirect=True)


@pytest.fixture
def loop_factory(
    request: pytest.FixtureRequest,
) -> Iterator[Callable[[], asyncio.AbstractEventLoop]]:
    factory, transport = request.param
    before = link.TRANSPORT.set(transport)
    yield factory
    link.TRANSPORT.reset(before)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not iscoroutinefunction(pyfuncitem.obj):
        return None
    factory = pyfuncitem.funcargs.get("loop_factory")
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run() -> None:
        async with asyncio.timeout(BOUND):
            await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"the test leaves tasks: {left}"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())
    return True


def open_sockets() -> set[str]:
    """The sockets of this process, where the platform tells."""
    if not OPEN.exists():
        return set()
    names = set()
    for each in OPEN.iterdir():
        with suppress(FileNotFoundError):
            names.add(str(each.readlink()))
    return {name for name in names if name.startswith("socket:")}


@pytest.fixture(autouse=True)
def no_descriptors() -> Iterator[None]:
    before = open_sockets()
    yield
    assert open_sockets() <= before, "the test leaves sockets open"


@pytest.fixture(autouse=True)
def quick_ticks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look 25 times as often as in earnest, unless the test asks for another pace."""
    if "no_ticks" in request.fixturenames:
        monkeypatch.setattr(ticker, "TICK", 3600.0)
    elif "real_ticks" not in request.fixturenames:
        monkeypatch.setattr(ticker, "TICK", 0.02)


@pytest.fixture
def real_ticks() -> None:
    """Ask for the real pace."""


@pytest.fixture
def no_ticks() -> None:
    """Ask for none: between two messages nobody else reads, however long a slow machine takes."""


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for 127.0.0.1, and a client's that trusts it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client
