"""A WebSocket server in a process of its own, which comes back at its port, and haproxy before two.

    python benchmarks/backend.py PORT CAPACITY

It prints its port. SIGTERM drains it; SIGKILL is what an outage is made of.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from aiohttp import web

from recloser.admission import Admission, aiohttp_admission


async def serve(port: int, capacity: float) -> None:
    """Serve until SIGTERM, then drain; `capacity` 0 stands for no limit."""

    async def feed(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async def health(request: web.Request) -> web.Response:
        del request
        return web.Response(status=503 if admission.draining else 200)

    app = web.Application()
    app.router.add_get("/", feed)
    app.router.add_get("/health", health)
    admission = Admission(capacity or 1e6, window=10.0)
    aiohttp_admission(app, admission)
    runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096, reuse_address=True).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(runner.addresses[0][1], flush=True)
    await stop.wait()
    await admission.drain(over=2.0)
    await runner.cleanup()


class Server:
    """The server's process; it comes back at the same port."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self, capacity: float = 0.0) -> None:
        command = [sys.executable, __file__, str(self.port), str(capacity)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.communicate()
            self._process = None


@contextmanager
def deaf(port: int) -> Iterator[None]:
    """Have dials at a port hang: the listener there has no room, so the kernel drops them."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", port), backlog=0))
        for _ in range(3):  # one more than it has room for, and one that shows it
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        yield


CONFIG = """
global
    maxconn {most}
defaults
    mode http
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend ws
    bind 127.0.0.1:{front}
    default_backend app
backend app
    balance leastconn
    option redispatch
    option httpchk GET /health
    timeout check 10s
    server one 127.0.0.1:{one} check inter 200 fall 1 rise 1
    server two 127.0.0.1:{two} check inter 200 fall 1 rise 1
"""


@contextmanager
def behind_haproxy(count: int) -> Iterator[tuple[tuple[Server, Server], int]]:
    """Run two servers, and haproxy in front for so many connections; gives its port, too."""
    program = shutil.which("haproxy", path=f"/usr/sbin:{os.environ['PATH']}")
    assert program is not None
    servers = (Server(), Server())
    for server in servers:
        server.start()
    try:
        with _haproxy(program, servers[0].port, servers[1].port, count + 100) as front:
            yield servers, front
    finally:
        for server in servers:
            server.end()


@contextmanager
def _haproxy(program: str, one: int, two: int, most: int) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        front = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text(CONFIG.format(most=most, front=front, one=one, two=two), encoding="utf-8")
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen([program, "-db", "-f", str(file)], stderr=output)
        try:
            time.sleep(1.0)  # until it has looked whether the servers are up
            if process.poll() is not None:
                raise RuntimeError(f"haproxy did not start: {log.read_text(encoding='utf-8')}")
            yield front
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
