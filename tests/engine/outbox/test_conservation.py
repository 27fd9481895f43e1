"""Nothing is lost and nothing is invented: the account of every message, after every step."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recloser
from recloser import Drop, Outbox, State
from recloser.testing import run
from tests.engine.outbox.lives import DECISIONS, ENDS, Life
from tests.engine.rig import turns


class Account(Life):
    """Knows where each message is."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(replace(outbox, on_drop=self._drop))
        self.dropped: Counter[str | bytes] = Counter()
        self.accepted: set[str] = set()
        self.taken: list[str | bytes] = []
        self.stalls = False
        self.ws.subscribe(self._changed)

    def _drop(self, drop: Drop) -> None:
        self.dropped[drop.message.data] += 1

    def _changed(self, change: recloser.StateChange) -> None:
        if self.stalls and change.current is State.OPEN:
            self.transport.wires[-1].stall()

    async def check(self) -> None:
        """Accepted = read by the peer + in the buffer + held + dropped, each message once."""
        await turns()
        accepted, waiting = self.outcomes()
        self.accepted |= accepted
        read = [message for wire in self.transport.wires for message in wire.sent]
        live = [message for wire in self.transport.live for message, _ in wire._write_buffer]
        held = [message.data for message in self.ws.outbox.peek()]
        found = Counter([*read, *live, *held, *self.taken]) + self.dropped
        assert not [message for message, times in found.items() if times > 1]
        assert self.accepted <= set(found)
        # A sender that waits is in the buffer of the socket, or in line for room.
        assert set(found) - self.accepted <= waiting | self.cancelled
        # Numbered as they were sent: in order, on whatever connection.
        assert read == sorted(read, key=str)


OPTIONS = st.sampled_from([{}, {}, {"ttl": 3.0}, {"key": "a"}, {"this_generation": True}])
STEPS = st.one_of(
    st.tuples(st.just("send"), st.lists(OPTIONS, min_size=1, max_size=6)),
    st.tuples(st.just("send"), st.lists(OPTIONS, min_size=4, max_size=8)),
    st.tuples(st.just("end"), st.tuples(ENDS, DECISIONS)),
    st.tuples(st.just("flow"), st.sampled_from([1, 2, None])),
    st.tuples(st.just("stall"), st.booleans()),
    st.tuples(st.just("deafen"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0])),
    st.tuples(st.just("cancel"), st.none()),
    st.tuples(st.just("clear"), st.none()),
    st.tuples(st.sampled_from(["connect", "reconnect", "suspend", "close"]), DECISIONS),
)
OUTBOXES = st.builds(
    Outbox,
    max_messages=st.integers(1, 4),
    max_bytes=st.sampled_from([4, 12, 10**6]),
    when_full=st.sampled_from(["wait", "raise", "drop-oldest", "drop-newest"]),
    in_passive=st.booleans(),
)


async def story(outbox: Outbox, steps: list[tuple[str, Any]]) -> None:
    account = Account(outbox)
    account.ws.connect()
    for name, value in steps:
        match name:
            case "stall":
                account.stalls = value
                if value and account.transport.live:
                    account.transport.live[-1].stall()
            case "clear":
                account.taken += [message.data for message in account.ws.outbox.clear()]
            case _:
                await account.perform(name, value)
        await account.check()
    await account.ws.close()
    await account.check()
    await account.over()


@pytest.mark.spec("G1", "G2", "G3", "G4", "G5", "J1")
@given(OUTBOXES, st.lists(STEPS, min_size=6, max_size=30))
def test_every_message_is_accounted_for_after_every_step(
    outbox: Outbox, steps: list[tuple[str, Any]]
) -> None:
    run(story(outbox, steps))
