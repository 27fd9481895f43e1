"""A real file system that stalls, and one that is slow: bindfs, which FUSE runs as a process."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import recloser
from recloser import Acknowledgements, Outbox, State
from recloser.journal import Journal, Reader
from tests.faults.feed import acknowledged, numbered, running
from tests.faults.lab import Lab, needs

pytestmark = pytest.mark.faults

ACKS = Acknowledgements(matcher=acknowledged, render=numbered, timeout=10.0)


class Disk:
    """A folder whose file system is a process: it answers nothing while that is stopped."""

    def __init__(self, path: Path, process: "subprocess.Popen[bytes]") -> None:
        self.path = path
        self._process = process

    def stall(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Disk]:
    needs("bindfs", "bindfs")
    real, path = folder / "real", folder / "disk"
    real.mkdir()
    path.mkdir()
    process = subprocess.Popen(["bindfs", "-f", *options, str(real), str(path)])
    try:
        while not path.is_mount():
            if process.poll() is not None:
                pytest.skip("no FUSE here: bindfs ended")
        yield Disk(path, process)
    finally:
        process.send_signal(signal.SIGCONT)
        subprocess.run(["umount", "--lazy", str(path)], check=False)
        process.kill()
        process.wait()


@pytest.mark.spec("A4.1", "G1.1", "G6")
async def test_a_disk_that_stalls_under_the_outbox(lab: Lab, tmp_path: Path) -> None:
    """Messages wait, pings go on, and a close keeps its deadline; nothing that was sent is lost."""
    await lab.serve()
    with mounted(tmp_path) as disk:
        outbox = Outbox(path=disk.path / "outbox.db", acknowledgements=ACKS)
        async with running(outbox=outbox) as feed:
            await feed.send(5)
            await feed.tick(12)
            disk.stall()
            sending = asyncio.ensure_future(feed.send(1))
            await feed.tick(40)  # longer than the heartbeat allows
            assert not feed.closes
            assert not sending.done()
            await feed.ws.close()
            assert feed.ws.state is State.CLOSED
            assert not sending.done()
            disk.go_on()
            await sending
            feed.ws.connect()
            await feed.open()
            await feed.send(4)
    lab.end()
    assert set(lab.received) == set(range(1, 11))


@pytest.mark.spec("D9.5")
async def test_a_disk_that_stalls_under_the_budget(lab: Lab, tmp_path: Path) -> None:
    """A dial waits for it two seconds at most, and the log says that its count is not written."""
    await lab.serve()
    with mounted(tmp_path) as disk:
        budget = recloser.Budget((1000, 60.0), path=disk.path / "dials.db")
        async with running(budget=budget) as feed:
            await feed.send(5)
            await feed.tick()
            disk.stall()
            feed.ws.reconnect()
            await feed.ended()
            await feed.open()
            await feed.tick(10)
            unsaved = [line for line in feed.lines if line["event"] == "websocket.budget_not_saved"]
            assert len(unsaved) == 1
            assert "has not answered" in unsaved[0]["error"]
            disk.go_on()
            await feed.send(5)
            feed.ws.reconnect()
            await feed.ended()
            await feed.open()
    lab.end()
    assert set(lab.received) == set(range(1, 11))


@pytest.mark.spec("I7.1", "I7.2", "I3.6", "F1.2")
async def test_a_disk_that_stalls_under_the_journal(lab: Lab, tmp_path: Path) -> None:
    """Pings go on, ends are noticed and dials made; each line is there once the disk is back."""
    await lab.serve()
    with mounted(tmp_path) as disk:
        path = disk.path / "journal.jsonl"
        with Journal(path) as journal:
            async with running(observers=[journal]) as feed:
                await feed.send(5)
                await feed.tick()
                disk.stall()
                for _ in range(3):
                    feed.ws.reconnect()
                    await feed.ended()
                    await feed.open()
                await feed.tick(40)  # longer than the heartbeat allows
                assert len(feed.closes) == 3
                await feed.send(5)
                with pytest.raises(TimeoutError, match="look at its disk"):
                    await asyncio.to_thread(journal.flush)
                assert journal.lost == 0
                disk.go_on()
            journal.flush()
            with path.open("rb") as file:
                reader = Reader(file)
                written = [entry.change for entry in reader]
        assert written == feed.changes
        assert (reader.broken, reader.lost) == (0, 0)
    lab.end()
    assert set(lab.received) == set(range(1, 11))


@pytest.mark.spec("G1.1", "G6", "F1.2")
async def test_a_disk_that_takes_some_kilobytes_a_second(lab: Lab, tmp_path: Path) -> None:
    """A commit takes seconds: messages wait for it, and the connection does not."""
    await lab.serve()
    with mounted(tmp_path, "--write-rate=16k") as disk:
        outbox = Outbox(path=disk.path / "outbox.db", acknowledgements=ACKS)
        async with running(outbox=outbox) as feed:
            sending = asyncio.ensure_future(feed.send(10, size=5000))
            await feed.tick(40)
            assert not feed.closes
            await sending
            lab.signal(signal.SIGKILL)
            await lab.serve()
            await feed.send(2)
            await feed.open()
    lab.end()
    assert set(lab.received) == set(range(1, 13))
