"""The clock of an event loop, which its engines share, and that before an engine has a loop."""

import asyncio
import gc
from collections.abc import Callable
from contextvars import ContextVar
from weakref import ref

import pytest

from recloser.clock import RUNNING, Alarm, Timer, loop_clock
from recloser.testing import run
from tests.engine.rig import now, pass_time, timers, virtual


async def test_the_engines_of_a_loop_share_its_clock() -> None:
    loop = asyncio.get_running_loop()
    clock = loop_clock(loop)
    assert loop_clock(loop) is clock
    before = loop.time()
    assert before <= clock.monotonic() <= loop.time()


async def test_a_clock_that_no_engine_has_is_forgotten() -> None:
    clock = loop_clock(asyncio.get_running_loop())
    gone = ref(clock)
    del clock
    gc.collect()
    assert gone() is None
    assert loop_clock(asyncio.get_running_loop()).monotonic() > 0


def test_each_loop_has_a_clock_of_its_own() -> None:
    one, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        first, second = loop_clock(one), loop_clock(other)
        assert first is not second
        assert first.monotonic() <= one.time()
    finally:
        one.close()
        other.close()


def test_the_clock_before_the_first_use_is_that_of_the_loop_that_runs() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        start = RUNNING.monotonic()
        assert start == loop.time()
        RUNNING.call_at(start + 5.0, rung.set)
        await rung.wait()
        assert RUNNING.monotonic() == start + 5.0
        assert RUNNING.wall() > 0

    run(body())


def test_the_clock_before_the_first_use_needs_a_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        RUNNING.monotonic()


def test_an_alarm_rings_once_for_each_deadline_also_for_one_that_is_far() -> None:
    far = 200_000.0  # seconds: two steps and a half of a day

    async def body() -> None:
        clock = loop_clock(asyncio.get_running_loop())
        rung: list[tuple[float, float]] = []
        alarm = Alarm()
        start = clock.monotonic()
        alarm.set(start + far, clock, lambda due: rung.append((due, clock.monotonic())))
        await pass_time(far - 1)
        assert rung == []
        await pass_time(2)
        assert rung == [(start + far, start + far)]
        alarm.set(start, clock, lambda due: rung.append((due, 0.0)))
        alarm.set(None, clock, lambda due: rung.append((due, 0.0)))
        await pass_time(1)
        assert len(rung) == 1

    run(body())


class _Counting:
    """The clock of the loop; it notes the moments for which it is asked."""

    def __init__(self) -> None:
        self._clock = loop_clock(asyncio.get_running_loop())
        self.asked: list[float] = []
        self.monotonic = self._clock.monotonic
        self.wall = self._clock.wall

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        self.asked.append(when)
        return self._clock.call_at(when, callback)


@virtual
async def test_a_deadline_that_is_put_off_keeps_its_timer_until_that_calls() -> None:
    clock, rung = _Counting(), list[tuple[float, float]]()
    alarm = Alarm()

    def ring(deadline: float) -> None:
        rung.append((deadline, now()))

    start = now()
    for delay in (2.0, 20.0, 20.0, 10.0):  # a backoff, a dial, the dial after its wait, a proof
        alarm.set(start + delay, clock, ring)
    assert clock.asked == [start + 2.0]
    await pass_time(5)
    assert clock.asked == [start + 2.0, start + 10.0]
    await pass_time(20)
    assert rung == [(start + 10.0, start + 10.0)]
    alarm.set(start + 99.0, clock, ring)
    alarm.set(start + 98.0, clock, ring)
    assert clock.asked[2:] == [start + 99.0, start + 98.0], "an earlier one cannot wait"
    alarm.set(start + 100.0, clock, ring)
    alarm.set(None, clock, ring)
    assert timers() == []


@pytest.mark.spec("I1.2")
@virtual
async def test_an_alarm_rings_in_the_context_of_who_set_the_deadline() -> None:
    """Also where the timer was set for a deadline before, in the context of another task."""
    who: ContextVar[str] = ContextVar("who", default="nobody")
    clock, rung = loop_clock(asyncio.get_running_loop()), list[tuple[float, str]]()
    alarm, start = Alarm(), now()

    async def ask(name: str, delay: float) -> None:
        who.set(name)
        alarm.set(start + delay, clock, lambda _: rung.append((now(), who.get())))

    for name, delay in (("a dial", 2.0), ("a request", 10.0)):
        await asyncio.create_task(ask(name, delay))
    await pass_time(20)
    assert rung == [(start + 10.0, "a request")]
