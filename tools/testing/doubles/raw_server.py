"""A WebSocket peer that writes any bytes on a real socket, also those that aiohttp refuses."""

import asyncio
import base64
import hashlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE, PING, PONG = 8, 9, 10
_SHORT, _LONG = 126, 127
"""Lengths that say that the length follows, in two bytes or in eight."""
PATIENCE = 60.0
"""Seconds after which a test that waits for a peer fails instead of hanging."""


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """Make one unmasked frame (RFC 6455 section 5.2)."""
    first = (0x80 if fin else 0) | rsv | opcode
    size = len(payload)
    if size < _SHORT:
        return bytes((first, size)) + payload
    if size < 2**16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def text(message: str) -> bytes:
    """Make a text frame."""
    return frame(1, message.encode())


def close_frame(code: int | None = None, reason: str | bytes = b"") -> bytes:
    """Make a close frame, without a code if None; without any check."""
    if code is None:
        return frame(CLOSE)
    tail = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, struct.pack("!H", code) + tail)


def accept_key(key: str) -> str:
    """Return the answer to a client's key (RFC 6455 section 4.2.2)."""
    return base64.b64encode(
        hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()
    ).decode()


class RawPeer:
    """One accepted connection."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self.head: dict[str, str] = {}
        self.request_line: str = ""
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = None if tls is None else tls.wrap_bio(self._in, self._out, server_side=True)

    def _secured(self) -> ssl.SSLObject:
        if self._tls is None:
            raise ValueError("this peer has no TLS: give raw_server a context")
        return self._tls

    async def start_tls(self) -> None:
        """Do the handshake."""
        tls = self._secured()
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    raise ConnectionResetError from None
            else:
                await self._flush()
                return

    async def close_notify(self) -> None:
        """End TLS properly, without a close frame."""
        tls = self._secured()
        with suppress(ssl.SSLWantReadError):
            tls.unwrap()
        await self._flush()
        self.fin()

    async def _flush(self) -> None:
        if self._out.pending:
            await self._loop.sock_sendall(self.sock, self._out.read())

    async def _recv(self) -> bytes:
        """Read what comes. The loop has a turn in any case.

        From Python 3.12 on `wait_for` gives it none where bytes are there: a client and a peer
        that take turns in one task kept every timer waiting.
        """
        await asyncio.sleep(0)
        return await asyncio.wait_for(self._loop.sock_recv(self.sock, 65536), PATIENCE)

    async def _fill(self) -> bool:
        data = await self._recv()
        self._in.write(data)
        return bool(data)

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        if self._tls is None:
            await self._loop.sock_sendall(self.sock, data)
        else:
            self._tls.write(data)
            await self._flush()

    async def receive(self) -> bytes:
        """Read some bytes; b"" at the end."""
        if self._tls is None:
            return await self._recv()
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                if not await self._fill():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = await self.receive()
            if not data:
                raise EOFError
            self._buffer += data
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    async def request(self) -> None:
        """Read the head of the upgrade."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            data = await self.receive()
            if not data:
                raise EOFError
            self._buffer += data
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        self.request_line = lines[0]
        self.head = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }

    async def upgrade(self, *, tail: bytes = b"", headers: str = "") -> None:
        """Accept the upgrade; `tail` goes out in the same segment."""
        if self._tls is not None:
            await self.start_tls()
        await self.request()
        key = accept_key(self.head["sec-websocket-key"])
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {key}\r\n{headers}\r\n"
        )
        await self.send(answer.encode() + tail)

    async def frame(self) -> tuple[int, bytes]:
        """Read the client's next frame, unmasked; raises `EOFError` at the end."""
        first, second = await self._exactly(2)
        size = second & 0x7F
        if size == _SHORT:
            (size,) = struct.unpack("!H", await self._exactly(2))
        elif size == _LONG:
            (size,) = struct.unpack("!Q", await self._exactly(8))
        if not second & 0x80:
            raise ValueError("the client sent a frame without a mask (RFC 6455 section 5.3)")
        mask = await self._exactly(4)
        payload = await self._exactly(size)
        masked = int.from_bytes(payload) ^ int.from_bytes((mask * (size // 4 + 1))[:size])
        return first & 0x0F, masked.to_bytes(size)

    async def close_seen(self) -> tuple[int | None, str]:
        """Read code and reason of the client's close frame, and drop the frames before it."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                if not payload:
                    return None, ""
                return struct.unpack("!H", payload[:2])[0], payload[2:].decode()

    async def gone(self) -> bool:
        """Wait until the client's end of the connection is gone."""
        with suppress(ConnectionError, ssl.SSLError):
            while await self.receive():
                pass
        return True

    def fin(self) -> None:
        """End the stream, without a close frame."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class RawServer:
    """Listens on loopback; a test accepts and plays each connection itself."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        self.sock = sock
        self.tls = tls
        self.port: int = sock.getsockname()[1]
        self.url: str = f"{'ws' if tls is None else 'wss'}://127.0.0.1:{self.port}/feed"
        self.peers: list[RawPeer] = []

    async def accept(self) -> RawPeer:
        """Accept the next connection; raises `TimeoutError` if none comes."""
        loop = asyncio.get_running_loop()
        sock, _ = await asyncio.wait_for(loop.sock_accept(self.sock), PATIENCE)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = RawPeer(sock, self.tls)
        self.peers.append(peer)
        return peer

    def another(self) -> bool:
        """Whether the client has made another connection, which is not accepted yet."""
        try:
            self.sock.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@asynccontextmanager
async def raw_server(
    *, tls: ssl.SSLContext | None = None, receive_buffer: int | None = None
) -> AsyncIterator[RawServer]:
    """Listen on loopback; peers hear at most about `receive_buffer` bytes unless they read."""
    with socket.socket() as sock:
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        server = RawServer(sock, tls)
        try:
            yield server
        finally:
            for peer in server.peers:
                peer.sock.close()
