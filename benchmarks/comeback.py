"""CPU of coming back: from the loss over one refused dial to open, each kind in a fresh process.

Over TLS the server keeps its ticket keys, and its certificate stands beneath a second authority.
"""

import asyncio
import gc
import random
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path

import aiohttp
from harness import AGAIN
from peers import ENGINE, RAW, server, silence
from table import Table

import recloser
from recloser.fsm import Context, Decision, Retry

GOAL = 1.15
BATCH = 50
FEWEST = 10
"""Connections, at the smallest scale."""
LOOP = f"a loop over {RAW}"
KINDS = (LOOP, LOOP + AGAIN, ENGINE)
RESUMING = f"{ENGINE}, resuming"
TLS_GOAL = 0.6
TLS_KINDS = (ENGINE, ENGINE + AGAIN, RESUMING, LOOP)
TIMEOUTS = recloser.Timeouts(stable=0.2)
AWAY = 4.0
"""Seconds for which dials are refused, and from a refused dial to the next. The first dials are
spread over the first half of them."""


def tables(scale: float) -> list[Table]:
    """Measure each kind three times in turn: beside a loop, and over TLS beside full handshakes."""
    count = max(FEWEST, int(2000 * scale))
    found = _medians(KINDS, count, scale)
    made = [
        _table("Coming back", count, found, {ENGINE: GOAL}, "to the loop", base=LOOP),
    ]
    if find_spec("trustme") is not None:
        with tempfile.TemporaryDirectory() as folder:
            _certify(Path(folder))
            found = _medians(TLS_KINDS, count, scale, folder)
        goals = {RESUMING: TLS_GOAL}
        made.append(
            _table("Coming back over TLS", count, found, goals, "to full handshakes", base=ENGINE)
        )
    return made


def _medians(
    kinds: tuple[str, ...], count: int, scale: float, folder: str | None = None
) -> dict[str, float]:
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    certificate = None if folder is None else str(Path(folder, "key.pem"))
    away = AWAY * max(0.1, min(1.0, scale))
    with server("/", certificate) as url:
        for _ in range(3 if scale >= 1 else 1):
            for kind in random.Random(0).sample(kinds, len(kinds)):
                found[kind].append(_child(kind, url, count, away, folder))
    return {kind: statistics.median(values) for kind, values in found.items()}


def _table(
    title: str,
    count: int,
    found: dict[str, float],
    goals: dict[str, float],
    ratio: str,
    *,
    base: str,
) -> Table:
    table = Table(
        f"{title}, {count} connections, one refused dial each",
        ["ms of CPU a connection", ratio],
        judged=f"CPU {ratio}",
    )
    for kind, took in found.items():
        judged = took / found[base]
        table.add(kind, f"{took:.2f}", f"{judged:.3f}", judged=judged, goal=goals.get(kind))
    return table


def _certify(folder: Path) -> None:
    """Write a server's key with its chain, and the authority at the end of the chain."""
    import trustme

    root = trustme.CA()
    issued = root.create_child_ca().issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    (folder / "key.pem").write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    root.cert_pem.write_to_path(str(folder / "ca.pem"))


def _child(kind: str, url: str, count: int, away: float, folder: str | None) -> float:
    command = [sys.executable, __file__, kind, url, str(count), str(away)]
    if folder is not None:
        command.append(str(Path(folder, "ca.pem")))
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


class Count:
    """How many connections are open for the second time."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._opens = 0
        self.first, self.second = asyncio.Event(), asyncio.Event()

    def opened(self) -> None:
        """Count one that has opened."""
        self._opens += 1
        if self._opens == self._wanted:
            self.first.set()
        if self._opens == 2 * self._wanted:
            self.second.set()


async def _plain(
    session: aiohttp.ClientSession,
    url: str,
    delays: Iterator[float],
    opened: Callable[[], None],
    trust: ssl.SSLContext | bool,
) -> None:
    """Do what an application does that reconnects by itself."""
    while True:
        try:
            async with session.ws_connect(url, ssl=trust) as ws:
                opened()
                async for _ in ws:
                    pass
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(next(delays))


class Policy:
    """Waits as the plain loop does."""

    def __init__(self, delays: Iterator[float]) -> None:
        self._delays = delays

    def decide(self, close: recloser.Close, context: Context) -> Decision:
        """Redial after the next delay."""
        del close, context
        return Retry(next(self._delays))


async def _comeback(kind: str, url: str, count: int, away: float, ca: str | None) -> float:
    """Restart the server under `count` connections; the milliseconds of CPU that each took."""
    counted = Count(count)
    trust: ssl.SSLContext | bool = True
    if ca is not None:
        make = recloser.ResumingContext if kind == RESUMING else ssl.create_default_context
        trust = make(cafile=ca)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        )
        control = await stack.enter_async_context(session.ws_connect(f"{url}restart", ssl=trust))
        tasks = []
        for number in range(count):
            delays = iter((away * number / count / 2, *(away,) * 9))
            run = _plain if kind.startswith(LOOP) else _engine
            life = run(session, f"{url}idle", delays, counted.opened, trust)
            tasks.append(asyncio.create_task(life))
            if number % BATCH == 0:
                await asyncio.sleep(0.02)
        await counted.first.wait()
        await asyncio.sleep(0.5)
        gc.collect()
        before = time.process_time()
        await control.send_str(f"{away}")
        await counted.second.wait()
        used = time.process_time() - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return 1000 * used / count


async def _engine(
    session: aiohttp.ClientSession,
    url: str,
    delays: Iterator[float],
    opened: Callable[[], None],
    trust: ssl.SSLContext | bool,
) -> None:
    def count(change: recloser.StateChange) -> None:
        if change.current is recloser.State.OPEN:
            opened()

    async with recloser.connect(
        url,
        session=session,
        ssl=trust,
        policy=Policy(delays),
        timeouts=TIMEOUTS,
        observers=[count],
        governor=None,  # each makes a refused dial of its own, as the loop does
    ) as ws:
        async for _ in ws:
            pass


if __name__ == "__main__":
    silence()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    where, number, away, *trusted = sys.argv[2:]
    ca = trusted[0] if trusted else None
    print(asyncio.run(_comeback(sys.argv[1], where, int(number), float(away), ca)))
