"""No descriptors, no room on the disk, no memory."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import recloser
from recloser import Acknowledgements, Outbox, OutboxNotSaved
from recloser.fsm.record import Cause
from recloser.journal import Journal, Reader
from tests.faults.feed import acknowledged, numbered, running
from tests.faults.lab import PATIENCE, PORT, THERE, Lab

pytestmark = pytest.mark.faults


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Nothing more can be opened; what is open stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.spec("E6", "E8", "B3", "G7.2")
async def test_no_descriptor_is_left(lab: Lab) -> None:
    await lab.serve()
    async with running() as feed:
        await feed.send(5)
        await feed.tick()
        with no_descriptors():
            feed.ws.reconnect()
            while (close := await feed.ended()).error is None:
                assert close.cause is Cause.CLOSE_FRAME, "that of the connection before"
            assert close.cause is Cause.DIAL
            assert "RLIMIT_NOFILE" in str(close.error)
            await feed.send(5)
        await feed.open()
        await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 11))


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.spec("G1.2", "G6", "D9.5")
async def test_no_room_is_left_on_the_disk_of_outbox_journal_and_budget(
    lab: Lab, tmp_path: Path
) -> None:
    await lab.serve()
    acks = Acknowledgements(matcher=acknowledged, render=numbered, timeout=10.0)
    with small_disk(tmp_path) as disk, Journal(disk / "journal.jsonl") as journal:
        outbox = Outbox(path=disk / "outbox.db", acknowledgements=acks)
        budget = recloser.Budget((1000, 60.0), path=disk / "dials.db")
        async with running(outbox=outbox, budget=budget, observers=[journal]) as feed:
            await feed.send(5)
            lab.black_hole("to the server")
            with pytest.raises(OutboxNotSaved):
                await feed.send(1000, size=5000)
            accepted = feed.sent
            assert accepted > 20
            ballast = disk / "ballast"
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 512)
            assert (await feed.ended()).cause is Cause.HEARTBEAT
            lab.restore()
            await feed.open()
            ballast.unlink(missing_ok=True)
            await feed.ws.drain()
            expected = len(feed.changes)
        journal.close()
        with (disk / "journal.jsonl").open("rb") as file:
            reader = Reader(file)
            written = len(list(reader))
        assert written + reader.lost >= expected, "what could not be written is counted"
    lab.end()
    assert set(lab.received) == set(range(1, accepted + 1))


FLOODED = """
import asyncio, logging, resource, sys
import recloser

def size():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize"))

async def main(url):
    paused = asyncio.Event()
    logging.getLogger("recloser").addFilter(
        lambda record: paused.set() if "reading_paused" in record.getMessage() else None
    )
    async with recloser.connect(url) as ws:
        await ws.wait_for(recloser.State.OPEN)
        await asyncio.to_thread(int)  # the thread's stack is there before the limit
        limit = size() + 32 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        await paused.wait()
        for _ in range(60):
            assert len(await ws.receive()) > 2**20
        print(ws.generation)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.spec("C3.5", "F7.2")
async def test_little_memory_is_left_and_the_server_is_fast(lab: Lab) -> None:
    """Sixty messages of a MiB pass through a process that may grow by 32 MiB."""
    await lab.serve("--size", str(2**20))
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FLOODED, f"ws://{THERE}:{PORT}/"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(client.communicate(), PATIENCE)
    assert (client.returncode, out) == (0, b"1\n"), err.decode()
    lab.end()
