"""The file of an outbox and the event loop: a disk that stalls, and a file with many messages.

Apart from `durable`, which runs with commits that had another file.
"""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from durable import MESSAGE, Never, away, outbox_flush
from harness import AGAIN, Variant, median_ratio, rounds
from memory import STATM, resident
from table import Table

import recloser
from recloser import Outbox
from recloser.outbox.file.database import Database
from recloser.outbox.file.stored_message import StoredMessage
from recloser.testing import Plan, ScriptedTransport

STALL = 0.05
"""Seconds for which the disk keeps each message waiting."""
PAUSE = 5.0
"""Milliseconds for which the event loop may stand still meanwhile, over one that sends nothing."""
OPENING = 20.0
"""Milliseconds that `connect()` may take, however many messages there are."""
WINDOW = 16.0
"""MiB: what an outbox holds in memory by its own bounds, `max_bytes`."""
FLUSH = 2.0
"""Of the flush of an outbox in memory."""


def tables(scale: float) -> list[Table]:
    """Measure both."""
    with TemporaryDirectory() as folder:
        pauses = asyncio.run(_pauses(Path(folder), max(3, int(40 * scale))))
        return [pauses, asyncio.run(_many(Path(folder), max(2000, int(1_000_000 * scale))))]


# -- a disk that stalls -----------------------------------------------------------------


async def _pauses(folder: Path, count: int) -> Table:
    """Find the longest turn of a loop in which 20 messages are sent, and none can be written."""
    table = Table(
        f"The longest pause of the event loop while the disk stalls for {STALL * 1e3:.0f} ms, "
        f"median of {count} rounds",
        ["ms", "over asyncio"],
        judged="ms over asyncio",
    )
    ws = away(Outbox(path=folder / "stalled.db"))
    ws.connect()
    await ws.send("first")
    # The thread waits in SQLite, as it does for a disk; a nap lets go of the interpreter's lock.
    connection = ws._sender.store.database.connection  # noqa: SLF001 - no user needs it
    connection.create_function("stall", 0, lambda: time.sleep(STALL))
    connection.execute(
        "CREATE TEMP TRIGGER slow BEFORE INSERT ON main.message"
        " WHEN NEW.data = 'stalled' BEGIN SELECT stall(); END"
    )
    idle = "asyncio, nothing sent"
    messages = {idle: 0, idle + AGAIN: 0, "recloser, file": 20}
    longest: dict[str, list[float]] = {name: [] for name in messages}

    async def turning(name: str, messages: int) -> None:
        sending = [asyncio.ensure_future(ws.send("stalled")) for _ in range(min(messages, 1))]
        began = before = time.perf_counter()
        pause = 0.0
        while before - began < STALL:
            if len(sending) < messages:
                sending.append(asyncio.ensure_future(ws.send(MESSAGE)))
            await asyncio.sleep(0)
            now = time.perf_counter()
            pause, before = max(pause, now - before), now
        longest[name].append(pause * 1e3)
        await asyncio.gather(*sending)

    variants = {
        name: Variant(lambda name=name, number=number: turning(name, number))
        for name, number in messages.items()
    }
    await rounds(variants, count, warm=0)
    await ws.close()
    for name, series in longest.items():
        over = median(pause - base for pause, base in zip(series, longest[idle], strict=True))
        goal = PAUSE if name == "recloser, file" else None
        table.add(name, f"{median(series):.2f}", f"{over:.2f}", judged=over, goal=goal)
    return table


# -- a file with many messages ------------------------------------------------------------


async def _many(folder: Path, count: int) -> Table:
    """Open a file and flush it; the ratio is of a tenth of its messages, from file and memory."""
    table = Table(
        f"A file with {count} messages of {len(MESSAGE)} bytes", ["measured"], judged="measured"
    )
    path = _filled(folder / "many.db", count)
    ws = away(Outbox(path=folder / "first.db"))  # the first one loads the code
    ws.connect()
    await ws.close()
    for end in ("", AGAIN):
        ws = away(_roomy(path))
        began, spent = time.perf_counter(), time.thread_time()
        ws.connect()
        took, own = (time.perf_counter() - began) * 1e3, (time.thread_time() - spent) * 1e3
        table.add(f"connect(), ms{end}", f"{took:.1f}", judged=took, goal=OPENING)
        table.add(f"connect(), ms of CPU{end}", f"{own:.1f}", judged=own, goal=OPENING)
        await ws.close()
    await _flush(table, _roomy(path), count)
    memory, some = "memory", count // 10
    kept = outbox_flush(lambda: Outbox(max_messages=some, max_bytes=2**40), some)
    full = outbox_flush(lambda: _roomy(_filled(folder / "some.db", some)), 0)
    found = await rounds({memory: kept, memory + AGAIN: kept, "file": full}, 3, warm=1)
    for name, series in found.items():
        ratio = median_ratio(series.wall, found[memory].wall)
        goal = FLUSH if name == "file" else None
        table.add(f"flush from {name}, to memory", f"{ratio:.2f}", judged=ratio, goal=goal)
        ratio = median_ratio(series.cpu, found[memory].cpu)
        table.add(f"flush from {name}, to memory, CPU", f"{ratio:.2f}")
    return table


async def _flush(table: Table, outbox: Outbox, count: int) -> None:
    """Open and flush the file; what was sent is forgotten at once, or it would be the memory."""
    transport = ScriptedTransport([Plan()])
    before = most = resident() if STATM.exists() else 0
    ws = recloser.connect("ws://there", transport=transport, policy=Never(), outbox=outbox)
    spent = time.process_time()
    ws.connect()
    pause, last = 0.0, time.perf_counter()
    while len(ws.outbox):
        await asyncio.sleep(0)
        now = time.perf_counter()
        pause, last = max(pause, now - last), now
        for wire in transport.wires:
            wire.sent.clear()
        most = max(most, resident() if STATM.exists() else 0)
    each = (time.process_time() - spent) / count * 1e6
    await ws.close()
    table.add("the longest pause of the loop until all was sent, ms", f"{pause * 1e3:.1f}")
    table.add("CPU a message, opened and sent, us", f"{each:.1f}")
    if before:
        size = (most - before) / 2**20
        table.add("memory meanwhile, MiB", f"{size:.1f}", judged=size, goal=WINDOW)


def _roomy(path: Path) -> Outbox:
    return Outbox(path=path, max_messages=10_000_000, max_bytes=2**40)


def _filled(path: Path, count: int) -> Path:
    with closing(Database(str(path), fsync=False)) as database:
        first = database.last() + 1
        for low in range(first, first + count, 10_000):
            numbers = range(low, min(low + 10_000, first + count))
            rows = [StoredMessage(number, None, None, MESSAGE, None, 0) for number in numbers]
            database.write(rows, {}, ())
    return path
