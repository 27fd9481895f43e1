"""The account of every message that is to be acknowledged, after every step of a random life."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import Acknowledgements, Drop, Outbox
from recloser.outbox import Message, UpTo
from recloser.testing import run
from tests.engine.outbox.engines import sender_of
from tests.engine.outbox.lives import DECISIONS, ENDS, Life
from tests.engine.rig import turns


def matcher(message: str | bytes) -> Any:
    kind, number = str(message).split()
    return UpTo(int(number)) if kind == "upto" else int(number)


def render(message: Message) -> str:
    return " ".join(map(str, (message.id, message.redelivered, message.data)))


class Account(Life):
    """Knows which messages are held, and which are settled."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(replace(outbox, on_drop=self.dropped))
        self.accepted: set[str] = set()
        self.settled: set[str] = set()
        """Acknowledged, dropped, or taken out: whatever their fate, they must not come back."""
        self.acknowledged = 0

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
        before = self.held()
        wire.deliver(f"{kind} {number}")
        gone = before - self.held()
        self.settled |= gone
        self.acknowledged += len(gone)

    def held(self) -> set[str]:
        return {str(message.data) for message in self.ws.outbox.peek()}

    async def check(self, outbox: Outbox) -> None:
        await turns()
        accepted, waiting = self.outcomes()
        self.accepted |= accepted
        shown = [str(message.data) for message in self.ws.outbox.peek()]
        held = set(shown)
        assert len(shown) == len(held), "each is held once"
        assert not held & self.settled, "what is settled does not come back"
        assert self.accepted <= held | self.settled, "nothing is lost"
        assert held <= self.accepted | waiting | self.cancelled, "nothing is invented"
        times: Counter[str] = Counter()
        first: list[str] = []
        numbers: dict[str, int] = {}
        for identity, again, data in self.sent():
            assert numbers.setdefault(data, int(identity)) == int(identity), "one number each"
            times[data] += 1
            assert (times[data] > 1) <= (again == "True"), "what arrives twice says so"
            if times[data] == 1:
                first.append(data)
        assert first == sorted(first), "sent in order, whatever is sent again"
        counted = [numbers[data] for data in first]
        assert counted == sorted(set(counted)), "numbered as they were sent"
        acknowledgements = outbox.acknowledgements
        assert acknowledgements is not None
        assert sender_of(self.ws).core.unacknowledged <= acknowledgements.window
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
    account.ws.connect()
    for name, value in steps:
        match name:
            case "ack":
                account.acknowledge(*value)
            case "stall" if account.transport.live:
                account.transport.live[-1].stall()
            case "clear":
                account.settled |= {str(each.data) for each in account.ws.outbox.clear()}
            case _:
                await account.perform(name, value)
        await account.check(outbox)
    await account.ws.close()
    await account.check(outbox)
    await account.over()


@pytest.mark.spec("G1", "G2", "G3", "G7", "J1")
@given(ACKNOWLEDGEMENTS, st.sampled_from([2, 4, 1000]), st.lists(STEPS, min_size=6, max_size=30))
def test_every_message_is_held_until_it_is_settled(
    acknowledgements: Acknowledgements, room: int, steps: list[tuple[str, Any]]
) -> None:
    run(story(acknowledgements, room, steps))
