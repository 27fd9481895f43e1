"""An event loop whose clock jumps to the next timer, so that hours pass in milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Never waits: it adds the waiting time to the clock of its loop."""

    loop: "VirtualTimeLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if timeout is None:
            raise RuntimeError("nothing is left that could happen: the code under test hangs")
        self.loop.advance(timeout)
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time, starting at 0 seconds.

    Time passes only while every task waits, and then at once to the next timer. If no timer is
    left, the loop raises `RuntimeError` instead of hanging. Sockets work, but time does not
    wait for them.
    """

    def __init__(self) -> None:
        self._now = 0.0
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)
        # asyncio's own, a nanosecond, is lost in the rounding of times beyond some months: a
        # timer would be due and never run.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass; timers that became due run when the loop turns next."""
        self._now += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time, as `asyncio.run` does in real time.

    >>> import asyncio
    >>> async def wait_a_day():
    ...     await asyncio.sleep(86400)
    ...     return asyncio.get_running_loop().time()
    >>> run(wait_a_day())
    86400.0
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
