"""Ends on a real wire: peers on loopback do what their path says, and real engines tell of it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import trustme
from aiohttp import ClientSession

import recloser
from recloser import Close, Context, Heartbeat, Stop, Timeouts
from recloser.testing.doubles.raw_server import accept_key, close_frame, frame

PATIENCE = 120.0
_PING = 6
"""Bytes of an empty ping of a client, mask included."""
DAY = timedelta(days=1)


class Recorder:
    """A policy that keeps the record it is asked about, and ends the engine."""

    def __init__(self) -> None:
        self.close: Close | None = None

    def decide(self, close: Close, context: Context, /) -> Stop:
        self.close = close
        return Stop("recorded")


async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do what the path of the request says, or the host of a tunnel; the client closes the rest."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split()
        if method == "CONNECT":
            status = target.split(".")[0]
            writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()
            return
        _, what, *given = unquote(target).split("/", maxsplit=3)
        key = next(
            line.split(": ")[1] for line in head if line.lower().startswith("sec-websocket-key")
        )
        if what == "status":
            writer.write(f"HTTP/1.1 {given[0]} No\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            accept = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=" if what == "bad-key" else accept_key(key)
            writer.write(
                b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
            )
        if what == "code":
            writer.write(close_frame(int(given[0]) if given[0] else None, given[1]))
        elif what == "bits":
            writer.write(frame(1, b"x", rsv=0x40))
        elif what == "text":
            writer.write(frame(1, b"\xff"))
        elif what == "big":
            writer.write(frame(2, bytes(2000)))
        elif what == "deaf":
            await reader.readexactly(_PING)
            writer.write(frame(10, b""))
            while await reader.readexactly(_PING):
                writer.write(frame(1, b"x"))  # it goes on sending, and answers no ping any more
        if what == "reset":
            writer.transport.abort()
        elif what == "silent":
            await reader.read()
        elif what != "fin":
            await reader.read(4096)
    writer.close()


@asynccontextmanager
async def peers(tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve all of it on one port; gives the URL, without a path."""
    server = await asyncio.start_server(play, "127.0.0.1", 0, ssl=tls)
    async with server:
        scheme = "ws" if tls is None else "wss"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def record(url: Any, *, advice: str | None = None, **options: Any) -> Close:
    """The record of the first end of a real engine that dials there."""
    policy = Recorder()
    options.setdefault("heartbeat", None)
    ws = recloser.connect(url, policy=policy, max_message_size=1000, **options)
    async with asyncio.timeout(PATIENCE):
        ws.connect()
        if advice is not None:
            ws.advise(advice)
        await ws.wait_for(recloser.State.CLOSED)
    assert policy.close is not None
    return policy.close


def raises_unauthorized(*_: Any) -> Any:
    raise recloser.Unauthorized("signed out")


async def closed_session(url: str) -> Close:
    async with ClientSession() as session:
        policy = Recorder()
        ws = recloser.connect(url, policy=policy, session=session, heartbeat=None)
        ws.connect()
        await ws.wait_for(recloser.State.OPEN)
    async with asyncio.timeout(PATIENCE):
        await ws.wait_for(recloser.State.CLOSED)
    assert policy.close is not None
    return policy.close


async def asked(url: str) -> Close:
    """An end that the application asked for."""
    policy = Recorder()
    async with asyncio.timeout(PATIENCE), recloser.connect(url, policy=policy) as ws:
        await ws.wait_for(recloser.State.OPEN)
    assert policy.close is not None
    return policy.close


async def declared(url: str) -> Close:
    """An end that the application declares to be a failure."""
    policy = Recorder()
    ws = recloser.connect(url, policy=policy)
    async with asyncio.timeout(PATIENCE):
        ws.connect()
        await ws.wait_for(recloser.State.OPEN)
        ws.fail(code=4000)
        await ws.close()
    assert policy.close is not None
    return policy.close


def certificate(authority: trustme.CA, name: str, *, expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    now = datetime.now(UTC)
    since, until = (now - 3 * DAY, now - DAY) if expired else (now - DAY, now + DAY)
    authority.issue_cert(name, not_before=since, not_after=until).configure_cert(context)
    return context


async def ends(codes: Iterable[tuple[int, str]], statuses: Iterable[int]) -> dict[str, Close]:
    """Every kind of end that the wire can bring, by a name; all at the same time."""
    async with peers() as url, peers() as gone, asyncio.TaskGroup() as group:
        found = {
            f"code {code} {reason}": record(f"{url}/code/{code}/{quote(reason, safe='')}")
            for code, reason in codes
        }
        for status in statuses:
            path = "bad-key" if status == 101 else f"status/{status}"
            found[f"status {status}"] = record(f"{url}/{path}")
        found["no code"] = record(f"{url}/code//")
        for what in ("fin", "reset", "bits", "text", "big"):
            found[what] = record(f"{url}/{what}")
        for advice in ("stop", "hold", "refresh", "retry"):
            found[f"advice {advice}"] = record(f"{url}/fin", advice=advice)
        found["silence"] = record(f"{url}/silent", heartbeat=0.05)
        found["deaf"] = record(f"{url}/deaf", heartbeat=Heartbeat(interval=0.1, timeout=9.0))
        found["no answer"] = record(f"{url}/silent", timeouts=Timeouts(connect=0.1), on_open=_waits)
        found["on_open"] = record(f"{url}/silent", on_open=_raises)
        found["no provider"] = record(_raises)
        found["no credential"] = record(raises_unauthorized)
        found["rejected"] = record(f"{url}/silent", on_open=raises_unauthorized)
        found["no url"] = record(lambda: "http://feed.example/")
        found["session closed"] = closed_session(f"{url}/silent")
        found["stale"] = record(f"{url}/silent", stale_after=0.05)
        found["declared"] = declared(f"{url}/silent")
        found["asked"] = asked(f"{url}/silent")
        for status in (404, 407):
            proxy = url.replace("ws:", "http:")
            found[f"proxy {status}"] = record(f"wss://{status}.example/", proxy=proxy)
        found["no name"] = record("ws://recloser.invalid/")
        found["other host"] = distrusted("elsewhere.example")
        found["expired"] = distrusted("127.0.0.1", expired=True)
        tasks = {name: group.create_task(each) for name, each in found.items()}
    tasks["nobody"] = asyncio.create_task(record(gone))
    return {name: await task for name, task in tasks.items()}


async def distrusted(name: str, *, expired: bool = False) -> Close:
    """A dial to a server whose certificate is not accepted."""
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with peers(certificate(authority, name, expired=expired)) as url:
        return await record(f"{url}/silent", ssl=client)


async def _waits(opening: Any) -> None:
    await opening.receive()


def _raises(*_: Any) -> Any:
    raise LookupError("the application's own code")
