"""A WebSocket server in a process of its own that sends each connection a message a second.

    python benchmarks/publisher.py PORT

It prints its port. SIGTERM ends it: it closes its connections with 1012, and prints what it has
counted.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aiohttp import WSCloseCode, WSMsgType, web

TICK = 0.05
"""Seconds between two parts of the connections."""
MESSAGE = "x" * 100
SERVICE_RESTART = b"\x03\xf4restart"


class Connection(web.WebSocketResponse):
    """One connection, and the messages sent to it."""

    sent = 0

    async def publish(self) -> None:
        """Send a message, unless the connection has gone."""
        if not self.closed:
            with suppress(ConnectionError):
                await self.send_str(MESSAGE)
                self.sent += 1


async def serve(port: int) -> None:
    """Send each connection a message a second until SIGTERM; then print what was counted."""
    sent = received = cut = 0
    connections = dict[int, Connection]()
    stop, empty = asyncio.Event(), asyncio.Event()

    async def feed(request: web.Request) -> Connection:
        nonlocal sent, received, cut
        ws = Connection()
        await ws.prepare(request)
        connections[id(ws)] = ws
        try:
            if stop.is_set():
                await ws.send_frame(SERVICE_RESTART, WSMsgType.CLOSE)
            # The client's messages before its close frame are read to the last.
            async for _ in ws:
                received += 1
        finally:
            del connections[id(ws)]
            sent += ws.sent
            if ws.close_code in (None, WSCloseCode.ABNORMAL_CLOSURE):
                cut += ws.sent
            if not connections:
                empty.set()
        return ws

    async def publish() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        parts = round(1 / TICK)
        while not stop.is_set():
            for number in range(parts):
                for ws in [*connections.values()][number::parts]:
                    if not stop.is_set():
                        await ws.publish()
                due += TICK
                await asyncio.sleep(max(0.0, due - loop.time()))

    app = web.Application()
    app.router.add_get("/", feed)
    runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096, reuse_address=True).start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(runner.addresses[0][1], flush=True)
    await publish()
    for ws in [*connections.values()]:
        with suppress(ConnectionError):
            await ws.send_frame(SERVICE_RESTART, WSMsgType.CLOSE)
    if connections:
        with suppress(TimeoutError):
            await asyncio.wait_for(empty.wait(), 10.0)
    sent += sum(ws.sent for ws in connections.values())
    print(json.dumps({"sent": sent, "received": received, "cut": cut}), flush=True)
    await runner.cleanup()


class Server:
    """The server's process; it comes back at the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.sent = self.received = 0
        self.cut = 0
        """Messages sent on connections that ended without a close frame of the client's."""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, __file__, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        """Stop it, and add up what it has counted; a second call does nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            told, _ = process.communicate()
            counts = json.loads(told)
            self.sent += counts["sent"]
            self.received += counts["received"]
            self.cut += counts["cut"]


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    server.start()
    try:
        yield server
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
