"""A connection whose local address has gone is ended when the engine is woken (F9)."""

import asyncio
import errno
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recloser.transport.local_address import address_lost
from tests.transport.link import linked

Factory = Callable[[], asyncio.AbstractEventLoop]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")


class Somewhere(asyncio.BaseTransport):
    """A transport with a socket of any kind, that says to be bound to any address."""

    def __init__(self, connection: socket.socket | None, name: Any) -> None:
        super().__init__({"socket": connection, "sockname": name})


@pytest.mark.spec("F9.1")
@pytest.mark.parametrize(
    ("family", "name", "lost"),
    [
        (socket.AF_INET, ("127.0.0.1", 80), False),
        (socket.AF_INET, ("192.0.2.1", 80), True),
        (socket.AF_INET6, ("2001:db8::1", 80, 0, 0), True),
        (socket.AF_UNIX, "/run/feed", False),
    ],
)
def test_the_kernel_tells_whether_an_address_is_ours(
    family: socket.AddressFamily, name: Any, *, lost: bool
) -> None:
    with socket.socket(family) as connection:
        found = address_lost(Somewhere(connection, name))
    assert (found is not None) is lost
    assert found is None or found.errno == errno.EADDRNOTAVAIL


@pytest.mark.spec("F9.1")
async def test_a_connection_that_has_ended_tells_nothing(loop_factory: Factory) -> None:
    async with linked() as link:
        link.wire.drop()
        await link.wire.wait_closed()
        assert address_lost(link.wire.transport) is None


@pytest.mark.spec("F9.1")
def test_a_socket_that_is_gone_or_has_several_addresses_tells_nothing() -> None:
    assert address_lost(Somewhere(None, None)) is None
    closed = socket.socket()
    closed.close()
    assert address_lost(Somewhere(closed, ("192.0.2.1", 80))) is None
    try:
        multipath = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    except OSError:
        pytest.skip("this kernel has no Multipath TCP")
    with multipath:
        assert address_lost(Somewhere(multipath, ("192.0.2.1", 80))) is None


@pytest.mark.spec("F9.1")
async def test_an_address_that_is_there_ends_nothing() -> None:
    async with linked() as link:
        link.wire.probe()
        assert not link.wire.over


SCRIPT = """
import asyncio, subprocess, sys
import aiohttp, uvloop
import recloser
from recloser.testing import Fault, ScriptedServer

def ip(*words): subprocess.run(["ip", *words], check=True)

async def main(where):
    async with ScriptedServer([Fault(do="serve", times=0)]) as server:
        connector = aiohttp.TCPConnector(local_addr=(where, 0))
        async with aiohttp.ClientSession(connector=connector) as session:
            ws = recloser.connect(server.url, session=session, heartbeat=None)
            async with ws, asyncio.timeout(120):
                with recloser.hints.network(ws.wake, debounce=0.05):
                    ip("address", "add", "198.51.100.9/32", "dev", "lo")
                    ip("address", "delete", "198.51.100.9/32", "dev", "lo")
                    ws.wake()
                    assert ws.state is recloser.State.OPEN
                    ip("address", "delete", where + "/32", "dev", "lo")
                    changes = ws.changes()
                    change = await anext(changes)
    print(change.close.cause.value, change.close.origin.value, change.close.error.errno)

ip("link", "set", "lo", "up")
for factory in (asyncio.new_event_loop, uvloop.new_event_loop):
    ip("address", "add", "198.51.100.7/32", "dev", "lo")
    asyncio.Runner(loop_factory=factory).run(main("198.51.100.7"))
"""


@pytest.mark.spec("F9.2")
@pytest.mark.skipif(
    not (shutil.which("unshare") and shutil.which("ip")), reason="needs unshare and ip"
)
def test_the_network_hint_ends_a_connection_whose_address_goes(tmp_path: Path) -> None:
    """In a network namespace of its own, where the kernel lets us have one."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    unshare = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel gives no namespace")
    run = subprocess.run(
        [*unshare, sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stdout == f"reset network {errno.EADDRNOTAVAIL}\n" * 2, run.stderr
