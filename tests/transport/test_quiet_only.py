"""`quiet_only`: a ping is left out while bytes come and leave, and silence has its bound (F13)."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import PING, PONG, frame, text
from recloser.transport import Heartbeat, liveness
from recloser.transport.liveness import EARLY, Liveness
from tests.transport.link import Link, linked
from tests.transport.test_liveness import DEAD, Quiet, judged, sends_on

Factory = Callable[[], asyncio.AbstractEventLoop]
HOUR = Heartbeat(3600.0, 5.0, quiet_only=True)
ERROR = 1e-6
"""Seconds of rounding."""


class Traffic(Quiet):
    """A wire on which bytes come and leave at certain moments, and its pings leave, too."""

    def __init__(self, came: Sequence[float], left: Sequence[float]) -> None:
        super().__init__(0.0)
        self.came = [0.0, *came]
        self.left = [0.0, *left]

    def last_received(self, now: float) -> float:
        return max(each for each in self.came if each <= now)

    def last_sent(self, now: float) -> float:
        return max(each for each in (*self.left, *self.pings) if each <= now)

    def last_exchange(self, now: float) -> float:
        return min(self.last_received(now), self.last_sent(now))


def verdict_on(wire: Traffic, heartbeat: Heartbeat, phase: float) -> float:
    async def main() -> float:
        return await judged(Liveness(heartbeat, wire), wire, phase)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(liveness, "monotonic", lambda: wire.now)
        return asyncio.run(main())


MOMENTS = st.lists(st.floats(0.01, 45.0), max_size=30).map(lambda gaps: [*accumulate(gaps)])


@pytest.mark.spec("F1.1", "F13.1", "F13.2")
@given(
    interval=st.one_of(st.floats(0.5, 20.0), st.floats(liveness.UNHURRIED, 60.0)),
    timeout=st.floats(0.5, 60.0),
    phase=st.floats(0.0, 0.5),
    came=MOMENTS,
    left=MOMENTS,
)
def test_whatever_the_traffic_silence_is_noticed_in_time_and_no_ping_is_needless(
    interval: float, timeout: float, phase: float, came: list[float], left: list[float]
) -> None:
    wire = Traffic(came, left)
    verdict = verdict_on(wire, Heartbeat(interval, timeout, quiet_only=True), phase)
    last = wire.last_received(verdict)
    assert last + timeout - ERROR <= verdict <= last + interval + timeout + ERROR
    early = EARLY if interval >= liveness.UNHURRIED else 0.0
    before = 0.0
    for ping in wire.pings:
        unanswered = before > 0.0 and wire.last_received(ping) <= before
        sent = max(each for each in (*wire.left, before) if each <= ping)
        since = min(wire.last_received(ping), sent)
        assert unanswered or ping - since >= interval - early - ERROR
        before = ping
    frames = sorted(each for each in (*wire.left, *wire.pings, verdict) if each <= verdict)
    assert all(after - before <= interval + ERROR for before, after in pairwise(frames))


@pytest.mark.spec("F13.1")
@pytest.mark.parametrize("interval", [5.0, 20.0])
def test_a_connection_that_is_busy_both_ways_is_never_pinged(interval: float) -> None:
    hour = [float(each) for each in range(1, 3601)]
    wire = Traffic(hour, hour[::3])
    verdict = verdict_on(wire, Heartbeat(interval, 10.0, quiet_only=True), 0.25)
    assert wire.pings[0] > 3600.0
    assert verdict <= 3600.0 + interval + 10.0 + ERROR


async def exchange(link: Link) -> None:
    await link.wire.send("ours")
    assert await link.peer.frame() == (1, b"ours")
    await link.peer.send(text("theirs"))
    assert await link.receive() == "theirs"


def fall_due(link: Link) -> Liveness:
    """Let the moment of the next ping come, as the ticker or a timer would."""
    judge = link.wire._liveness
    assert judge is not None
    judge._due = monotonic()
    judge.tick()
    return judge


@pytest.mark.spec("F13.1", "F12.1")
@pytest.mark.parametrize("dictated", [False, True], ids=["given", "dictated"])
async def test_a_ping_is_left_out_where_bytes_have_come_and_left(
    loop_factory: Factory, *, dictated: bool
) -> None:
    async with linked(heartbeat=None if dictated else HOUR) as link:
        if dictated:
            link.wire.set_heartbeat(HOUR)
        for _ in range(3):
            await exchange(link)
            judge = fall_due(link)
            assert judge._due > monotonic() + 3590.0
        await link.wire.send("last")
        assert await link.peer.frame() == (1, b"last")  # and no ping before it


@pytest.mark.spec("F13.1")
async def test_a_message_of_the_application_is_left_out_and_not_made(
    loop_factory: Factory,
) -> None:
    def make() -> str:
        raise AssertionError("nobody needs it")

    async with linked(heartbeat=Heartbeat(3600.0, 5.0, make, quiet_only=True)) as link:
        await exchange(link)
        fall_due(link)
        await exchange(link)


@pytest.mark.spec("F13.3", "F6.1")
async def test_a_probe_asks_a_busy_peer_too(loop_factory: Factory) -> None:
    async with linked(heartbeat=HOUR) as link:
        for _ in range(2):
            await exchange(link)
            link.wire.probe()
            assert await link.peer.frame() == (PING, b"")


@pytest.mark.spec("F13.3")
async def test_where_the_kernel_has_no_word_every_ping_goes_out(loop_factory: Factory) -> None:
    async with linked(heartbeat=HOUR, ask_kernel=False) as link:
        await exchange(link)
        fall_due(link)
        assert await link.peer.frame() == (PING, b"")


@pytest.mark.spec("F13.2")
async def test_a_peer_that_sends_to_a_client_that_only_listens_is_pinged(
    loop_factory: Factory,
) -> None:
    heartbeat = Heartbeat(0.1, 5.0, quiet_only=True)
    async with linked(heartbeat=heartbeat) as link:
        peer = asyncio.create_task(sends_on(link, answers=2))
        end = await link.end()
        assert end.cause is Cause.DEAF  # F10 still has its pings
        assert await peer >= 5


@pytest.mark.spec("F13.2", "F1.1")
@pytest.mark.parametrize("message", [None, "beat"])
async def test_a_peer_that_only_listens_is_pinged_and_its_silence_ends_the_connection(
    loop_factory: Factory, message: Any
) -> None:
    async with linked(heartbeat=Heartbeat(0.1, 0.3, message, quiet_only=True)) as link:
        asked = (PING, b"") if message is None else (1, b"beat")
        while (seen := await link.peer.frame()) != asked:
            await link.wire.send("ours")
        await link.peer.send(frame(PONG))
        seen = (1, b"")
        while seen != asked:
            await link.wire.send("ours")
            seen = await link.peer.frame()
        assert await link.end() == DEAD
