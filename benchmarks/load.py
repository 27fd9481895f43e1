"""Ten thousand engines under load, through a restart of their server.

    python benchmarks/load.py [ENGINES [SECONDS [ROW ...]]] [--rare]

Each connection receives a message a second, and all together send a fifth as many. In the rows with
a restart the server is stopped by SIGTERM a third of the way through, and is away for three
seconds. The base is the bare aiohttp program that does the same without a restart; it stands there
once more with aiohttp's own `heartbeat`, since engines watch for silence.

All rows run at the same time, each with a client and a server in processes of their own, so that
what a shared machine does to one it does to all: from one half minute to the next a message can
cost a third more there. A row that is named twice shows how far two runs of one program differ. Two
processors carry four rows.

All rows begin alike. 200 dials are under way at a time; when all are open the garbage is collected
once, and the load goes on for longer than an interval of pings. From then on the CPU of the
client's process is measured, for so many seconds. With `--rare` that process has the thresholds of
Python's collector that docs/embedding.md recommends for many engines; the server never has them.

Every message is accounted for, those before the measurement too: what the servers have sent was
received or reported as undelivered, and what was to be sent was received by a server, or reported
as unsent, or `send` raised. A message to a client that has given up the dial counts as lost: the
servers tell how many they have sent on connections that were cut, so without a close frame. The
rows are `bare`, `watched` (with a heartbeat), `bare-restart`, `engines`, `quiet` (engines with
`quiet_only`), `restart` and `quiet-restart`. `bare-restart` is the least that a restart costs with
aiohttp: it is told when the server is back, and dials each connection once more. Where none is
named, they are `bare`, `bare-restart` and `quiet-restart`, for 300 s; `make fleet` runs these with
and without `--rare`, and the others. A run takes 45 s more than it measures, and ends by itself.
"""

import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle
from typing import NamedTuple

import aiohttp
from collector import RARE, collect_rarely
from peers import silence
from publisher import MESSAGE, TICK, Server, serving
from table import Table

import recloser

GOAL = 1.10
SHARE = 5
"""So many messages are received for one that is sent."""
AWAY = 3.0
AT_ONCE = 200
"""Dials under way at a time: what an engine's governor allows."""
PATIENCE = 60.0
"""Seconds for which all engines may take to open."""
INTERVAL = 20.0
"""Seconds between pings: an engine's default, and aiohttp's `heartbeat` where it is set."""
SETTLING = 1.25 * INTERVAL
"""Seconds of load before the measurement: each connection has come to its first ping."""


@dataclass
class Count:
    """What the client has seen of its messages, and what the measured ones took."""

    received: int = 0
    undelivered: int = 0
    sent: int = 0
    unsent: int = 0
    refused: int = 0
    open: int = 0
    cpu: float = 0.0
    """Seconds of CPU of the client's process while it was measured."""
    measured: int = 0
    """Messages received meanwhile."""
    server_sent: int = 0
    server_received: int = 0
    server_cut: int = 0
    """Messages of the servers on connections that ended without a close frame of the client's."""

    @property
    def lost_here(self) -> int:
        """Messages of the servers of which nobody knows."""
        return self.server_sent - self.received - self.undelivered

    @property
    def lost_there(self) -> int:
        """Messages of the client of which nobody knows."""
        return self.sent - self.server_received - self.unsent

    def add(self, server: Server) -> None:
        """Take what the servers have counted."""
        self.server_sent, self.server_received = server.sent, server.received
        self.server_cut = server.cut


Send = Callable[[str], Awaitable[object]]


async def load(senders: list[Send], seconds: float, count: Count) -> None:
    """Send for so long, one sender after the other."""
    loop = asyncio.get_running_loop()
    each = max(1, round(len(senders) / SHARE * TICK))
    turn = cycle(senders)
    due = loop.time()
    for _ in range(round(seconds / TICK)):
        for _ in range(each):
            try:
                await next(turn)(MESSAGE)
            except (recloser.NotOpen, recloser.ConnectionClosed, ConnectionResetError):
                count.refused += 1
            else:
                count.sent += 1
        due += TICK
        await asyncio.sleep(max(0.0, due - loop.time()))


async def settle(senders: list[Send], count: Count) -> None:
    """Come to the state of a long run."""
    gc.collect()
    await load(senders, SETTLING, count)


async def measured(senders: list[Send], seconds: float, count: Count) -> None:
    """Send for so long, and keep what the process took meanwhile."""
    cpu, received = time.process_time(), count.received
    await load(senders, seconds, count)
    count.cpu = time.process_time() - cpu
    count.measured = count.received - received


async def restarted(server: Server, seconds: float) -> None:
    """Stop the server after so long, and start it again."""
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(server.start)


async def bare(
    connections: int, seconds: float, *, heartbeat: float | None = None, restart: bool = False
) -> Count:
    """Do it with aiohttp alone, through a restart if that is asked for."""
    count = Count()
    free = asyncio.Semaphore(AT_ONCE)

    async def read(ws: aiohttp.ClientWebSocketResponse) -> None:
        async for _ in ws:
            count.received += 1

    with serving() as server:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def dial(number: int) -> None:
                async with free:
                    ws = await session.ws_connect(url, heartbeat=heartbeat)
                sockets[number] = ws
                readers.append(asyncio.create_task(read(ws)))

            async def dial_all() -> None:
                await asyncio.gather(*(dial(number) for number in range(connections)))

            async def restarted_and_dialled() -> None:
                await restarted(server, seconds / 3)
                await dial_all()

            url = f"http://127.0.0.1:{server.port}/"
            sockets = dict[int, aiohttp.ClientWebSocketResponse]()
            readers = list[asyncio.Task[None]]()
            await dial_all()
            senders: list[Send] = [ws.send_str for ws in sockets.values()]
            if restart:
                senders = [partial(send_by, sockets, number) for number in range(connections)]
            await settle(senders, count)
            both = [measured(senders, seconds, count)]
            if restart:
                both.append(restarted_and_dialled())
            await asyncio.gather(*both)
            count.open = sum(not ws.closed for ws in sockets.values())
            await asyncio.to_thread(server.stop)
            await asyncio.gather(*readers)
    count.add(server)
    return count


def send_by(
    sockets: dict[int, aiohttp.ClientWebSocketResponse], number: int, message: str
) -> Awaitable[None]:
    """Send by the connection that has this number now."""
    return sockets[number].send_str(message)


class Engines:
    """The engines of one run, and what their changes say of messages."""

    def __init__(self, connections: int, url: str, *, quiet_only: bool) -> None:
        self.count = Count()
        self._all = asyncio.Event()
        heartbeat = recloser.Heartbeat(INTERVAL, INTERVAL, quiet_only=quiet_only)
        self.engines = [
            recloser.connect(url, observers=[self._see], heartbeat=heartbeat)
            for _ in range(connections)
        ]

    def _see(self, change: recloser.StateChange) -> None:
        count, opened = self.count, recloser.State.OPEN
        count.open += (change.current is opened) - (change.previous is opened)
        count.undelivered += change.undelivered
        if change.close is not None:
            count.unsent += change.close.unsent
        if count.open == len(self.engines):
            self._all.set()
        else:
            self._all.clear()

    async def read(self, ws: recloser.ReconnectingWebSocket) -> None:
        async for _ in ws:
            self.count.received += 1

    async def opened(self) -> None:
        """Wait until all are open, or for as long as that may take."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all.wait(), PATIENCE)


@asynccontextmanager
async def engines_at(connections: int, url: str, *, quiet_only: bool) -> AsyncIterator[Engines]:
    """Open engines with a consumer each, and close them at the end."""
    crowd = Engines(connections, url, quiet_only=quiet_only)
    for ws in crowd.engines:
        ws.connect()
    readers = [asyncio.create_task(crowd.read(ws)) for ws in crowd.engines]
    try:
        await crowd.opened()
        yield crowd
    finally:
        await asyncio.gather(*(ws.close() for ws in crowd.engines))
        await asyncio.gather(*readers)


async def engines(connections: int, seconds: float, *, quiet_only: bool, restart: bool) -> Count:
    """Do it with engines, through a restart if that is asked for."""
    with serving() as server:
        url = f"ws://127.0.0.1:{server.port}/"
        async with engines_at(connections, url, quiet_only=quiet_only) as crowd:
            senders: list[Send] = [ws.send for ws in crowd.engines]
            await settle(senders, crowd.count)
            both = [measured(senders, seconds, crowd.count)]
            if restart:
                both.append(restarted(server, seconds / 3))
            await asyncio.gather(*both)
            opened = crowd.count.open
            # The server ends first, so that no message crosses a close of ours.
            await asyncio.to_thread(server.stop)
        crowd.count.open = opened
    crowd.count.add(server)
    return crowd.count


class Row(NamedTuple):
    """One program."""

    title: str
    run: Callable[[int, float], Coroutine[object, object, Count]]


FLOOR = "bare-restart"
ROWS = {
    "bare": Row("bare aiohttp", bare),
    "watched": Row(f"bare aiohttp, heartbeat={INTERVAL:g}", partial(bare, heartbeat=INTERVAL)),
    FLOOR: Row("bare aiohttp, through a restart", partial(bare, restart=True)),
    "engines": Row("recloser", partial(engines, quiet_only=False, restart=False)),
    "quiet": Row("recloser, quiet_only", partial(engines, quiet_only=True, restart=False)),
    "restart": Row("recloser, through a restart", partial(engines, quiet_only=False, restart=True)),
    "quiet-restart": Row(
        "recloser, quiet_only, through a restart", partial(engines, quiet_only=True, restart=True)
    ),
}
BASES = ("bare", "watched")
DEFAULT = ("bare", FLOOR, "quiet-restart")


def counted(row: str, connections: int, seconds: float, *, rare: bool) -> Count:
    """Run a row in a process of its own."""
    command = [sys.executable, __file__, "--row", row, str(connections), str(seconds)]
    done = subprocess.run(
        [*command, *([RARE] if rare else [])], check=True, stdout=subprocess.PIPE, text=True
    )
    return Count(**json.loads(done.stdout))


def main(connections: int, seconds: float, rows: list[str], *, rare: bool) -> None:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = min(connections, descriptors - 200)
    table = Table(
        f"{connections:,} connections under load for {seconds:g} s"
        + rare * ", and the collector runs rarely",
        [
            *("CPU s", "µs a message", "to bare aiohttp", "to bare with a heartbeat"),
            *("open at the end", "received", "undelivered", "lost on the way here"),
            *(
                "sent on connections cut",
                "sent",
                "unsent",
                "`send` raised",
                "lost on the way there",
            ),
        ],
        judged="to bare aiohttp",
    )
    with ThreadPoolExecutor(len(rows)) as pool:
        each = partial(counted, connections=connections, seconds=seconds, rare=rare)
        counts = [*pool.map(each, rows)]
    # Of a row that is named twice the first is the base.
    found = dict(zip(reversed(rows), reversed(counts), strict=True))
    for name, count in zip(rows, counts, strict=True):
        ratios = [count.cpu / found[base].cpu if base in found else None for base in BASES]
        numbers = (
            *(count.open, count.received, count.undelivered, count.lost_here),
            *(count.server_cut, count.sent, count.unsent, count.refused, count.lost_there),
        )
        table.add(
            ROWS[name].title, f"{count.cpu:.2f}", f"{count.cpu / count.measured * 1e6:.1f}",
            *("" if each is None else f"{each:.3f}" for each in ratios),
            *(f"{each:,}" for each in numbers),
            judged=ratios[0], goal=None if name in (*BASES, FLOOR) else GOAL,
        )  # fmt: skip
    print(table.markdown())


def row(name: str, connections: int, seconds: float, *, rare: bool) -> None:
    """Print the count of a row as JSON."""
    silence()
    if rare:
        collect_rarely()
    print(json.dumps(asdict(asyncio.run(ROWS[name].run(connections, seconds)))))


if __name__ == "__main__":
    rare = RARE in sys.argv
    match [word for word in sys.argv[1:] if word != RARE]:
        case ["--row", name, connections, seconds]:
            row(name, int(connections), float(seconds), rare=rare)
        case [] | [_] as words:
            main(int(words[0]) if words else 10_000, 300.0, [*DEFAULT], rare=rare)
        case [connections, seconds, *names]:
            main(int(connections), float(seconds), names or [*DEFAULT], rare=rare)
