"""Bad figures are refused, and a drain ends whatever the connections do (M4.4)."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from recloser.admission import Admission
from recloser.testing import run


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"capacity": "many"}, TypeError, "capacity must be a number of connections a second"),
        ({"capacity": True}, TypeError, "capacity must be"),
        ({"capacity": 0}, ValueError, "capacity must be finite and above 0"),
        ({"capacity": float("inf")}, ValueError, "capacity must be finite and above 0"),
        ({"capacity": 5, "window": 0}, ValueError, "window must be finite and above 0"),
        ({"capacity": 5, "longest": None}, TypeError, "longest must be a number of seconds"),
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
        assert asyncio.get_running_loop().time() - started == pytest.approx(6.0, abs=1.1)

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


@pytest.mark.spec("M4.4")
def test_who_comes_during_a_drain_is_told_a_moment_of_the_window() -> None:
    rolls = iter([0.0, 0.5, 0.999])
    admission = Admission(5.0, window=20.0, roll=lambda: next(rolls))
    asyncio.run(admission.drain())
    assert [admission.ask() for _ in range(3)] == [1, 11, 20]
