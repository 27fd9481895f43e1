"""A machine that slept asks its peers within a second of running again, and no other does (F6)."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import PING, PONG, frame, text
from recloser.transport import Heartbeat, ticker
from recloser.transport.ticker import JUMP, TICK, Drift, Ticker
from tests.transport.link import Link, block, linked, until

Factory = Callable[[], asyncio.AbstractEventLoop]


class Clocks:
    """A wall clock and a monotonic one, set by hand."""

    def __init__(self, wall: float = 1.7e9, monotonic: float = 5000.0) -> None:
        self.wall = wall
        self.monotonic = monotonic

    def drift(self) -> Drift:
        return Drift(wall=lambda: self.wall, monotonic=lambda: self.monotonic)

    def run(self, seconds: float, *, rate: float = 1.0) -> None:
        self.monotonic += seconds
        self.wall += seconds * rate


class Crossed(asyncio.SelectorEventLoop):
    """An event loop beside which two others come and go while it is asked if it is closed."""

    crossed = False

    def is_closed(self) -> bool:
        if super().is_closed() and not self.crossed:
            self.crossed = True
            for _ in range(2):
                thread = threading.Thread(target=asyncio.run, args=(its_ticker(),))
                thread.start()
                thread.join()
        return super().is_closed()


async def its_ticker() -> Ticker:
    return Ticker.of(asyncio.get_running_loop())


@pytest.mark.spec("J2.5")
def test_event_loops_of_several_threads_come_and_go_at_one_time() -> None:
    """One forgets the tickers of closed loops while others come, and forget them, too."""
    loop = Crossed()
    loop.run_until_complete(its_ticker())
    loop.close()
    assert isinstance(asyncio.run(its_ticker()), Ticker)


@pytest.mark.spec("F6.2", "F3")
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("run"), st.floats(0, 1e6)),
            st.tuples(st.just("slew"), st.floats(0, 1000)),
            st.tuples(st.just("step"), st.floats(-0.5, 0.5)),
            st.tuples(st.just("leap"), st.sampled_from([-1.0, 1.0])),
            st.tuples(st.just("set back"), st.floats(0, 1e8)),
        ),
        max_size=30,
    )
)
def test_no_alarm_without_a_suspend(steps: list[tuple[str, float]]) -> None:
    """A blocked loop, slewing at 500 ppm, steps of time services, a leap second, a setback."""
    clocks = Clocks()
    drift = clocks.drift()
    for what, seconds in steps:
        clocks.run(TICK)
        if what == "run":
            clocks.run(seconds)
        elif what == "slew":
            clocks.run(seconds, rate=1.0005)
        elif what == "set back":
            clocks.wall -= seconds
        else:
            clocks.wall += seconds
        assert not drift.jumped()


@pytest.mark.spec("F6.1")
@given(st.floats(JUMP + 0.001, 1e8), st.floats(0, 3600), st.integers(0, 5))
def test_a_suspend_is_noticed_once_at_the_next_look(
    asleep: float, awake: float, looks: int
) -> None:
    clocks = Clocks()
    drift = clocks.drift()
    for _ in range(looks):
        clocks.run(awake)
        assert not drift.jumped()
    clocks.wall += asleep
    clocks.run(TICK)
    assert drift.jumped()
    clocks.run(TICK)
    assert not drift.jumped()


@pytest.mark.spec("F6.1")
def test_two_looks_are_less_than_a_second_apart() -> None:
    """The loop's timers stand still while the machine sleeps, so the next look is due as before."""
    assert TICK <= 0.5


def sleep(clocks: Clocks, seconds: float = 3600.0) -> None:
    clocks.wall += seconds


def on(clocks: Clocks) -> None:
    Ticker.of(asyncio.get_running_loop()).drift = clocks.drift()


SLOW = Heartbeat(interval=3600, timeout=0.1)


async def probed(link: Link) -> bool:
    return await link.peer.frame() == (PING, b"")


@pytest.mark.spec("F6.1")
async def test_a_live_peer_answers_and_stays(loop_factory: Factory) -> None:
    clocks = Clocks()
    async with linked(heartbeat=SLOW) as first, linked(heartbeat=SLOW) as second:
        on(clocks)
        for _ in range(2):
            sleep(clocks)
            for _ in range(2):
                for link in (first, second):
                    assert await probed(link)
                    await link.peer.send(frame(PONG))
        await first.wire.send("next")
        assert await first.peer.frame() == (1, b"next"), "asked more often than twice"
        assert first.told == second.told == []


@pytest.mark.spec("F6.1", "F1.1")
async def test_a_peer_that_is_gone_is_found(loop_factory: Factory) -> None:
    clocks = Clocks()
    async with linked(heartbeat=SLOW) as link:
        on(clocks)
        # Later than the times of the kernel are exact to, so that the upgrade is no answer.
        asyncio.get_running_loop().call_later(0.06, sleep, clocks)
        assert await probed(link)
        assert (await link.end()).cause is Cause.HEARTBEAT


@pytest.mark.spec("F6.1", "F1.1")
async def test_a_peer_that_spoke_just_before_the_suspend_is_found_too(real_ticks: None) -> None:
    """By the kernel's clock, which slept as well, it has just spoken."""
    clocks = Clocks()
    async with linked(heartbeat=SLOW) as link:
        on(clocks)
        wires = Ticker.of(asyncio.get_running_loop())
        await link.peer.send(text("last words"))
        assert await link.receive() == "last words"
        sleep(clocks)
        assert wires._timer is not None
        wires._timer.cancel()
        wires._tick()
        assert await probed(link)
        assert (await link.end()).cause is Cause.HEARTBEAT


@pytest.mark.spec("F6.2", "F3")
async def test_a_blocked_loop_is_no_suspend(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticker, "JUMP", 0.1)
    async with linked(heartbeat=SLOW) as link:
        Ticker.of(asyncio.get_running_loop()).drift = drift = Drift()
        block(0.3)
        before = drift._ahead
        await until(lambda: drift._ahead != before)
        await link.wire.send("next")
        assert await link.peer.frame() == (1, b"next")


@pytest.mark.spec("F6.3", "F4")
async def test_without_a_heartbeat_and_while_closing_nothing_is_asked() -> None:
    clocks = Clocks()
    async with linked() as plain, linked(heartbeat=SLOW) as closing:
        on(clocks)
        closing.wire.close(1000, "")
        sleep(clocks)
        drift = Ticker.of(asyncio.get_running_loop()).drift
        await until(lambda: drift._ahead == clocks.wall - clocks.monotonic)
        await plain.wire.send("next")
        assert await plain.peer.frame() == (1, b"next")
        assert await closing.peer.close_seen() == (1000, "")
        closing.peer.fin()
        assert await closing.peer.gone()
