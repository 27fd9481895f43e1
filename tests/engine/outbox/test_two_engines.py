"""Two engines with any outboxes, and whatever an application does to them: nothing disappears."""

import asyncio
import random
from itertools import count, repeat
from pathlib import Path
from typing import Any

import pytest

import recloser
from recloser import Acknowledgements, Drop, Outbox, RecloserError, Retry, State
from recloser.outbox import Message
from recloser.testing import ScriptedTransport
from tests.engine.outbox.engines import sender_of
from tests.engine.outbox.files import real, rows, settled
from tests.engine.rig import CUT, UP, Answering, Hasty, turns

CALLS = (
    *("send",) * 6,
    *("cut", "stall", "flow", "acknowledge") * 2,
    *("clear", "move", "close", "suspend", "reconnect", "peek", "pause"),
    *("connect", "close and connect") * 2,
)


def render(message: Message) -> str:
    return f"{message.id}|{int(message.redelivered)}|{message.data!s}"


class Engine:
    """One of them, and what became of each message that it took."""

    def __init__(self, path: Path, chance: random.Random, account: dict[str, list[str]]) -> None:
        self.chance = chance
        self.account = account
        self.path = path if chance.random() < 0.7 else None
        self.acknowledged = chance.random() < 0.7
        self.transport = ScriptedTransport(repeat(UP))
        window = chance.choice([1, 3, 50])
        acknowledgements = Acknowledgements(window=window, timeout=1.0, render=render)
        self.ws = recloser.connect(
            "ws://feed.example",
            transport=self.transport,
            policy=Answering(Retry(0.1)),
            clock=Hasty(),
            outbox=Outbox(
                path=self.path,
                max_messages=chance.choice([3, 50]),
                in_passive=True,
                acknowledgements=acknowledgements if self.acknowledged else None,
                on_drop=self.dropped,
            ),
        )
        self.tasks: list[asyncio.Task[Any]] = []

    def note(self, data: str | bytes, what: str) -> None:
        self.account.setdefault(str(data), []).append(what)

    def dropped(self, drop: Drop) -> None:
        self.note(drop.message.data, "dropped")

    async def send(self, data: str, **options: Any) -> None:
        try:
            self.note(data, (await self.ws.send(data, **options)).value)
        except (RecloserError, ValueError):
            self.note(data, "refused")

    def call(self, name: str, other: "Engine", numbers: "count[int]") -> None:
        ws, chance = self.ws, self.chance
        wire = self.transport.live[-1] if self.transport.live else None
        match name:
            case "send":
                for number in (next(numbers) for _ in range(chance.randrange(1, 5))):
                    options: dict[str, Any] = {}
                    if chance.random() < 0.3:
                        extra = [("key", "k"), ("this_generation", True), ("ttl", 0.1)]
                        options.update([chance.choice(extra)])
                    if self.acknowledged and chance.random() < 0.2:
                        options["id"] = chance.choice(["p", number + 1000, chance.randrange(40)])
                    self.start(self.send(f"m{number}", **options))
            case "cut" if wire is not None:
                wire.end(CUT)
            case "stall" if wire is not None:
                wire.stall()
            case "flow" if wire is not None:
                wire.flow(chance.choice([None, None, 1]))
            case "acknowledge" if self.acknowledged:
                self.acknowledge(up_to=chance.random() < 0.5)
            case "clear":
                for message in ws.outbox.clear():
                    self.note(message.data, "cleared")
            case "move" if other.ws.state is not State.CLOSED:
                try:
                    ws.outbox.move_to(other.ws)
                except (RecloserError, ValueError):
                    ws.outbox.peek()  # refused as a whole
            case "close":
                self.start(ws.close())
            case "close and connect":
                self.start(ws.close())
                self.start(self.connect_in(chance.randrange(6)))
            case "suspend":
                self.start(ws.suspend())
            case "reconnect" if ws.state is not State.CLOSED:
                ws.reconnect()
            case "connect":
                ws.connect()
            case "peek":
                ws.outbox.peek()

    def start(self, coro: Any) -> None:
        self.tasks.append(asyncio.ensure_future(coro))

    async def connect_in(self, number: int) -> None:
        await turns(number)
        self.ws.connect()

    def acknowledge(self, *, up_to: bool) -> None:
        """Settle one that the peer got, and with `up_to` those before it."""
        held = [m for m in self.ws.outbox.peek() if str(m.data) in self.got and m.id is not None]
        if held:
            before = {m.data for m in self.ws.outbox.peek()}
            self.ws.outbox.ack(held[-1 if up_to else 0].id or 0, up_to=up_to)
            for data in before - {m.data for m in self.ws.outbox.peek()}:
                self.note(data, "settled")

    @property
    def got(self) -> dict[str, list[str]]:
        """What the peer got, with the mark of each time; "" where there is none."""
        found: dict[str, list[str]] = {}
        for message in (each for wire in self.transport.wires for each in wire.sent):
            *_, mark, data = ("", "", *str(message).split("|"))
            found.setdefault(data, []).append(mark)
        return found

    def ready(self) -> bool:
        """Help on what hinders the end: whether nothing is held any more."""
        if self.ws.state is not State.OPEN:
            self.ws.connect()
        for wire in self.transport.live:
            wire.flow()
        if self.acknowledged:
            self.acknowledge(up_to=False)
        return self.ws.state is State.OPEN and not len(self.ws.outbox)


@pytest.mark.spec("G1.2", "G6", "G7.1")
@pytest.mark.parametrize("seed", range(40))
@real
async def test_each_message_is_settled_dropped_or_handed_back(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    account: dict[str, list[str]] = {}
    engines = [Engine(tmp_path / f"{name}.db", chance, account) for name in "ab"]
    numbers = count(1)
    for engine in engines:
        engine.ws.connect()
    for _ in range(chance.randrange(10, 60)):
        one, other = chance.sample(engines, 2)
        name = chance.choice(CALLS)
        one.call(name, other, numbers)
        await turns(200 if name == "pause" else chance.choice([0, 0, 1, 2, 5, 30]))
    tasks = [task for engine in engines for task in engine.tasks]
    await settled(lambda: all([*(e.ready() for e in engines), *(task.done() for task in tasks)]))
    await asyncio.gather(*tasks)
    for engine in engines:
        await engine.ws.drain()
        assert sender_of(engine.ws).core.blank
        await engine.ws.close()
        assert engine.path is None or rows(engine.path) == []
    for data, what in account.items():
        marks = [mark for engine in engines for mark in engine.got.get(data, [])]
        assert marks or set(what) & {"dropped", "cleared", "refused"}, (data, what)
        assert not ("refused" in what and marks), (data, what)
        assert what.count("dropped") <= 1, (data, what)
        assert marks.count("0") <= 1, (data, what, marks)  # what comes again is marked
        assert marks.count("") <= 1, (data, what, marks)
