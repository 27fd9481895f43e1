"""Processes that send through a durable outbox are killed at any moment; nothing is missing."""

import asyncio
import os
import random
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

import pytest
import trustme

from recloser.testing.doubles.raw_server import CLOSE, RawPeer, RawServer, close_frame, raw_server
from recloser.testing.doubles.raw_server import text as text_frame
from tests.engine.outbox import mortal
from tests.engine.outbox.mortal import Life, number_of
from tests.engine.served import PATIENCE

KILLED = -9
APART = 1_000_000
"""From the first number of a life to that of the next."""
MOST = 120
"""Messages of a life."""


class Mortals:
    """The process that forks the lives, and what it reports."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self.accepted: list[int] = []
        self._tick = tick
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", mortal.__name__),
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)  # and who lives still
        await self._process.communicate()

    def say(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())

    async def until_over(self) -> int:
        """Note what is reported until a life is over; its exit status."""
        assert self._process is not None
        assert self._process.stdout is not None
        while True:
            line = await self._process.stdout.readline()
            word, _, number = line.decode().partition(" ")
            if word == "over":
                return int(number)
            assert word in mortal.DELIVERIES, line
            self.accepted.append(int(number))
            self._tick()


class Arrival(NamedTuple):
    """A message as the server had it."""

    number: int
    id: int | None
    redelivered: bool
    connection: int
    life: int


class Receiving:
    """The server: reads all that comes, cuts connections, and acknowledges if so asked."""

    def __init__(
        self,
        raw: RawServer,
        chance: random.Random,
        *,
        tick: Callable[[], None],
        stalled: Callable[[], None],
        acknowledge: bool,
    ) -> None:
        self.life = 0
        self.cuts: tuple[str, ...] = ()
        self.stalls = False
        """Whether it stops reading at some time, and reads on when the life is over."""
        self.over = asyncio.Event()
        self._raw = raw
        self._tick = tick
        self._stalled = stalled
        self._chance = chance
        self._acknowledge = acknowledge
        self._got: list[list[Arrival]] = []
        self._acknowledged: set[int] = set()

    @property
    def arrivals(self) -> list[Arrival]:
        """What arrived, in the order in which it was sent: one connection after the other."""
        return [arrival for got in self._got for arrival in got]

    @property
    def settled(self) -> set[int]:
        """The messages that the sender need not hold any more."""
        if self._acknowledge:
            return self._acknowledged
        return {arrival.number for arrival in self.arrivals}

    async def accept(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            peer = await self._raw.accept()
            self._got.append([])
            tasks.create_task(self._read(peer, self._got[-1], len(self._got)))

    async def _read(self, peer: RawPeer, got: list[Arrival], connection: int) -> None:
        chance = self._chance
        until = chance.randrange(1, MOST) if self.cuts else 0
        with suppress(EOFError, ConnectionError), peer.sock:
            await peer.upgrade()
            while True:
                opcode, payload = await peer.frame()
                if opcode == CLOSE:
                    await peer.send(close_frame(1000))
                    return
                got.append(self._arrival(payload.decode(), connection))
                self._tick()
                if self._acknowledge and (chance.random() < 0.9 or not self.cuts):
                    self._acknowledged.add(got[-1].number)
                    await peer.send(text_frame(str(got[-1].id)))
                if self.stalls and chance.random() < 0.05:
                    for _ in range(chance.randrange(1000)):
                        await asyncio.sleep(0)  # meanwhile the sender's buffers fill
                    self._stalled()
                    await self.over.wait()
                if len(got) == until:
                    await self._cut(peer, chance.choice(self.cuts))

    def _arrival(self, payload: str, connection: int) -> Arrival:
        if not self._acknowledge:
            return Arrival(number_of(payload), None, False, connection, self.life)
        number, redelivered, message = payload.split("/", 2)
        return Arrival(number_of(message), int(number), redelivered == "1", connection, self.life)

    async def _cut(self, peer: RawPeer, how: str) -> None:
        """End the connection; what was sent before is still read, unless it is a reset."""
        if how == "reset":
            peer.reset()
            raise EOFError
        if how == "close":
            await peer.send(close_frame(1012))
        with suppress(OSError):  # it was killed meanwhile
            peer.fin()


class Row(NamedTuple):
    number: int
    data: str
    deliveries: int


def rows(path: Path) -> list[Row]:
    """What is in the file, read from a copy: the next life finds it as the dead one left it."""
    copy = path.with_suffix(".copy")
    for end in ("", "-wal"):
        Path(f"{copy}{end}").unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # it died before there was one
            shutil.copy(f"{path}{end}", f"{copy}{end}")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return []  # it died before it could make the table
        found = connection.execute(
            "SELECT number, data, iif(number BETWEEN low AND high, n.deliveries, m.deliveries)"
            " FROM message m, numbers n ORDER BY number"
        )
        return [Row(*each) for each in found]


class Story:
    """Many lives of one file, one after the other."""

    def __init__(
        self, path: Path, seed: int, *, acknowledged: bool = False, most: int = MOST
    ) -> None:
        self.path = path
        self.most = most
        self.chance = random.Random(seed)
        self.acknowledged = acknowledged
        self.marked: set[int] = set()
        """Messages of which a file said that they may have arrived."""
        self._left = 0
        self._now = asyncio.Event()

    def _tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._now.set()

    async def run(
        self,
        lives: int,
        *,
        away: float,
        cuts: tuple[str, ...],
        until: Callable[[], bool] = lambda: True,
    ) -> None:
        """Live and be killed, then live until all has arrived; `away`: chance of no server.

        How far a life comes before it is killed is the machine's to say. So there are more lives
        than `lives`, up to twenty times as many, as long as `until()` is false.
        """
        chance = self.chance
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))  # and does not listen: whoever dials is refused
            dead = f"ws://127.0.0.1:{nobody.getsockname()[1]}/"
            async with raw_server(receive_buffer=4096) as raw, Mortals(self._tick) as mortals:
                self.server = Receiving(
                    raw,
                    chance,
                    tick=self._tick,
                    stalled=self._now.set,
                    acknowledge=self.acknowledged,
                )
                self.mortals = mortals
                life = 0
                while life < lives or (life < 20 * lives and not until()):
                    life += 1
                    there = chance.random() >= away
                    self.server.life = life
                    self.server.cuts = cuts if chance.random() < 0.7 else ()
                    self.server.stalls = chance.random() < 0.5
                    patient = there and not self.acknowledged and chance.random() < 0.5
                    url = raw.url if there else dead
                    begun = self._life(life, url, self.most, patient=patient)
                    assert await self._live(begun, killed=True) == KILLED
                    self._check()
                self.server.life, self.server.cuts, self.server.stalls = 0, (), False
                last = self._life(life + 1, raw.url, 0)
                assert await self._live(last, killed=False) == 0
                self._check()
                assert rows(self.path) == []

    def _life(self, life: int, url: str, count: int, *, patient: bool = False) -> Life:
        chance = self.chance
        return Life(
            path=str(self.path),
            url=url,
            first=life * APART,
            count=count,
            acknowledged=self.acknowledged,
            window=chance.choice([1, 10, 100]),
            patient=patient,
            shrunken=chance.random() < 0.5,
            read=chance.choice([None, 1, 3, 20]),
        )

    async def _live(self, life: Life, *, killed: bool) -> int:
        """Kill it after a random number of messages that were accepted or have arrived, if so."""
        self._now.clear()
        self.server.over.clear()
        self._left = self.chance.randrange(1, self.most)
        self.mortals.say(replace(life, killed=killed).line())
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            accepting = tasks.create_task(self.server.accept(tasks))
            over = tasks.create_task(self.mortals.until_over())
            over.add_done_callback(lambda _: self._now.set())  # it should not end by itself
            if killed:
                early = self.chance.random() < 0.1  # while it opens the file, or dials
                if not early:
                    await self._now.wait()
                for _ in range(self.chance.randrange(2000 if early else 50)):
                    await asyncio.sleep(0)
            self.mortals.say("kill\n" if killed else "wait\n")
            status = await over
            self.server.over.set()
            accepting.cancel()  # and what was sent before the end is still being read
        return status

    def _check(self) -> None:
        held = rows(self.path)
        numbers = [number_of(row.data) for row in held]
        assert all(before < after for before, after in pairwise(numbers)), "once, in order"
        seen: dict[int, Arrival] = {}
        ids: dict[int | None, int] = {}
        for arrival in self.server.arrivals:
            first = seen.setdefault(arrival.number, arrival)
            if self.acknowledged:
                assert ids.setdefault(arrival.id, arrival.number) == arrival.number
            if first is arrival:
                continue
            assert arrival.connection != first.connection
            if self.acknowledged:
                assert arrival.redelivered, arrival
            if arrival.life != first.life:
                assert arrival.number in self.marked, arrival
        assert list(seen) == sorted(seen), "first occurrences are in order"
        missing = set(self.mortals.accepted) - set(numbers) - self.server.settled
        assert not missing, f"accepted, and neither in the file nor settled: {missing}"
        for row, number in zip(held, numbers, strict=True):
            assert row.deliveries or number not in seen, f"arrived, and not marked: {row}"
        self.marked.update(
            number for row, number in zip(held, numbers, strict=True) if row.deliveries
        )


LIVES = [10, pytest.param(300, marks=pytest.mark.slow)]


@pytest.mark.spec("G6")
@pytest.mark.parametrize("lives", LIVES)
async def test_what_was_accepted_while_nobody_was_there(tmp_path: Path, lives: int) -> None:
    story = Story(tmp_path / "outbox.db", seed=1, most=40)  # none leaves
    await story.run(lives, away=1.0, cuts=())
    assert len(story.mortals.accepted) >= lives


@pytest.mark.spec("G3.3", "G6")
@pytest.mark.parametrize("lives", LIVES)
async def test_flushes_that_are_interrupted(tmp_path: Path, lives: int) -> None:
    story = Story(tmp_path / "outbox.db", seed=2)
    await story.run(lives, away=0.4, cuts=("fin",), until=lambda: bool(story.marked))
    assert story.marked, "no flush was interrupted"


@pytest.mark.spec("G4.5", "G6")
@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 40))]
)
async def test_many_senders_over_tls_whose_peer_stops_reading(tmp_path: Path, seed: int) -> None:
    """TLS, and what waits for room in it, keep much in the process that is killed."""
    chance = random.Random(seed)
    path, ca = tmp_path / "outbox.db", tmp_path / "ca.pem"
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(ca))
    accepted = asyncio.Semaphore(0)
    async with (
        asyncio.timeout(PATIENCE),
        raw_server(tls=context, receive_buffer=4096) as raw,
        Mortals(accepted.release) as mortals,
    ):
        life = Life(
            path=str(path),
            url=raw.url,
            first=APART,
            count=MOST,
            acknowledged=False,
            patient=True,
            shrunken=chance.random() < 0.5,
            ca=str(ca),
            senders=chance.choice([20, MOST]),
            padding=20_000,
        )
        mortals.say(life.line())
        over = asyncio.create_task(mortals.until_over())
        peer = await raw.accept()
        await peer.upgrade()
        arrived = [await _number(peer) for _ in range(chance.randrange(1, 10))]
        for _ in range(chance.randrange(MOST // 2, MOST + 1)):
            await accepted.acquire()  # more than all the buffers hold
        mortals.say("kill\n")
        assert await over == KILLED
        with suppress(EOFError, ConnectionError, ssl.SSLError):  # a record may be cut
            while True:
                arrived.append(await _number(peer))
        peer.sock.close()
        held = [number_of(row.data) for row in rows(path)]
        assert set(mortals.accepted) <= {*arrived, *held}
        assert arrived == [*range(APART, APART + len(arrived))]
        assert held == sorted(held)
        mortals.say(replace(life, count=0).line())
        over = asyncio.create_task(mortals.until_over())
        peer = await raw.accept()
        await peer.upgrade()
        assert [await _number(peer) for _ in held] == held
        assert (await peer.frame())[0] == CLOSE
        await peer.send(close_frame(1000))
        mortals.say("wait\n")
        assert await over == 0
        peer.sock.close()
    assert rows(path) == []


async def _number(peer: RawPeer) -> int:
    opcode, payload = await peer.frame()
    if opcode == CLOSE:
        raise EOFError
    return number_of(payload.decode())


@pytest.mark.spec("G6", "G7.1", "G7.2")
@pytest.mark.parametrize("lives", LIVES)
async def test_what_is_acknowledged(tmp_path: Path, lives: int) -> None:
    story = Story(tmp_path / "outbox.db", seed=3, acknowledged=True)

    def redelivered() -> bool:
        return any(arrival.redelivered for arrival in story.server.arrivals)

    await story.run(lives, away=0.2, cuts=("fin", "reset", "close"), until=redelivered)
    assert redelivered()
