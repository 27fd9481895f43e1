"""The other side: a WebSocket server as small as can be, in a process of its own.

/echo answers every message with itself, /sink answers messages of one byte only, /idle none, and
/flood answers a number by so many messages of 32 bytes. A number of seconds sent to /restart
closes all that are connected to /idle with 1012, and refuses dials for so long.

It prints its port, and ends when its standard input does. An argument is a file with a key and a
certificate, for TLS.
"""

import asyncio
import base64
import hashlib
import ssl
import sys
from contextlib import suppress
from typing import cast

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
CLOSE, PING, PONG = 8, 9, 10
RESTART = b"\x88\x02\x03\xf4"


class Listener:
    """The listening socket, and the connections that it has accepted."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self.peers: set[Peer] = set()
        self.port = 0

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Peer(self), "127.0.0.1", self.port, backlog=1024, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def restart(self, away: float) -> None:
        self._server.close()
        for peer in [each for each in self.peers if each.route == b"/idle"]:
            peer.transport.write(RESTART)
            peer.transport.close()
        await asyncio.sleep(away)
        await self.listen()


class Peer(asyncio.Protocol):
    """One connection; frames are expected whole and masked, as clients send them."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.buffer = bytearray()
        self.route = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.listener.peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.listener.peers.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.route and not self.upgrade():
            return
        while self.frame():
            pass

    def upgrade(self) -> bool:
        head, end, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        if not end:
            return False
        request, *lines = head.split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(b": ") for x in lines)}
        key = headers[b"sec-websocket-key"]
        digest = hashlib.sha1(key.strip() + GUID).digest()
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        self.route = request.split()[1]
        self.buffer = bytearray(rest)
        return True

    def frame(self) -> bool:
        buffer = self.buffer
        if len(buffer) < 2:
            return False
        size, at = buffer[1] & 127, 2
        if size == 126:
            size, at = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(buffer[2:10], "big"), 10
        end = at + 4 + size
        if len(buffer) < end:
            return False
        opcode = buffer[0] & 15
        if self.route in {b"/echo", b"/flood", b"/restart"} or opcode >= CLOSE:
            mask = (bytes(buffer[at : at + 4]) * (size // 4 + 1))[:size]
            payload = int.from_bytes(buffer[at + 4 : end], "big") ^ int.from_bytes(mask, "big")
            if self.route == b"/flood" and opcode < CLOSE:
                self.transport.write((b"\x81\x20" + b"x" * 32) * int(payload.to_bytes(size, "big")))
            elif self.route == b"/restart" and opcode < CLOSE:
                away = float(payload.to_bytes(size, "big"))
                self.restarting = asyncio.ensure_future(self.listener.restart(away))
            else:
                self.answer(opcode, payload.to_bytes(size, "big"))
        elif self.route == b"/sink" and size == 1:
            self.answer(1, b"k")
        del buffer[:end]
        return True

    def answer(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        opcode = PONG if opcode == PING else opcode
        head = bytes((128 | opcode, size)) if size < 126 else b""
        head = head or bytes((128 | opcode, 126)) + size.to_bytes(2, "big")
        self.transport.write(head + payload)
        if opcode == CLOSE:
            self.transport.close()


async def serve(certificate: str | None) -> None:
    """Serve until nobody holds the other end of standard input."""
    loop = asyncio.get_running_loop()
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    over = asyncio.Event()
    listener = Listener(tls)
    await listener.listen()
    print(listener.port, flush=True)
    loop.add_reader(sys.stdin.fileno(), over.set)
    await over.wait()
    loop.remove_reader(sys.stdin.fileno())


if __name__ == "__main__":
    run = asyncio.run
    with suppress(ImportError):
        from uvloop import run
    run(serve(sys.argv[1] if sys.argv[1:] else None))
