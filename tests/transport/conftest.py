"""Tests that name `loop_factory` run on asyncio's loop and on uvloop; none may leak descriptors."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
import trustme
import uvloop

from recloser.transport import ticker

OPEN = Path("/proc/self/fd")

BOUND = 120.0
"""Seconds after which a test fails instead of hanging."""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    factory: Callable[[], asyncio.AbstractEventLoop] = request.param
    return factory


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
