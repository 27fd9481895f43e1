"""A name server of the test's own, which lies, keeps silent, or changes its mind."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

ADDRESS: Final = "10.7.0.1"
_PORT: Final = 53
_A: Final = 1
_ANSWER: Final = struct.Struct(">HHHLH")
"""Pointer to the name, type, class, seconds to live, length of the data."""
NO_SUCH_NAME, SERVER_FAILED = 3, 2

Answer = str | int | None
"""An address, an error of RFC 1035 section 4.1.1, or None for silence."""


class _NameServer(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[], Answer]) -> None:
        self._answer = answer

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        answer = self._answer()
        if answer is None:
            return
        question = data[12 : data.index(b"\0", 12) + 5]
        (kind,) = struct.unpack_from(">H", question, len(question) - 4)
        error = answer if isinstance(answer, int) else 0
        body = b""
        if isinstance(answer, str) and kind == _A:
            body = _ANSWER.pack(0xC00C, _A, 1, 0, 4) + socket.inet_aton(answer)
        head = struct.pack(">HHHHH", 0x8180 | error, 1, 1 if body else 0, 0, 0)
        self._transport.sendto(data[:2] + head + question + body, peer)


class Names:
    """The answer to every question."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


async def _mount(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0


@asynccontextmanager
async def naming(folder: Path, answer: Answer) -> AsyncIterator[Names]:
    """Ask a server of our own for every name, in this mount namespace."""
    settings = folder / "resolv.conf"
    settings.write_text(f"nameserver {ADDRESS}\noptions timeout:1 attempts:1\n")
    await _mount("mount", "--bind", str(settings), "/etc/resolv.conf")
    names = Names(answer)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _NameServer(lambda: names.answer), local_addr=(ADDRESS, _PORT)
    )
    try:
        yield names
    finally:
        transport.close()
        await _mount("umount", "/etc/resolv.conf")
