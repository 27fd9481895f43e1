"""The transport over picows beside bare aiohttp and bare picows: messages of 32 bytes, and TLS."""

import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from harness import AGAIN, Variant, low, median_ratio, rounds
from peers import ENGINE, ENGINE_PICOWS, PICOWS, RAW, loops, server
from table import Table

import recloser

MESSAGE = "x" * 32
TRIPS, SENDS, FLOOD = 10, 20, 4000

CPU = {
    "ping-pong": 0.70,
    "stream, async for": 0.55,
    "send": 0.80,
    "ping-pong over TLS": 0.65,
    "stream over TLS, async for": 0.65,
}
"""Goals to bare aiohttp in the same run."""


class Client(NamedTuple):
    """One connection."""

    send: Callable[[str], Awaitable[object]]
    receive: Callable[[], Awaitable[object]]
    messages: AsyncIterator[object]


def tables(scale: float) -> list[Table]:
    """Measure on every event loop; nothing where picows is missing, no TLS without trustme."""
    if find_spec("picows") is None:
        return []
    found: list[Table] = []
    with certificate() as (file, context):
        for tls in (None,) if context is None else (None, context):
            with server("", None if tls is None else file) as url:
                found += [
                    run(measure(name, url, tls, scale))
                    for name, run in loops().items()
                    for measure in (_trips, _stream, *((_sends,) if tls is None else ()))
                ]
    return found


@contextmanager
def certificate() -> Iterator[tuple[str | None, ssl.SSLContext | None]]:
    """Give a file with a key and its certificate, and a client's context that trusts it."""
    if find_spec("trustme") is None:
        yield None, None
        return
    import trustme

    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "key.pem")
        issued = authority.issue_cert("127.0.0.1")
        file.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
        yield str(file), context


async def _open(stack: AsyncExitStack, url: str, tls: ssl.SSLContext | None) -> dict[str, Client]:
    from picows.websockets.asyncio.client import connect

    session = await stack.enter_async_context(aiohttp.ClientSession())
    found: dict[str, Client] = {}
    context = True if tls is None else tls
    for name in (RAW, RAW + AGAIN):
        raw = await stack.enter_async_context(session.ws_connect(url, ssl=context))
        found[name] = Client(raw.send_str, raw.receive, raw)
    engines = {
        ENGINE: recloser.connect(url, ssl=context, transport="aiohttp"),
        ENGINE_PICOWS: recloser.connect(url, ssl=context, transport="picows"),
    }
    for name, made in engines.items():
        engine = await stack.enter_async_context(made)
        found[name] = Client(engine.send, engine.receive, engine)
    bare: Any = await stack.enter_async_context(
        connect(url, ssl=tls, compression=None, proxy=None, ping_interval=None)
    )
    found[PICOWS] = Client(bare.send, bare.recv, bare)
    return found


async def _trips(loop: str, url: str, tls: ssl.SSLContext | None, scale: float) -> Table:
    def turn(client: Client) -> Variant:
        async def trips() -> None:
            for _ in range(TRIPS):
                await client.send(MESSAGE)
                await client.receive()

        return Variant(trips)

    title = "ping-pong" if tls is None else "ping-pong over TLS"
    return await _table(title, loop, f"{url}/echo", tls, turn, int(600 * scale), TRIPS)


async def _stream(loop: str, url: str, tls: ssl.SSLContext | None, scale: float) -> Table:
    def turn(client: Client) -> Variant:
        async def flood() -> None:
            await client.send(str(FLOOD))
            left = FLOOD
            async for _ in client.messages:
                left -= 1
                if not left:
                    break

        return Variant(flood)

    title = "stream, async for" if tls is None else "stream over TLS, async for"
    return await _table(title, loop, f"{url}/flood", tls, turn, int(150 * scale), FLOOD)


async def _sends(loop: str, url: str, tls: ssl.SSLContext | None, scale: float) -> Table:
    def turn(client: Client) -> Variant:
        async def sends() -> None:
            for _ in range(SENDS):
                await client.send(MESSAGE)

        async def caught_up() -> None:
            await client.send("?")
            await client.receive()

        return Variant(sends, after=caught_up)

    return await _table("send", loop, f"{url}/sink", tls, turn, int(800 * scale), SENDS)


async def _table(
    title: str,
    loop: str,
    url: str,
    tls: ssl.SSLContext | None,
    turn: Callable[[Client], Variant],
    count: int,
    block: int,
) -> Table:
    async with AsyncExitStack() as stack:
        clients = await _open(stack, url, tls)
        if tls is not None and url.endswith("/flood"):
            del clients[PICOWS]  # picows 2.3.1 with aiofastnet 1.2.0 stops within the flood
        variants = {name: turn(client) for name, client in clients.items()}
        found = await rounds(variants, max(2, count))
    table = Table(
        f"Framing, {title}, {loop}, {count} rounds of {block}",
        ["µs each, low decile", "ratio", "CPU ratio", "CPU to picows"],
        judged="CPU ratio",
    )
    base, bare = found[RAW], found.get(PICOWS)
    for name, series in found.items():
        cpu = median_ratio(series.cpu, base.cpu)
        table.add(
            name,
            f"{low(series.wall) / block / 1e3:.2f}",
            f"{median_ratio(series.wall, base.wall):.3f}",
            f"{cpu:.3f}",
            "" if bare is None else f"{median_ratio(series.cpu, bare.cpu):.3f}",
            judged=cpu,
            goal=CPU[title] if name == ENGINE_PICOWS else None,
        )
    return table
