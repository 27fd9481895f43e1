"""How far one message travels through the sources: files entered, and moves from file to file.

It is a count, not a time: the same on every machine. `send` in backoff with a file took 19 files
and 53 moves, and the flush of that message 65, when the outbox was a ladder of six classes.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import recloser
from recloser import State
from tests.engine.outbox.engines import file_is_current
from tests.engine.outbox.files import make, real, settled
from tests.engine.rig import DOWN, UP, turns

ROOT = Path(recloser.__file__).parent


class Trace:
    """The source files of the functions that are called, one after the other."""

    def __init__(self) -> None:
        self.files: list[str] = []

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT) and "testing" not in path.parts:
            self.files.append(str(path.relative_to(ROOT)))

    @property
    def moves(self) -> int:
        return sum(before != after for before, after in pairwise(self.files))


@contextmanager
def traced() -> Iterator[Trace]:
    trace = Trace()
    before = sys.getprofile()
    sys.setprofile(trace)
    try:
        yield trace
    finally:
        sys.setprofile(before)


@pytest.mark.spec("G6")
@real
async def test_a_message_does_not_bounce_between_files(path: Path) -> None:
    ws, transport = make(path, DOWN, UP)
    ws.connect()
    await turns()
    await ws.send("opens the file's thread")
    ws.outbox.clear()
    await settled(lambda: file_is_current(ws))
    with traced() as sending:
        await ws.send("a")
    assert 5 < len(set(sending.files)) <= 10, sorted(set(sending.files))
    assert sending.moves <= 20, sending.files
    flushing = Trace()

    def opened(change: recloser.StateChange) -> None:
        if change.current is State.OPEN:
            sys.setprofile(flushing)

    ws.subscribe(opened)
    ws.connect()
    try:
        await settled(lambda: transport.wires != [] and transport.wires[0].sent == ["a"])
        await settled(lambda: file_is_current(ws))
    finally:
        sys.setprofile(None)
    inside = Trace()
    inside.files = [each for each in flushing.files if each.startswith("outbox")]
    assert 0 < inside.moves <= 30, inside.files
    await ws.close()
