"""A scripted server: it answers the first words of a client's protocol, and ends it in one way."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

from recloser.testing.doubles.raw_server import (
    PONG,
    RawPeer,
    RawServer,
    accept_key,
    close_frame,
    frame,
    text,
)

UP = 1.0
"""Seconds for which a connection is open before it is ended."""
PING = 9

ENDS: dict[str, bytes | None] = {
    "1000": close_frame(1000),
    "1001": close_frame(1001),
    "1006": b"",
    "1012": close_frame(1012),
    "4001": close_frame(4001, "token expired"),
    "401": b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "503": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "lost": None,
}
"""What the server writes: a close frame behind a connection that was open, or the answer to each
upgrade from the second on. 1006 is an end of TCP alone; lost is silence."""

Words = Callable[[str], list[str]]
"""The answers to a message of the client; the empty message stands for the open connection."""


def _graphql(said: str) -> list[str]:
    return ['{"type":"connection_ack"}'] if "connection_init" in said else []


def _centrifuge(said: str) -> list[str]:
    if '"connect"' not in said:
        return []
    number = json.loads(said.splitlines()[0])["id"]
    return [json.dumps({"id": number, "connect": {"client": "one", "version": "6.0.0"}})]


def _socket_io(said: str) -> list[str]:
    if said == "":
        facts = {"sid": "one", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000}
        return [f"0{json.dumps({**facts, 'maxPayload': 1000000})}"]
    return ['40{"sid":"two"}'] if said.startswith("40") else []


def _signalr(said: str) -> list[str]:
    return ["{}\x1e"] if said.startswith('{"protocol"') else []


def _pusher(said: str) -> list[str]:
    if said:
        return []
    facts = json.dumps({"socket_id": "1.1", "activity_timeout": 120})
    return [json.dumps({"event": "pusher:connection_established", "data": facts})]


def _ably(said: str) -> list[str]:
    if said:
        return []
    details = {"clientId": "", "connectionKey": "key", "maxMessageSize": 65536}
    more = {"connectionStateTtl": 120000, "maxIdleInterval": 15000, "serverId": "one"}
    facts = {"action": 4, "connectionId": "one", "connectionDetails": {**details, **more}}
    return [json.dumps(facts)]


def _stomp(said: str) -> list[str]:
    return ["CONNECTED\nversion:1.2\n\n\x00"] if said.startswith("CONNECT") else []


WORDS: dict[str, Words] = {
    "": lambda said: [],
    "graphql": _graphql,
    "centrifuge": _centrifuge,
    "socket.io": _socket_io,
    "signalr": _signalr,
    "pusher": _pusher,
    "ably": _ably,
    "stomp": _stomp,
}


class Peer:
    """The server of one client, and the moments at which it was dialled."""

    def __init__(self, server: RawServer, words: Words, end: str) -> None:
        self.dials: list[float] = []
        self.ends: list[float] = []
        self._server = server
        self._words = words
        self._end = end
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Accept, answer and end connections until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                with suppress(TimeoutError):
                    peer = await self._server.accept()
                    self.dials.append(loop.time())
                    task = asyncio.create_task(self._connection(peer))
                    self._connections.add(task)
                    task.add_done_callback(self._connections.discard)
        finally:
            for task in self._connections:
                task.cancel()

    async def _connection(self, peer: RawPeer) -> None:
        refuses = self._end in ("401", "503")
        with suppress(OSError, EOFError, TimeoutError, ValueError):
            await peer.request()
            if refuses and self.ends:
                await peer.send(ENDS[self._end] or b"")
                self.ends.append(asyncio.get_running_loop().time())
                peer.sock.close()
                return
            await self._accept(peer)
            for answer in self._words(""):
                await peer.send(text(answer))
            with suppress(TimeoutError):
                async with asyncio.timeout(UP):
                    await self._talk(peer)
            self.ends.append(asyncio.get_running_loop().time())
            if self._end == "lost":
                await asyncio.get_running_loop().create_future()
            await peer.send(b"" if refuses else ENDS[self._end] or b"")
            peer.fin()
            async with asyncio.timeout(2.0):
                await peer.gone()
            peer.sock.close()

    async def _accept(self, peer: RawPeer) -> None:
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept_key(peer.head['sec-websocket-key'])}",
        ]
        offered = peer.head.get("sec-websocket-protocol", "").split(",")[0].strip()
        if offered:
            lines.append(f"Sec-WebSocket-Protocol: {offered}")
        await peer.send("\r\n".join((*lines, "", "")).encode())

    async def _talk(self, peer: RawPeer) -> None:
        while True:
            opcode, payload = await peer.frame()
            if opcode == PING:
                await peer.send(frame(PONG, payload))
            for answer in self._words(payload.decode("utf-8", "replace")) if opcode == 1 else ():
                await peer.send(text(answer))
