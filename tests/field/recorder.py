"""A raw WebSocket client: it notes what is on the wire, and when, and decides nothing."""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

HOST = "127.0.0.1"
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_LINGER = 5.0
"""Seconds for which the end of TCP is awaited behind a close frame."""


@dataclass(frozen=True)
class Wire:
    """The end that a raw client saw."""

    end: str
    """"close frame", "cut", "refused", "no connection", "unanswered" or "open"."""
    at: float
    """The moment of the end, on the clock of the loop."""
    code: int | None = None
    """The code of the close frame; 1005 if it had none."""
    reason: str = ""
    status: int | None = None
    """The status of a refused upgrade."""
    retry_after: str | None = None
    tcp: str | None = None
    """How TCP ended: "FIN" or "RST"; None if it had not, some seconds later."""


def frame(opcode: int, payload: bytes) -> bytes:
    """One masked frame of a client."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    else:
        head = bytes((0x80 | opcode, 0x80 | 126)) + struct.pack("!H", size)
    mask = os.urandom(4)
    return head + mask + bytes(each ^ mask[at % 4] for at, each in enumerate(payload))


class Recorder:
    """One connection to a server on loopback."""

    def __init__(
        self,
        port: int,
        path: str = "/",
        subprotocols: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        *,
        pongs: bool = True,
    ) -> None:
        self.port = port
        self.opened = asyncio.Event()
        self.heard: list[bytes] = []
        self._news = asyncio.Event()
        self._pongs = pongs
        self._buffer = b""
        self._socket = socket.socket()
        self._socket.setblocking(False)
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {HOST}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        if subprotocols:
            lines.append(f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}")
        self._request = "\r\n".join((*lines, "", "")).encode()
        self._task = asyncio.create_task(self._run())

    async def end(self, limit: float) -> Wire:
        """Wait for the end; "open" or "unanswered" if there is none within the limit."""
        done, _ = await asyncio.wait({self._task}, timeout=limit)
        if done:
            return self._task.result()
        still = "open" if self.opened.is_set() else "unanswered"
        return Wire(still, asyncio.get_running_loop().time())

    async def answered(self, limit: float) -> bool:
        """Wait for the 101; False if another end comes first, or none of both."""
        opened = asyncio.create_task(self.opened.wait())
        await asyncio.wait({opened, self._task}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        return self.opened.is_set()

    @property
    def over(self) -> bool:
        """Whether it has ended, or never opened."""
        return self._task.done() or not self.opened.is_set()

    async def send(self, message: str | bytes) -> None:
        """Send one message in one frame."""
        if isinstance(message, str):
            await self._write(frame(_TEXT, message.encode()))
        else:
            await self._write(frame(_BINARY, message))

    async def hear(self, message: bytes, limit: float) -> bool:
        """Wait until a message has come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while message not in self.heard and not self._task.done():
                    self._news.clear()
                    waiting = asyncio.create_task(self._news.wait())
                    await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
        return message in self.heard

    async def leave(self) -> None:
        """Say 1000, and close TCP at once."""
        if self.opened.is_set() and not self._task.done():
            with suppress(OSError):
                await self._write(frame(_CLOSE, struct.pack("!H", 1000)))
        self._task.cancel()
        await asyncio.wait({self._task})
        self._socket.close()

    async def _write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def _run(self) -> Wire:
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(self._socket, (HOST, self.port))
            await self._write(self._request)
        except OSError:
            return Wire("no connection", loop.time())
        try:
            while b"\r\n\r\n" not in self._buffer:
                await self._more()
        except EOFError as error:
            return Wire("unanswered", loop.time(), tcp=str(error))
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        if status != 101:
            headers = {
                name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
            }
            return Wire(
                "refused", loop.time(), status=status, retry_after=headers.get("retry-after")
            )
        self.opened.set()
        try:
            while True:
                opcode, payload = await self._frame()
                if opcode == _CLOSE:
                    return await self._closed(payload)
                if opcode == _PING and self._pongs:
                    await self._write(frame(_PONG, payload))
                elif opcode in (_TEXT, _BINARY):
                    self.heard.append(payload)
                    self._news.set()
        except EOFError as error:
            return Wire("cut", loop.time(), tcp=str(error))
        except OSError:
            return Wire("cut", loop.time(), tcp="RST")

    async def _closed(self, payload: bytes) -> Wire:
        """Answer the close frame, and wait for the end of TCP."""
        at, tcp = asyncio.get_running_loop().time(), None
        code = struct.unpack("!H", payload[:2])[0] if payload else 1005
        try:
            async with asyncio.timeout(_LINGER):
                await self._write(frame(_CLOSE, payload[:2]))
                while True:
                    await self._more()
        except EOFError as error:
            tcp = str(error)
        except TimeoutError:
            pass
        except OSError:
            tcp = "RST"
        return Wire("close frame", at, code, payload[2:].decode(errors="replace"), tcp=tcp)

    async def _more(self) -> None:
        """Read on; raises `EOFError` with "FIN" or "RST"."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
        except ConnectionError:
            raise EOFError("RST") from None
        if not data:
            raise EOFError("FIN")
        self._buffer += data

    async def _frame(self) -> tuple[int, bytes]:
        while len(self._buffer) < 2:
            await self._more()
        size, start = self._buffer[1] & 127, 2
        if size > 125:
            start = 4 if size == 126 else 10
            while len(self._buffer) < start:
                await self._more()
            size = int.from_bytes(self._buffer[2:start], "big")
        while len(self._buffer) < start + size:
            await self._more()
        opcode, payload = self._buffer[0] & 15, self._buffer[start : start + size]
        self._buffer = self._buffer[start + size :]
        return opcode, payload


async def probe(
    port: int,
    path: str = "/",
    subprotocols: tuple[str, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> bool:
    """Whether a WebSocket opens there now."""
    recorder = Recorder(port, path, subprotocols, headers)
    try:
        return await recorder.answered(2.0)
    finally:
        await recorder.leave()
