"""An engine meets a full disk, in a process that has one to itself: `test_file.py` runs it."""

import asyncio
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import structlog

from recloser import Delivery, OutboxNotSaved, State
from tests.engine.outbox.files import make, rows, shown
from tests.engine.rig import CUT, DOWN, UP, turns

LIMIT = 300_000


def limited(path: Path) -> Callable[[], None]:
    """No file may grow beyond some bytes; gives what ends that."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the error is wanted, not the signal
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def small(path: Path) -> Callable[[], None]:
    """Leave some bytes of the small disk on which the file will be; gives what frees the others."""
    ballast = path.with_name("ballast")
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - LIMIT)
    return lambda: ballast.unlink(missing_ok=True)


async def story(path: Path, room: Callable[[], None], *, goes_on: bool) -> None:
    ws, transport = make(path, DOWN, UP)
    ws.connect()
    await turns()
    accepted: list[str] = []

    async def fill() -> None:
        for number in range(1000):
            text = f"{number}:" + "x" * 3000
            assert await ws.send(text) is Delivery.QUEUED
            accepted.append(text)

    with pytest.raises(OutboxNotSaved) as caught:
        await fill()
    assert caught.value.path == str(path)
    assert f"the outbox file {path} cannot be written (" in str(caught.value)
    assert "make room on the disk" in str(caught.value)
    assert len(accepted) > 10
    with pytest.raises(OutboxNotSaved):
        await ws.send("y" * 3000)
    assert [data for _, data in shown(ws)] == accepted
    if goes_on:
        ws.connect()
        await ws.wait_for(State.OPEN)
        await ws.drain()
        assert transport.wires[0].sent == accepted
        assert await ws.send("direct") is Delivery.SENT
        transport.wires[0].end(CUT)
        room()
        assert await ws.send("z" * 3000) is Delivery.QUEUED
        accepted = ["z" * 3000]
    await ws.close()
    room()
    assert [data for _, data in rows(path)] == accepted


def main(path: Path, kind: str, what: str) -> None:
    with ExitStack() as stack:
        logs = stack.enter_context(structlog.testing.capture_logs())
        room = {"limited": limited, "small": small}[kind](path)
        asyncio.run(story(path, room, goes_on=what == "goes-on"))
        assert "websocket.outbox_not_saved" in {line["event"] for line in logs}


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
