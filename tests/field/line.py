"""A line on loopback that can go mute: what the client says no longer reaches the server."""

import asyncio
import socket
from contextlib import suppress
from typing import Self

from tests.field.recorder import HOST


class Line:
    """Connections to a server that pass through here, as plain TCP."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.mute = False
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._connected, HOST, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for writer in self._writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(HOST, self._target)
            self._writers += [writer, server_writer]
        except OSError:
            writer.close()
            return
        up = asyncio.create_task(self._pass(reader, server_writer, muted=True))
        down = asyncio.create_task(self._pass(server_reader, writer, muted=False))
        self._tasks |= {up, down}
        await asyncio.wait({down})
        up.cancel()
        self._tasks -= {up, down}
        server_writer.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, muted: bool
    ) -> None:
        mute_from_here = self.mute
        try:
            while data := await reader.read(65536):
                if not (muted and self.mute and not mute_from_here):
                    writer.write(data)
                    await writer.drain()
        except ConnectionError:
            sock = writer.get_extra_info("socket")
            linger = (1).to_bytes(4, "little") + bytes(4)
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
