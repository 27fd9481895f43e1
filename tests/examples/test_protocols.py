"""Examples on real protocols outlive a `kill -9` of their real servers.

Slow, and outside the normal suite. What they need, in a clone:

    npm install --no-package-lock --prefix tests/examples/servers
    apt-get install mosquitto
    pip install pycrdt
"""

import asyncio
import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVERS = Path(__file__).parent / "servers"
MODULES = SERVERS / "node_modules"
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

needs_node = pytest.mark.skipif(
    not (shutil.which("node") and MODULES.is_dir()),
    reason="needs node, and: npm install --no-package-lock --prefix tests/examples/servers",
)

Process = asyncio.subprocess.Process


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def port() -> int:
    return free_port()


@asynccontextmanager
async def running(*command: str, **environment: str) -> AsyncIterator[Process]:
    """A process; killed by -9 at the end."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def example(name: str, *arguments: str) -> AsyncIterator[Process]:
    script = str(EXAMPLES / name)
    async with running(sys.executable, "-u", "-W", "error", script, *arguments) as process:
        yield process


async def printed(process: Process, pattern: str) -> re.Match[str]:
    """The first line that matches."""
    assert process.stdout is not None
    seen = []
    async with asyncio.timeout(120):
        async for line in process.stdout:
            seen.append(line.decode())
            found = re.search(pattern, seen[-1])
            if found:
                return found
    pytest.fail(f"{pattern!r} was not printed, but:\n{''.join(seen[-50:])}")


@pytest.mark.spec("G8.1")
@needs_node
async def test_a_graphql_subscription(port: int) -> None:
    server = ("node", str(SERVERS / "graphql.js"), str(port))
    url = f"ws://127.0.0.1:{port}/graphql"
    async with running(*server) as first:
        await printed(first, "running")
        async with example("graphql_subscription.py", url, "subscription { ticks }") as client:
            await printed(client, r'connection 1 \{"data": \{"ticks": 3\}\}')
            first.kill()
            await printed(client, "to=backoff")
            async with running(*server) as second:
                await printed(second, "running")
                again = await printed(client, r'connection (\d+) \{"data": \{"ticks": 3\}\}')
                assert int(again[1]) > 1


@needs_node
async def test_shared_editing(port: int) -> None:
    """The server keeps nothing on disk, so what comes back comes from the clients."""
    pytest.importorskip("pycrdt")
    server = ("node", str(MODULES / "y-websocket" / "bin" / "server.cjs"))
    environment = {"HOST": "127.0.0.1", "PORT": str(port)}
    url = f"ws://127.0.0.1:{port}/room"
    async with running(*server, **environment) as first:
        await printed(first, "running")
        async with example("shared_text.py", url, "one. ") as one:
            await printed(one, "connection 1 text: one. ")
            async with example("shared_text.py", url, "two. ") as two:
                await printed(one, "text: (one. two. |two. one. )$")
                first.kill()
                await asyncio.gather(printed(one, "to=backoff"), printed(two, "to=backoff"))
                async with running(*server, **environment) as second:
                    await printed(second, "running")
                    await asyncio.gather(
                        printed(one, "connection [^1] text: .*(one|two)"),
                        printed(two, "connection [^1] text: .*(one|two)"),
                    )
                    async with example("shared_text.py", url, "three. ") as three:
                        text = (await printed(three, "text: (.*one.*)"))[1]
                        assert sorted(text.split()) == ["one.", "three.", "two."]


@pytest.mark.spec("G8.1")
@pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto: apt-get install mosquitto")
async def test_mqtt_over_websocket(port: int, tmp_path: Path) -> None:
    # The first listener is there because mosquitto 2.0.11 refuses to start with the second alone.
    config = tmp_path / "mosquitto.conf"
    config.write_text(
        f"listener {free_port()} 127.0.0.1\nlistener {port} 127.0.0.1\n"
        "protocol websockets\nallow_anonymous true\npersistence false\n"
    )
    server = (str(MOSQUITTO), "-c", str(config))
    url = f"ws://127.0.0.1:{port}/"
    async with running(*server) as first:
        await printed(first, "running")
        async with example("mqtt_subscription.py", url, "recloser/demo") as client:
            await printed(client, "connection 1 received: hello from connection 1")
            first.kill()
            await printed(client, "to=backoff")
            async with running(*server) as second:
                await printed(second, "running")
                again = await printed(client, r"connection (\d+) received: hello from connection")
                assert int(again[1]) > 1
