"""What a conversation does where a real peer cannot be made to: sends that fail half-way (L3)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from recloser import Retry, Stop
from recloser.cli.terminal.conversation import Conversation
from recloser.cli.terminal.display import Display
from recloser.testing import Plan, ScriptedTransport, ScriptedWire
from tests.engine.rig import CUT, UP, Answering, engine, turns, virtual


class Screened:
    """A screen whose two sides are files that can be looked at."""

    def __init__(self, folder: Path, out: str | None = None) -> None:
        self.paths = (Path(out) if out else folder / "out", folder / "err")
        self.fds = [os.open(path, os.O_WRONLY | os.O_CREAT) for path in self.paths]
        self.screen = Display(out=self.fds[0], err=self.fds[1])

    @property
    def told(self) -> str:
        return self.paths[1].read_text()

    @property
    def messages(self) -> str:
        return self.paths[0].read_text()


@pytest.fixture
def screened(tmp_path: Path) -> Iterator[Screened]:
    found = Screened(tmp_path)
    yield found
    for fd in found.fds:
        os.close(fd)


class Breaking(ScriptedTransport):
    """The first message breaks the first connection while it is being sent."""

    async def dial(self, request, ended) -> ScriptedWire:
        wire = await super().dial(request, ended)
        if len(self.wires) == 1:

            async def send(message: str | bytes) -> None:
                wire.end(CUT)
                raise ConnectionResetError("the connection ended")

            wire.send = send
        return wire


async def typed(*lines: bytes):
    for line in lines:
        yield line
        await turns()


def conversation(ws, lines, screened: Screened, *, interactive: bool) -> Conversation:
    screened.screen.watch(ws)
    return Conversation(
        ws, lines, screened.screen, interactive=interactive, binary=False, linger=1.0
    )


@pytest.mark.spec("L3")
@virtual
async def test_a_line_of_a_pipe_that_broke_the_connection_is_sent_again(screened):
    transport = Breaking([UP, UP])
    ws, _ = engine(transport=transport, policy=Answering(Retry(5.0)))
    lines = typed(b"one", b"two")
    assert await conversation(ws, lines, screened, interactive=False).run() == 0
    assert transport.wires[1].sent == ["one", "two"]
    assert "-- the connection ended while sending line 1: sending it again\n" in screened.told


@pytest.mark.spec("L3")
@virtual
async def test_a_typed_line_that_broke_the_connection_is_told(screened):
    transport = Breaking([UP, UP])
    ws, _ = engine(transport=transport, policy=Answering(Retry(5.0)))

    async def lines():
        await turns()
        yield b"one"

    assert await conversation(ws, lines(), screened, interactive=True).run() == 0
    told = "-- the connection ended while sending: perhaps it did not arrive\n"
    assert told in screened.told
    assert len(transport.wires) == 1


@pytest.mark.spec("L3")
@virtual
async def test_a_policy_that_fails_is_told_in_a_line(screened):
    ws, _ = engine(Plan(refused=CUT), policy=Answering(ZeroDivisionError("broken")))
    assert await conversation(ws, typed(b"one"), screened, interactive=False).run() == 1
    *before, last = screened.told.splitlines()
    assert last.startswith("-- stopped: the policy raised ZeroDivisionError")
    assert last not in before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@virtual
async def test_output_that_cannot_be_written_ends_it(tmp_path):
    screened = Screened(tmp_path, "/dev/full")
    ws, transport = engine(Plan(messages=("news",)))
    talk = conversation(ws, typed(), screened, interactive=False)
    assert await talk.run() == 1
    assert transport.wires[0].closed_with == (1000, "")
    assert "-- cannot read or write: No space left on device\n" in screened.told
    for fd in screened.fds:
        os.close(fd)


@virtual
async def test_what_comes_during_the_closing_is_shown(screened):
    ws, transport = engine(Plan(echo_takes=1.0), policy=Answering(Stop()))
    ws.subscribe(
        lambda change: change.current.value == "closing" and transport.wires[0].deliver("bye")
    )

    async def later():
        await turns()
        yield b"hello"

    talk = conversation(ws, later(), screened, interactive=True)
    assert await talk.run() == 0
    assert screened.messages == "bye\n"
