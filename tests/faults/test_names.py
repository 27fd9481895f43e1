"""A name server that fails, lies, keeps silent, or moves the name."""

from pathlib import Path

import pytest

from recloser.fsm.record import Cause, Origin
from tests.faults.feed import running
from tests.faults.lab import PORT, THERE, Lab
from tests.faults.names import NO_SUCH_NAME, SERVER_FAILED, Answer, naming

pytestmark = pytest.mark.faults

URL = f"ws://feed.example:{PORT}/"


@pytest.mark.spec("B3", "F5", "G7.2")
@pytest.mark.parametrize(
    "answer", [NO_SUCH_NAME, SERVER_FAILED, None], ids=["no name", "failure", "silence"]
)
async def test_names_that_cannot_be_looked_up(lab: Lab, tmp_path: Path, answer: Answer) -> None:
    await lab.serve()
    async with naming(tmp_path, THERE) as names, running(URL) as feed:
        await feed.send(5)
        await feed.tick()
        names.answer = answer
        lab.black_hole("to the server")  # a dial without an answer asks for the name again
        feed.ws.reconnect()
        while (close := await feed.ended()).cause not in (Cause.DNS, Cause.CONNECT_TIMEOUT):
            pass
        while close.cause is not Cause.DNS:
            close = await feed.ended()
        assert (close.code, close.origin) == (1006, Origin.NETWORK)
        await feed.send(5)
        names.answer = THERE
        lab.restore()
        await feed.open()
        await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 11))


@pytest.mark.spec("E1.7")
async def test_a_name_that_moves(lab: Lab, tmp_path: Path) -> None:
    await lab.serve()
    async with naming(tmp_path, THERE) as names, running(URL) as feed:
        await feed.send(5)
        await feed.tick(12)
        lab.router.ip(f"route add blackhole {THERE}/32\n")
        names.answer = "10.8.0.2"
        assert (await feed.ended()).cause is Cause.HEARTBEAT
        await feed.send(5)
        await feed.open()
        await feed.tick()
    lab.end()
    assert set(lab.received) == set(range(1, 11))
