"""Real servers of the catalogue in processes of their own, and what they say to an engine."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import recloser
from recloser import Close, State, Stop, policies
from recloser.fsm import Context, Decision, Retry
from tests.policies.rig import after

SERVERS = Path(__file__).parent / "servers"
SYSTEM = f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', '')}:/usr/sbin"
PATIENCE = 120.0

needs_node = pytest.mark.skipif(
    not (SERVERS / "node_modules").is_dir() or shutil.which("node") is None,
    reason="needs node, and: make services",
)


def program(name: str) -> str | None:
    """The path of a program of the system; None if it is not installed."""
    return shutil.which(name, path=SYSTEM)


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Recorder:
    """Keeps the record, and ends the engine."""

    def __init__(self) -> None:
        self.close: Close | None = None

    def decide(self, close: Close, context: Context, /) -> Decision:
        self.close = close
        return Stop("recorded")


class Server:
    """A server in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    def stop(self) -> None:
        """Ask the process, and those that it started, to end."""
        os.killpg(self.process.pid, signal.SIGTERM)

    def do(self, command: str) -> None:
        """Say a command on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())

    async def end(
        self,
        *messages: str | bytes,
        path: str = "/",
        subprotocols: tuple[str, ...] = (),
        reply: tuple[str, ...] = (),
        then: Callable[[], object] | None = None,
        until: Callable[[str | bytes], bool] = lambda _: False,
    ) -> tuple[Close, list[str | bytes]]:
        """Connect, say the messages, say `reply` to the first answer, and do `then` once `until`
        holds of one; the record of the end, and all that was heard."""
        policy, heard = Recorder(), list[str | bytes]()
        url = f"ws://127.0.0.1:{self.port}{path}"
        async with asyncio.timeout(PATIENCE):
            ws = recloser.connect(url, policy=policy, subprotocols=subprotocols, heartbeat=None)
            ws.connect()
            try:
                await ws.wait_for(State.OPEN)
                for message in messages:
                    await ws.send(message)
                if then is not None and not messages:
                    then()
                async for message in ws:
                    heard.append(message)
                    for each in reply if len(heard) == 1 else ():
                        await ws.send(each)
                    if then is not None and until(message):
                        then()
            except (recloser.ConnectionClosed, recloser.NotOpen):
                await ws.close()
        assert policy.close is not None
        return policy.close, heard


@asynccontextmanager
async def running(
    *command: str,
    port: int,
    ready: str | None = "running",
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Server]:
    """Start a server; it listens at the port, or has printed `ready`."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=SERVERS,
        env=None if environment is None else {**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # a script starts others, which end with it
    )
    try:
        async with asyncio.timeout(PATIENCE):
            if ready is not None:
                assert process.stdout is not None
                assert ready.encode() in await process.stdout.readline()
            else:
                await _listening(port)
        yield Server(process, port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined] # closes the pipes with the test


async def _listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0)
        else:
            writer.close()
            await writer.wait_closed()
            return


@asynccontextmanager
async def node(name: str) -> AsyncIterator[Server]:
    port = free_port()
    async with running("node", "serve.js", name, str(port), port=port) as server:
        yield server


def says(service: str, close: Close, **facts: Any) -> str:
    """What the policy of the service makes of a first such end: its rule, or "retry"."""
    decision = policies.for_service(service).decide(close, after(1, **facts))
    return "retry" if isinstance(decision, Retry) else decision.rule
