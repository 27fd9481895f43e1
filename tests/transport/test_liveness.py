"""Silence is noticed in time, and only silence (A8, F1-F4)."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.doubles.raw_server import CLOSE, PING, PONG, close_frame, frame, text
from recloser.transport import Heartbeat, liveness
from recloser.transport.receive_buffer import LIMIT, ReceiveBuffer
from recloser.transport.ticker import TICK
from tests.transport.link import Link, block, linked, turns
from tests.transport.test_own_close import blocked_sender
from tests.transport.test_receiving import overrun

Factory = Callable[[], asyncio.AbstractEventLoop]

READERS = pytest.mark.parametrize("reader", ["parked", "nobody"])
SIGNS = pytest.mark.parametrize("ask_kernel", [True, False], ids=["kernel", "counted"])
QUICK = Heartbeat(interval=0.05, timeout=0.1)

DEAD = Close(code=1006, origin=Origin.ENGINE, cause=Cause.HEARTBEAT)


async def pings_until_gone(link: Link, *, answer: bool = False) -> int:
    count = 0
    while True:
        try:
            opcode, payload = await link.peer.frame()
        except (EOFError, ConnectionError):
            return count
        assert (opcode, payload) == (PING, b"")
        count += 1
        if answer:
            await link.peer.send(frame(PONG))


@pytest.mark.spec("F1.1", "F1.2", "A8")
@READERS
@SIGNS
async def test_a_silent_peer_is_reported_at_the_bound_and_dropped_without_a_word(
    loop_factory: Factory, reader: str, *, ask_kernel: bool
) -> None:
    async with linked(heartbeat=QUICK, ask_kernel=ask_kernel) as link:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(link.all()) if reader == "parked" else None
        start = loop.time()
        count = asyncio.create_task(pings_until_gone(link))
        assert await link.end() == DEAD
        assert loop.time() - start > 0.14
        assert await count >= 2
        assert task is None or await task == []


@pytest.mark.spec("F1.1", "F2")
async def test_no_timer_stands_until_a_tick_finds_something_near(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "NEAR", 0.05)
    async with linked(heartbeat=Heartbeat(interval=0.15, timeout=0.25)) as link:
        start = asyncio.get_running_loop().time()
        judge = link.wire._liveness
        assert judge is not None
        assert judge._handle is None
        assert await link.peer.frame() == (PING, b"")
        assert await link.end() == DEAD
        assert asyncio.get_running_loop().time() - start > 0.39


@pytest.mark.spec("F1.1")
async def test_the_end_is_told_in_the_very_turn_of_the_verdict() -> None:
    """Not after a close handshake, nor after the socket is gone."""
    async with linked(heartbeat=QUICK) as link:
        while not link.told:
            await turns(1)
        assert not link.wire.lost.done()
        assert await link.end() == DEAD


@pytest.mark.spec("F1.1", "F1.2")
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_a_half_open_connection_with_a_full_buffer_frees_its_sender(
    loop_factory: Factory, *, secure: bool, request: pytest.FixtureRequest
) -> None:
    tls = request.getfixturevalue("tls") if secure else None
    async with linked(heartbeat=QUICK, tls=tls, receive_buffer=4096) as link:
        sender = await blocked_sender(link)
        close = await link.end()
        assert close.cause is Cause.HEARTBEAT
        assert close.unsent > 0
        with pytest.raises(ConnectionError):
            await sender


@pytest.mark.spec("F2")
@SIGNS
@pytest.mark.parametrize("sign", [text("data"), frame(PONG), frame(PING, b"?")])
async def test_any_frame_is_life_and_pings_go_out_all_the_same(
    loop_factory: Factory, sign: bytes, *, ask_kernel: bool
) -> None:
    async with linked(heartbeat=Heartbeat(0.03, 0.25), ask_kernel=ask_kernel) as link:
        for _ in range(10):
            while (await link.peer.frame())[0] != PING:
                pass
            await link.peer.send(sign)
        assert link.told == []
        link.wire.close(1000, "")
        while (await link.peer.frame())[0] != CLOSE:
            pass
        await link.peer.send(close_frame(1000))
        assert (await link.end()).clean


@pytest.mark.spec("F3")
@SIGNS
async def test_a_blocked_event_loop_condemns_nobody(
    loop_factory: Factory, *, ask_kernel: bool
) -> None:
    """The answer is in the kernel when the loop, late for the verdict, goes on."""
    async with linked(heartbeat=QUICK, ask_kernel=ask_kernel) as link:
        reader = asyncio.create_task(link.all())
        for _ in range(2):
            assert await link.peer.frame() == (PING, b"")
            link.peer.sock.send(frame(PONG))
            block(0.2)
        assert await link.peer.frame() == (PING, b"")
        assert link.told == []
        link.peer.fin()
        assert (await link.end()).cause is Cause.EOF
        await reader


@pytest.mark.spec("F1.1", "F3")
@SIGNS
async def test_a_peer_that_fell_silent_is_found_by_a_loop_that_was_blocked(
    loop_factory: Factory, *, ask_kernel: bool
) -> None:
    async with linked(heartbeat=QUICK, ask_kernel=ask_kernel) as link:
        assert await link.peer.frame() == (PING, b"")
        block(0.2)
        assert await link.end() == DEAD


@SIGNS
async def test_a_backlog_of_ours_does_not_condemn_the_peer(
    loop_factory: Factory, *, ask_kernel: bool
) -> None:
    """It has no room to send, though it would; its kernel acknowledges our pings."""
    async with linked(heartbeat=QUICK, ask_kernel=ask_kernel) as link:
        await overrun(link)
        for _ in range(6):
            assert await link.peer.frame() == (PING, b"")
        assert link.told == []


@pytest.mark.spec("C3.5", "F2")
@SIGNS
async def test_a_wire_that_waits_for_earlier_messages_condemns_nobody(
    loop_factory: Factory, *, ask_kernel: bool
) -> None:
    """The peer answers each ping; its answers lie in the queue, behind a full receive buffer."""
    async with linked(heartbeat=QUICK, ask_kernel=ask_kernel) as link:
        link.wire.follow(earlier := ReceiveBuffer())
        earlier.add(bytes(LIMIT))
        for _ in range(6):
            assert await link.peer.frame() == (PING, b"")
            await link.peer.send(frame(PONG))
        assert link.told == []


@pytest.mark.spec("F4")
async def test_liveness_ends_with_its_wire() -> None:
    async with linked(heartbeat=QUICK) as link:
        handle = link.wire._liveness
        assert handle is not None
        await link.peer.send(close_frame(1000))
        await link.end()
        assert handle._handle is not None
        assert handle._handle.cancelled()
        link.wire.probe()
        assert link.wire._liveness is None


async def test_a_probe_pings_at_once_and_is_judged_after_the_timeout(
    loop_factory: Factory,
) -> None:
    async with linked(heartbeat=Heartbeat(interval=3600, timeout=0.1)) as link:
        link.wire.probe()
        assert await link.peer.frame() == (PING, b"")
        await link.peer.send(frame(PONG))
        # Later than the times of the kernel are exact to, so that the pong is no answer.
        asyncio.get_running_loop().call_later(0.06, link.wire.probe)
        assert await link.peer.frame() == (PING, b"")
        assert await link.end() == DEAD


@pytest.mark.spec("F4")
async def test_liveness_ends_when_we_close(loop_factory: Factory) -> None:
    """The deadline of closing is the engine's from then on."""
    async with linked(heartbeat=QUICK) as link:
        judge = link.wire._liveness
        assert judge is not None
        link.wire.close(1000, "")
        assert judge._handle is not None
        assert judge._handle.cancelled()
        link.wire.probe()
        assert await link.peer.close_seen() == (1000, "")
        await link.peer.send(close_frame(1000))
        assert await link.peer.gone()
        assert (await link.end()).clean


async def test_a_probe_without_a_heartbeat_says_nothing() -> None:
    async with linked() as link:
        link.wire.probe()
        await link.wire.send("next")
        assert await link.peer.frame() == (1, b"next")


async def test_a_close_frame_that_nobody_had_read_is_not_hidden_by_the_verdict(
    real_ticks: None,
) -> None:
    async with linked(heartbeat=Heartbeat(interval=0.02, timeout=0.02)) as link:
        assert await link.peer.frame() == (PING, b"")
        await link.peer.send(close_frame(4000, "said"))
        close = await link.end()
        assert (close.code, close.reason) == (4000, "said")


async def test_a_timeout_longer_than_the_interval_counts_from_the_first_ping() -> None:
    async with linked(heartbeat=Heartbeat(interval=0.03, timeout=0.2)) as link:
        loop = asyncio.get_running_loop()
        start = loop.time()
        count = asyncio.create_task(pings_until_gone(link))
        assert await link.end() == DEAD
        assert loop.time() - start > 0.2
        assert await count > 2


NUMBERS = st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=3))


@given(NUMBERS, NUMBERS)
def test_a_heartbeat_takes_finite_seconds_above_zero(interval: object, timeout: object) -> None:
    def fine(value: object) -> bool:
        return type(value) in {int, float} and 0 < value < float("inf")  # type: ignore[operator]  # a number by then

    if fine(interval) and fine(timeout):
        Heartbeat(interval, timeout)  # type: ignore[arg-type]  # checked by `fine`
    else:
        with pytest.raises((TypeError, ValueError), match=r"heartbeat\."):
            Heartbeat(interval, timeout)  # type: ignore[arg-type]  # the point of the test


async def sends_on(link: Link, *, answers: int) -> int:
    """Answer so many pings, then no more, and send a message each 10 ms; how many pings came."""
    count = 0

    async def flood() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        while True:
            loop.call_later(0.01, over.set)
            await over.wait()
            over.clear()
            await link.peer.send(text("x"))

    flooding = asyncio.create_task(flood())
    try:
        while True:
            opcode, _ = await link.peer.frame()
            if opcode == PING:
                count += 1
                if count <= answers:
                    await link.peer.send(frame(PONG))
    except (EOFError, ConnectionError):
        return count
    finally:
        flooding.cancel()


@pytest.mark.spec("A8", "F10.1", "F10.2")
@READERS
@SIGNS
async def test_a_peer_that_sends_and_hears_no_more_is_told_of_and_left(
    loop_factory: Factory, reader: str, *, ask_kernel: bool
) -> None:
    missed: list[tuple[int, bool]] = []
    heartbeat = Heartbeat(interval=0.1, timeout=5.0)
    options = {"heartbeat": heartbeat, "ask_kernel": ask_kernel}
    async with linked(**options, pings_missed=lambda *each: missed.append(each)) as link:
        task = asyncio.create_task(link.all()) if reader == "parked" else None
        peer = asyncio.create_task(sends_on(link, answers=2))
        end = await link.end()
        assert (end.code, end.origin, end.cause) == (1006, Origin.ENGINE, Cause.DEAF)
        assert missed == [(1, True)]
        assert await peer >= 5
        if task is not None:
            await task


@pytest.mark.spec("F1.1", "F10.1", "F10.4")
@SIGNS
async def test_a_peer_that_sends_nothing_is_silent_and_not_deaf(
    loop_factory: Factory, *, ask_kernel: bool
) -> None:
    """It stalls for more than three intervals, which `timeout` allows, and goes on."""
    missed: list[tuple[int, bool]] = []
    heartbeat = Heartbeat(interval=0.05, timeout=5.0)
    options = {"heartbeat": heartbeat, "ask_kernel": ask_kernel}
    async with linked(**options, pings_missed=lambda *each: missed.append(each)) as link:
        for _ in range(2):
            assert await link.peer.frame() == (PING, b"")
            await link.peer.send(frame(PONG))
        for _ in range(8):
            assert await link.peer.frame() == (PING, b"")
        await link.peer.send(text("back") + frame(PONG))
        assert await link.receive() == "back"
        assert not link.told
        assert missed == []


@pytest.mark.spec("F2", "F10.3")
async def test_a_peer_that_never_answered_a_ping_is_told_of_once_and_left_alone(
    loop_factory: Factory,
) -> None:
    missed: list[tuple[int, bool]] = []
    told = asyncio.Event()

    def take(count: int, answered_before: bool) -> None:
        missed.append((count, answered_before))
        told.set()

    async with linked(heartbeat=Heartbeat(interval=0.05, timeout=5.0), pings_missed=take) as link:
        peer = asyncio.create_task(sends_on(link, answers=0))
        await told.wait()
        for _ in range(20):
            assert await link.receive() == "x"
        assert missed == [(3, False)]
        assert not link.wire.over
        link.wire.drop()
        await peer


class Hearing:
    """A wire in the hands of a test: nothing is sent, and time is a number."""

    def __init__(self) -> None:
        self.full = False
        self.missed: list[tuple[int, bool]] = []
        self.over = False

    def ping(self, message: str | bytes | None) -> None:
        """Send nothing."""

    def last_received(self, now: float) -> float:
        return now

    def last_exchange(self, now: float) -> float:
        raise AssertionError("only quiet_only asks")

    def condemned(self, error: Exception | None) -> None:
        raise AssertionError(error)

    def pings_missed(self, count: int, *, answered_before: bool) -> None:
        self.missed.append((count, answered_before))

    def deaf(self) -> None:
        self.over = True

    def postpone(self, until: float) -> None:
        """Nobody ticks."""


@pytest.mark.spec("F10.1", "F10.2", "F10.4")
@pytest.mark.parametrize(
    ("acts", "missed", "over"),
    [
        ("P 10 10 10 10", [(1, True)], True),
        ("P 10 10 10 P 10 10 10 P", [(1, True), (1, True)], False),
        ("10 10 10 10 10 10 10", [(3, False)], False),
        ("P 10 1 1 1 1 1 1 1", [], False),  # probes: none is an interval after the one before
        ("P 10 full 10 10 10 10 free 10 10", [(1, True)], False),
        ("P 10 100 10", [(1, True)], False),  # the loop was blocked: that is one look, not ten
    ],
)
def test_what_is_counted(acts: str, missed: list[tuple[int, bool]], over: bool) -> None:
    wire = Hearing()

    async def main() -> None:
        judge = liveness.Liveness(Heartbeat(interval=10.0, timeout=5.0), wire)
        now, heard = 0.0, True
        for act in acts.split():
            if act == "P":
                judge.pong()
            elif act in ("full", "free"):
                wire.full = act == "full"
            else:
                now += float(act)
                heard = judge._heard(now)
        assert heard is not over
        judge.stop()

    asyncio.run(main())
    assert wire.missed == missed


class Quiet(Hearing):
    """A wire whose peer is heard until a moment, and which keeps when it pings."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until
        self.now = 0.0
        self.pings: list[float] = []

    def ping(self, message: str | bytes | None) -> None:
        self.pings.append(self.now)

    def last_received(self, now: float) -> float:
        return min(now, self.until)


async def judged(
    judge: liveness.Liveness, wire: Quiet, phase: float, *, fires: Callable[[], None] | None = None
) -> float:
    """Return when the verdict comes.

    The ticker looks by its calendar, in virtual time; a timer fires when the next act is due, and
    `fires` is told.
    """
    look, due = phase, 0.0
    while True:
        handle = judge._handle
        if isinstance(handle, asyncio.TimerHandle) and judge._when <= look:
            if fires is not None:
                fires()
            wire.now = judge._when
            judge.stop()
            judge._look()
        elif handle is None or isinstance(handle, asyncio.TimerHandle):
            wire.now = look
            if due == inf or int(due / TICK) * TICK <= look:
                due = judge.tick()
            look += TICK
        else:
            judge.stop()
            return wire.now


@pytest.mark.spec("F2", "F1.1")
@given(
    interval=st.floats(liveness.UNHURRIED, 90.0),
    timeout=st.floats(2.0, 90.0),
    phase=st.floats(0.0, 0.5),
    until=st.floats(0.0, 300.0),
)
def test_an_unhurried_ping_needs_no_timer_and_silence_has_its_bound(
    interval: float, timeout: float, phase: float, until: float
) -> None:
    wire = Quiet(until)

    def fires() -> None:
        assert timeout < interval or wire.pings[-1] >= until, "a timer that nobody needs"

    async def main() -> float:
        judge = liveness.Liveness(Heartbeat(interval=interval, timeout=timeout), wire)
        return await judged(judge, wire, phase, fires=fires)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(liveness, "monotonic", lambda: wire.now)
        verdict = asyncio.run(main())
    gaps = [after - before for before, after in pairwise([0.0, *wire.pings])]
    assert all(interval - 1.5 <= gap <= interval + 1e-6 for gap in gaps)
    assert verdict <= until + interval + timeout + 1e-6
