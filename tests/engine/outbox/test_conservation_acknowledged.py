"""The account of every message that is to be acknowledged, after every step of a random life."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recloser
from recloser import Acknowledgements, Delivery, Drop, Outbox, State
from recloser.outbox import Message, UpTo
from recloser.testing import Plan, ScriptedTransport, run
from tests.engine.outbox.test_conservation import DECISIONS, ENDS, Fated
from tests.engine.rig import others, pass_time, timers, turns


def matcher(message: str | bytes) -> Any:
    kind, number = str(message).split()
    return UpTo(int(number)) if kind == "upto" else int(number)


def render(message: Message) -> str:
    return " ".join(map(str, (message.id, message.redelivered, message.data)))


class Account:
    """An engine over scripted sockets, and where each of its numbered messages is."""

    def __init__(self, outbox: Outbox) -> None:
        self.policy = Fated()
        self.transport = ScriptedTransport(Plan() for _ in range(100))
        self.ws = recloser.connect(
            "ws://feed.example",
            outbox=replace(outbox, on_drop=self.dropped),
            policy=self.policy,
            transport=self.transport,
        )
        self.count = 0
        self.accepted: set[str] = set()
        self.tasks: dict[str, asyncio.Task[Delivery]] = {}
        self.cancelled: set[str] = set()
        self.settled: set[str] = set()
        """Acknowledged, dropped, or taken out: whatever their fate, they must not come back."""
        self.acknowledged = 0

    def send(self, options: dict[str, Any]) -> None:
        self.count += 1
        message = f"{self.count:04}"
        self.tasks[message] = asyncio.ensure_future(self.ws.send(message, **options))

    def dropped(self, drop: Drop) -> None:
        self.settled.add(str(drop.message.data))

    def sent(self) -> list[list[str]]:
        """What the peer has read: id, mark and data of each message."""
        return [str(each).split() for wire in self.transport.wires for each in wire.sent]

    def acknowledge(self, kind: str, back: int) -> None:
        """Have the peer acknowledge one of those that it has read on this connection."""
        if not self.transport.live or not self.transport.live[-1].sent:
            return
        wire = self.transport.live[-1]
        number = str(wire.sent[-min(back, len(wire.sent))]).split()[0]
        before = {message.data: message for message in self.ws.outbox.peek()}
        wire.deliver(f"{kind} {number}")
        self.settled |= {str(data) for data in before} - self.held()
        self.acknowledged += len(before) - len(self.ws.outbox)

    def held(self) -> set[str]:
        return {str(message.data) for message in self.ws.outbox.peek()}

    async def check(self, outbox: Outbox) -> None:
        await turns()
        waiting = set()
        for message, task in list(self.tasks.items()):
            if not task.done():
                waiting.add(message)
            else:
                del self.tasks[message]
                if not task.cancelled() and task.exception() is None:
                    self.accepted.add(message)
        shown = [str(message.data) for message in self.ws.outbox.peek()]
        held = set(shown)
        assert len(shown) == len(held), "each is held once"
        assert not held & self.settled, "what is settled does not come back"
        assert self.accepted <= held | self.settled, "nothing is lost"
        assert held <= self.accepted | waiting | self.cancelled, "nothing is invented"
        times: Counter[str] = Counter()
        first = []
        for identity, again, data in self.sent():
            assert int(identity) == int(data), "numbered as they were sent"
            times[data] += 1
            assert (times[data] > 1) <= (again == "True"), "what arrives twice says so"
            if times[data] == 1:
                first.append(data)
        assert first == sorted(first), "sent in order, whatever is sent again"
        acknowledgements = outbox.acknowledgements
        assert acknowledgements is not None
        unacknowledged = self.ws._outlet._unacknowledged  # type: ignore[attr-defined] # its bound
        assert len(unacknowledged) <= acknowledgements.window
        statistics = self.ws.statistics()
        assert statistics.acknowledged == self.acknowledged


OPTIONS = st.sampled_from([{}, {}, {}, {"ttl": 3.0}])
STEPS = st.one_of(
    st.tuples(st.just("send"), st.lists(OPTIONS, min_size=1, max_size=6)),
    st.tuples(st.just("ack"), st.tuples(st.sampled_from(["ack", "upto"]), st.integers(1, 6))),
    st.tuples(st.just("ack"), st.tuples(st.sampled_from(["ack", "upto"]), st.integers(1, 6))),
    st.tuples(st.just("end"), st.tuples(ENDS, DECISIONS)),
    st.tuples(st.just("flow"), st.sampled_from([1, 2, None])),
    st.tuples(st.just("stall"), st.none()),
    st.tuples(st.just("deafen"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0, 8.0])),
    st.tuples(st.just("cancel"), st.none()),
    st.tuples(st.just("clear"), st.none()),
    st.tuples(st.sampled_from(["connect", "connect", "reconnect", "suspend", "close"]), DECISIONS),
)
ACKNOWLEDGEMENTS = st.builds(
    Acknowledgements,
    matcher=st.just(matcher),
    render=st.just(render),
    window=st.integers(1, 5),
    timeout=st.sampled_from([4.0, 1000.0]),
    max_deliveries=st.sampled_from([None, 3]),
)


async def story(
    acknowledgements: Acknowledgements, room: int, steps: list[tuple[str, Any]]
) -> None:
    outbox = Outbox(max_messages=room, in_passive=True, acknowledgements=acknowledgements)
    account = Account(outbox)
    ws, transport = account.ws, account.transport
    ws.connect()
    leavers: list[asyncio.Task[None]] = []
    for name, value in steps:
        wire = transport.live[-1] if transport.live else None
        match name:
            case "send":
                for options in value:
                    account.send(options)
            case "ack":
                account.acknowledge(*value)
            case "end" if wire is not None:
                close, account.policy.decision = value
                wire.end(close)
            case "flow" if wire is not None:
                wire.flow(value)
            case "stall" if wire is not None:
                wire.stall()
            case "deafen" if wire is not None:
                wire.closed_with = wire.closed_with or (1000, "")  # ended, and nobody was told
            case "wait":
                await pass_time(value)
            case "cancel" if account.tasks:
                message, task = next(reversed(account.tasks.items()))
                task.cancel()
                account.cancelled.add(message)
            case "clear":
                account.settled |= {str(message.data) for message in ws.outbox.clear()}
            case "connect":
                ws.connect()
            case "reconnect" if ws.state is not State.CLOSED:
                account.policy.decision = value
                ws.reconnect()
            case "suspend" | "close":
                account.policy.decision = value
                leavers.append(asyncio.ensure_future(getattr(ws, name)()))
        await account.check(outbox)
    await ws.close()
    await account.check(outbox)
    assert all(task.done() for task in leavers)
    assert all(task.done() for task in account.tasks.values())
    await turns()
    assert others() == set()
    assert timers() == []


@pytest.mark.spec("G1", "G2", "G3", "G7", "J1")
@given(ACKNOWLEDGEMENTS, st.sampled_from([2, 4, 1000]), st.lists(STEPS, min_size=6, max_size=30))
def test_every_message_is_held_until_it_is_settled(
    acknowledgements: Acknowledgements, room: int, steps: list[tuple[str, Any]]
) -> None:
    run(story(acknowledgements, room, steps))
