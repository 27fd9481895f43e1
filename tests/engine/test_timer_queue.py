"""The timers of many engines behind one timer of their loop."""

import asyncio
import gc
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.testing import run
from recloser.timer_queue import QueuedTimer, TimerQueue
from tests.engine.rig import now, pass_time, timers, turns, virtual

WHO: ContextVar[str] = ContextVar("who", default="nobody")


def queue() -> TimerQueue:
    return TimerQueue(asyncio.get_running_loop())


def handles() -> int:
    """How many timers the loop itself has."""
    scheduled: Any = getattr(asyncio.get_running_loop(), "_scheduled", ())
    return sum(not handle.cancelled() for handle in scheduled)


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9)), max_size=30))
def test_each_is_called_once_at_its_moment_unless_it_is_cancelled_before(
    plan: list[tuple[int, int | None]],
) -> None:
    async def body() -> None:
        made, seen = queue(), list[tuple[float, int]]()

        def note(number: int) -> Callable[[], None]:
            return lambda: seen.append((now(), number))

        set_timers = [made.call_at(float(due), note(at)) for at, (due, _) in enumerate(plan)]
        ends = sorted((end, at) for at, (_, end) in enumerate(plan) if end is not None)
        for end, at in ends:
            if end + 0.5 > now():
                await pass_time(end + 0.5 - now())
            set_timers[at].cancel()
            set_timers[at].cancel()
        await pass_time(20)
        kept = [(due, at) for at, (due, end) in enumerate(plan) if end is None or end + 0.5 > due]
        assert seen == sorted((float(due), at) for due, at in kept)
        assert timers() == []

    run(body())


@virtual
async def test_many_have_one_timer_of_the_loop_and_none_have_none() -> None:
    made = queue()
    found = [made.call_at(5.0 + number, lambda: None) for number in range(200)]
    assert handles() == 1
    assert len(timers()) == 200
    for each in found[:150]:
        each.cancel()
    assert len(timers()) == 50
    assert len(made._heap) < 150, "the cancelled ones pile up"
    for each in found[150:]:
        each.cancel()
    assert handles() == 0
    assert made._heap == []


@virtual
async def test_a_call_runs_in_the_context_in_which_it_was_asked() -> None:
    made, seen = queue(), list[str]()

    async def ask(who: str, when: float) -> None:
        WHO.set(who)
        made.call_at(when, lambda: seen.append(WHO.get()))

    for who, when in (("late", 2.0), ("early", 1.0), ("early too", 1.0)):
        await asyncio.create_task(ask(who, when))
    await pass_time(3)
    assert seen == ["early", "early too", "late"]


@virtual
async def test_a_call_may_set_and_cancel_others_also_those_that_are_due_with_it() -> None:
    made, seen = queue(), list[str]()
    victim: list[QueuedTimer] = []

    def first() -> None:
        seen.append("first")
        victim[0].cancel()
        made.call_at(now(), lambda: seen.append("at once"))
        made.call_at(now() + 1.0, lambda: seen.append("later"))

    made.call_at(1.0, first)
    victim.append(made.call_at(1.0, lambda: seen.append("victim")))
    made.call_at(1.0, lambda: seen.append("last"))
    await pass_time(1)
    assert seen == ["first", "last", "at once"]
    await pass_time(1)
    assert seen[3:] == ["later"]


@virtual
async def test_an_error_of_one_call_is_told_and_harms_no_other() -> None:
    made, seen, told = queue(), list[str](), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    problem = ValueError("no")

    def fail() -> None:
        raise problem

    made.call_at(1.0, fail)
    made.call_at(1.0, lambda: seen.append("other"))
    await pass_time(2)
    assert seen == ["other"]
    assert [each["exception"] for each in told] == [problem]
    assert "fail" in told[0]["message"]


@pytest.mark.parametrize("exit_", [KeyboardInterrupt, SystemExit])
def test_an_exit_of_the_process_leaves_the_others_set(exit_: type[BaseException]) -> None:
    seen: list[str] = []

    def leave() -> None:
        raise exit_

    loop = asyncio.new_event_loop()
    try:
        made = TimerQueue(loop)
        made.call_at(loop.time(), leave)
        made.call_at(loop.time(), lambda: seen.append("other"))
        with pytest.raises(exit_):
            loop.run_forever()
        made.call_at(loop.time(), loop.stop)
        loop.run_forever()
        assert seen == ["other"]
    finally:
        loop.close()


@pytest.mark.spec("J1.2")
def test_an_exit_leaves_no_timer_that_was_cancelled_before_it() -> None:
    loop = asyncio.new_event_loop()
    try:
        made = TimerQueue(loop)

        def leave() -> None:
            other.cancel()
            raise KeyboardInterrupt

        made.call_at(loop.time(), leave)
        other = made.call_at(loop.time(), loop.stop)
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()
        made.call_at(loop.time() + 9.0, loop.stop).cancel()
        assert not [each for each in loop._scheduled if not each.cancelled()]  # type: ignore[attr-defined] # of asyncio
    finally:
        loop.close()


@virtual
async def test_neither_what_was_called_nor_what_was_cancelled_is_kept() -> None:
    class Callee:
        def __call__(self) -> None:
            pass

    made = queue()
    called, cancelled = Callee(), Callee()
    gone = [ref(called), ref(cancelled)]
    keep = [made.call_at(1.0, called), made.call_at(9.0, cancelled), made.call_at(99.0, nothing)]
    keep[1].cancel()
    del called, cancelled
    await pass_time(2)
    gc.collect()
    assert [each() for each in gone] == [None, None]
    keep[2].cancel()
    await turns()


def nothing() -> None:
    pass


def test_a_timer_of_a_closed_loop_can_be_cancelled() -> None:
    async def body() -> QueuedTimer:
        return queue().call_at(9.0, nothing)

    timer = asyncio.run(body())
    timer.cancel()
    assert timer[2] is None
