"""Virtual time: hours in milliseconds, in order, and never a silent hang."""

import asyncio
import doctest
import socket

import pytest

from recloser.testing import VirtualTimeLoop, run
from recloser.testing.doubles import virtual_time


def test_the_example_in_the_docstring() -> None:
    assert doctest.testmod(virtual_time).failed == 0


def test_timers_run_in_their_order_and_at_their_time() -> None:
    async def story() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        seen: list[tuple[str, float]] = []
        for name, delay in (("c", 3.0), ("a", 1.0), ("b", 2.5), ("now", 0.0)):
            loop.call_later(delay, lambda name=name: seen.append((name, loop.time())))
        over = asyncio.Event()
        loop.call_later(4.0, over.set)
        await over.wait()
        return seen

    assert run(story()) == [("now", 0.0), ("a", 1.0), ("b", 2.5), ("c", 3.0)]


def test_time_stands_still_while_anybody_works() -> None:
    async def story() -> float:
        asyncio.get_running_loop().call_later(0.001, lambda: None)
        for _ in range(1000):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run(story()) == 0.0


@pytest.mark.parametrize("days", [1, 3.5, 10_000])
def test_far_timers(days: float) -> None:
    async def story() -> float:
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(days * 86_400, over.set)
        await over.wait()
        return asyncio.get_running_loop().time()

    assert run(story()) == days * 86_400


def test_a_hang_is_an_error() -> None:
    async def story() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="the code under test hangs"):
        run(story())


def test_timeouts_and_cancellation_work_as_ever() -> None:
    async def story() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 12)
        return asyncio.get_running_loop().time()

    assert run(story()) == 42.0


def test_time_can_be_advanced_by_hand() -> None:
    async def story() -> bool:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        over = asyncio.Event()
        loop.call_later(10, over.set)
        loop.advance(10)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return over.is_set()

    assert run(story())


def test_sockets_work_in_it() -> None:
    async def story() -> bytes:
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            right.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(left, b"x")
            return await loop.sock_recv(right, 1)

    assert run(story()) == b"x"


def test_results_and_errors_come_out() -> None:
    async def fails() -> None:
        raise LookupError("mine")

    async def answers() -> int:
        return 42

    assert run(answers()) == 42
    with pytest.raises(LookupError, match="mine"):
        run(fails())
