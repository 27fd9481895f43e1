"""Bad figures are refused, and a drain ends whatever the connections do (M4.4, M4.6)."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from recloser.admission import Admission
from recloser.admission.admission import CloseConnection
from recloser.testing import VirtualTimeLoop, run
from recloser.transport import classify
from tests.engine.rig import pass_time


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"capacity": "many"}, TypeError, "capacity must be a number of connections a second"),
        ({"capacity": True}, TypeError, "capacity must be"),
        ({"capacity": 0}, ValueError, "capacity must be finite and above 0"),
        ({"capacity": float("inf")}, ValueError, "capacity must be finite and above 0"),
        ({"capacity": 5, "window": 0}, ValueError, "window must be finite and above 0"),
        ({"capacity": 5, "longest": None}, TypeError, "longest must be a number of seconds"),
        ({"capacity": 5, "window": 0.0001}, ValueError, "the least that a reason can say"),
        ({"capacity": 5, "window": 100_000}, ValueError, "the most that a reason can say"),
        ({"capacity": 5, "longest": 1e6}, ValueError, "the most that a reason can say"),
    ],
)
def test_bad_figures_are_refused(
    arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        Admission(**arguments)


async def ended(code: int, reason: str) -> None:
    """A connection that closes at once."""


async def silent(code: int, reason: str) -> None:
    """One whose peer never answers."""
    await asyncio.Event().wait()


async def broken(code: int, reason: str) -> None:
    raise ConnectionResetError("gone")


@pytest.mark.spec("M4.4")
def test_a_drain_tells_how_many_are_left() -> None:
    async def story() -> None:
        admission = Admission(5.0)
        for name, close in (("a", ended), ("b", silent), ("c", broken)):
            admission.enter(name, close)
        started = asyncio.get_running_loop().time()
        assert await admission.drain(over=3.0, within=2.0) == 2
        assert asyncio.get_running_loop().time() - started == pytest.approx(4.0)

    run(story())


@pytest.mark.spec("M4.4")
def test_close_frames_are_sent_over_a_time() -> None:
    async def story() -> None:
        admission, moments = Admission(5.0), list[float]()
        loop = asyncio.get_running_loop()

        async def close(code: int, reason: str) -> None:
            assert (code, reason) == (1012, "restart; spread=30")
            moments.append(loop.time())

        for number in range(10):
            admission.enter(number, close)
        assert await admission.drain(over=20.0) == 0
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert gaps == pytest.approx([2.0] * 9)

    run(story())


@pytest.mark.spec("M4.6")
def test_the_close_frames_of_a_fleet_take_no_longer_though_each_takes_time() -> None:
    async def story() -> None:
        admission, moments = Admission(5.0), list[float]()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)

        async def close(code: int, reason: str) -> None:
            loop.advance(0.001)
            moments.append(loop.time())

        for number in range(1000):
            admission.enter(number, close)
        assert await admission.drain(over=2.0) == 0
        assert len(moments) == 1000
        assert moments[0] < 0.01
        assert moments[499] == pytest.approx(1.0, abs=0.01)
        assert moments[-1] == pytest.approx(2.0, abs=0.01)

    run(story())


@pytest.mark.spec("M4.6")
@pytest.mark.parametrize("over", [0.0, 0.1])
def test_a_drain_that_is_late_lets_the_loop_do_other_things(over: float) -> None:
    async def story() -> None:
        admission, closed, found = Admission(5.0), 0, list[int]()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)

        async def close(code: int, reason: str) -> None:
            nonlocal closed
            loop.advance(0.001)
            closed += 1

        async def look() -> None:
            while closed < 1000:
                found.append(closed)
                await asyncio.sleep(0)

        for number in range(1000):
            admission.enter(number, close)
        other = asyncio.create_task(look())
        assert await admission.drain(over=over) == 0
        await other
        assert max(later - earlier for earlier, later in pairwise([*found, closed])) <= 20

    run(story())


@pytest.mark.spec("M4.4")
def test_who_comes_during_a_drain_is_told_a_moment_of_the_window() -> None:
    rolls = iter([0.0, 0.5, 0.999])
    admission = Admission(5.0, window=20.0, roll=lambda: next(rolls))
    asyncio.run(admission.drain())
    assert [admission.ask() for _ in range(3)] == [1, 11, 20]


@pytest.mark.spec("M4.1")
@pytest.mark.parametrize("window", [0.001, 0.5, 30.0, 12_345.678, 99_999])
def test_a_client_reads_the_window_out_of_the_reason(window: float) -> None:
    reason = Admission(5.0, window=window).reason
    assert classify.close_frame(1012, reason, sent_code=None).spread == window


@pytest.mark.spec("M4.4")
def test_a_connection_that_cannot_be_closed_keeps_no_other_from_it() -> None:
    async def refused(code: int, reason: str) -> None:
        raise RuntimeError("unexpected close")

    async def story() -> None:
        told = list[dict[str, Any]]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        admission = Admission(5.0)
        for name, close in (("a", ended), ("b", refused), ("c", ended)):
            admission.enter(name, close)
        assert await admission.drain() == 1
        assert str(told[0]["exception"]) == "unexpected close"

    run(story())


@pytest.mark.spec("M4.4")
def test_a_second_drain_counts_what_the_first_has_not_closed_yet() -> None:
    async def story() -> None:
        asked, answered = list[int](), asyncio.Event()

        async def slow(code: int, reason: str) -> None:
            asked.append(code)
            await answered.wait()

        admission = Admission(5.0)
        admission.enter("a", slow)
        assert await asyncio.gather(*(admission.drain(within=2.0) for _ in range(2))) == [1, 1]
        asyncio.get_running_loop().call_later(1.0, answered.set)
        assert await admission.drain(within=2.0) == 0
        assert asked == [1012]

    run(story())


@pytest.mark.spec("M4.4")
def test_a_drain_that_is_cancelled_leaves_the_rest_to_the_next_one() -> None:
    async def story() -> None:
        closed = list[int]()

        def closing(number: int) -> CloseConnection:
            async def close(code: int, reason: str) -> None:
                await pass_time(3.0)
                closed.append(number)

            return close

        admission = Admission(5.0)
        for number in range(4):
            admission.enter(number, closing(number))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(11.0):
                await admission.drain(over=40.0)
        assert closed == [0]
        assert admission.ask() is not None
        assert await admission.drain() == 0
        assert sorted(closed) == [0, 1, 2, 3]

    run(story())


@pytest.mark.spec("M4.4")
def test_who_opens_during_a_drain_is_closed_too() -> None:
    async def story() -> None:
        admission, closed = Admission(5.0), list[int]()

        async def close(code: int, reason: str) -> None:
            closed.append(code)

        admission.enter("a", silent)
        draining = asyncio.create_task(admission.drain(within=2.0))
        await pass_time(1.0)
        admission.enter("late", close)
        assert await draining == 1
        assert closed == [1012]

    run(story())


@pytest.mark.spec("M4.4")
def test_a_drain_waits_for_nobody_who_has_left() -> None:
    async def story() -> None:
        admission, loop = Admission(5.0), asyncio.get_running_loop()
        for number in range(10):
            admission.enter(number, ended)
        for number in range(1, 10):
            loop.call_later(0.5, admission.leave, number)
        started = loop.time()
        assert await admission.drain(over=60.0) == 0
        assert loop.time() - started == pytest.approx(0.5)

    run(story())
