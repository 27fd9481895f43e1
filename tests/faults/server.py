"""A server that acknowledges numbered messages and ticks; `lab.py` runs it in its namespace."""

import argparse
import asyncio
import json
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from aiohttp import web

TICK = 0.1
"""Seconds between two messages of the server's own."""


def listening(port: int, protocol: int) -> socket.socket:
    """A socket for IPv4 and IPv6. asyncio takes one of Multipath TCP that says to be of TCP."""
    made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::", port))
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())


async def main(
    port: int, received: Path, protocol: int, certificate: str | None, filling: str
) -> None:
    numbers = await asyncio.to_thread(received.open, "a", buffering=1)

    async def handle(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(timeout=1.0, max_msg_size=2**24)
        await ws.prepare(request)
        loop = asyncio.get_running_loop()

        def tick(number: int) -> None:
            if not ws.closed:
                sending.add(task := loop.create_task(say({"tick": number, "filling": filling})))
                task.add_done_callback(sending.discard)
                loop.call_later(TICK, tick, number + 1)

        async def say(what: object) -> None:
            with suppress(ConnectionError):
                await ws.send_json(what)

        sending: set[asyncio.Task[None]] = set()
        tick(1)
        async for message in ws:
            number = json.loads(message.data)["number"]
            numbers.write(f"{number}\n")
            await say({"ack": number})
        return ws

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    await web.SockSite(runner, listening(port, protocol), ssl_context=tls).start()
    print("ready", flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("port", type=int)
    options.add_argument("received", type=Path)
    options.add_argument("--multipath", action="store_true")
    options.add_argument("--certificate")
    options.add_argument("--size", type=int, default=0)
    given = options.parse_args()
    filling = "x" * given.size
    kind = socket.IPPROTO_MPTCP if given.multipath else socket.IPPROTO_TCP
    asyncio.run(main(given.port, given.received, kind, given.certificate, filling))
