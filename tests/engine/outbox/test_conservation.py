"""Nothing is lost and nothing is invented: the account of every message, after every step."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recloser
from recloser import Close, Delivery, Drop, Hold, Outbox, Retry, State, Stop
from recloser.fsm import Cause, Origin, Unsent
from recloser.testing import Plan, ScriptedTransport, run
from tests.engine.rig import CUT, others, pass_time, timers, turns

CODES = (1000, 1001, 1003, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4000, 4401)
ENDS = st.sampled_from(
    [CUT]
    + [Close(code=code, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, clean=True) for code in CODES]
)
DECISIONS = st.sampled_from(
    [
        kind(*delay, unsent=fate)
        for fate in Unsent
        for kind, delay in ((Retry, (2.0,)), (Hold, ()), (Stop, ()))
    ]
)


class Fated:
    """Decides as it was told last; what the application asked for is followed."""

    def __init__(self) -> None:
        self.decision: Any = Retry(2.0)

    def decide(self, close: Close, context: recloser.Context) -> Any:
        if close.intentional:
            return Stop(unsent=self.decision.unsent)
        return self.decision


class Account:
    """An engine over scripted sockets, and where each of its numbered messages is."""

    def __init__(self, outbox: Outbox) -> None:
        self.policy = Fated()
        self.dropped: Counter[str | bytes] = Counter()
        self.transport = ScriptedTransport(Plan() for _ in range(100))
        self.ws = recloser.connect(
            "ws://feed.example",
            outbox=replace(outbox, on_drop=self._drop),
            policy=self.policy,
            transport=self.transport,
        )
        self.count = 0
        self.accepted: list[str] = []
        self.taken: list[str | bytes] = []
        self.tasks: dict[str, asyncio.Task[Delivery]] = {}
        self.cancelled: set[str] = set()
        self.stalls = False
        self.ws.subscribe(self._changed)

    def _drop(self, drop: Drop) -> None:
        self.dropped[drop.message.data] += 1

    def _changed(self, change: recloser.StateChange) -> None:
        if self.stalls and change.current is State.OPEN:
            self.transport.wires[-1].stall()

    def send(self, options: dict[str, Any]) -> None:
        message = f"{self.count:04}"
        self.count += 1
        self.tasks[message] = asyncio.ensure_future(self.ws.send(message, **options))

    async def check(self) -> None:
        """Accepted = read by the peer + in the buffer + held + dropped, each message once."""
        await turns()
        waiting = set()
        for message, task in list(self.tasks.items()):
            if not task.done():
                waiting.add(message)
            elif not task.cancelled() and task.exception() is None:
                self.accepted.append(message)
                del self.tasks[message]
            else:
                del self.tasks[message]
        read = [message for wire in self.transport.wires for message in wire.sent]
        live = [message for wire in self.transport.live for message, _ in wire._buffer]
        held = [message.data for message in self.ws.outbox.peek()]
        found = Counter([*read, *live, *held, *self.taken]) + self.dropped
        assert not [message for message, times in found.items() if times > 1]
        assert set(self.accepted) <= set(found)
        # A sender that waits is in the buffer of the socket, or in line for room.
        assert set(found) - set(self.accepted) <= waiting | self.cancelled
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
    ws, transport = account.ws, account.transport
    ws.connect()
    leavers: list[asyncio.Task[None]] = []
    for name, value in steps:
        wire = transport.live[-1] if transport.live else None
        match name:
            case "send":
                for options in value:
                    account.send(options)
            case "end" if wire is not None:
                close, account.policy.decision = value
                wire.end(close)
            case "flow" if wire is not None:
                wire.flow(value)
            case "stall":
                account.stalls = value
                if value and wire is not None:
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
                account.taken += [message.data for message in ws.outbox.clear()]
            case "connect":
                ws.connect()
            case "reconnect" if ws.state is not State.CLOSED:
                account.policy.decision = value
                ws.reconnect()
            case "suspend" | "close":
                account.policy.decision = value
                leavers.append(asyncio.ensure_future(getattr(ws, name)()))
        await account.check()
    await ws.close()
    await account.check()
    for task in (*leavers, *account.tasks.values()):
        assert task.done()
    await turns()
    assert others() == set()
    assert timers() == []


@pytest.mark.spec("G1", "G2", "G3", "G4", "G5", "J1")
@given(OUTBOXES, st.lists(STEPS, min_size=6, max_size=30))
def test_every_message_is_accounted_for_after_every_step(
    outbox: Outbox, steps: list[tuple[str, Any]]
) -> None:
    run(story(outbox, steps))
