"""`TimerQueue`: the timers of all engines of one event loop, behind one timer of that loop.

asyncio compares its timers by a call of Python each time, and makes three objects for each. With
thousands of engines that is most of what a deadline costs.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Final, cast

_FAR: Final = 86_400.0
"""Seconds; a moment beyond is waited for in steps, since event loops refuse far timers."""

_MANY: Final = 64
"""Cancelled timers that the heap may hold, whatever else it holds."""

_CALLBACK: Final = 2
_CONTEXT: Final = 3
_QUEUE: Final = 4


class QueuedTimer(list[Any]):
    """Moment, number, callback, its context, and the queue while the timer stands in it.

    A list, since two lists are compared without a call of Python.
    """

    __slots__ = ()

    def cancel(self) -> None:
        """Forget the call; harmless after it was made."""
        queue: TimerQueue | None = self[_QUEUE]
        self[_CALLBACK:] = (None, None, None)
        if queue is not None:
            queue.one_cancelled()


class TimerQueue:
    """Calls back at moments of the loop's clock, each call in the context in which it was asked."""

    __slots__ = ("_cancelled", "_context", "_handle", "_heap", "_loop", "_moment", "_number")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[QueuedTimer] = []
        self._number = 0
        self._cancelled = 0
        """How many timers in the heap are cancelled."""
        self._handle: asyncio.TimerHandle | None = None
        self._moment = inf
        """When the timer of the loop rings; infinity: none is set. Minus infinity: it rings."""
        self._context = Context()
        """That of the loop's timer; of the application's it must keep none alive."""

    def call_at(self, when: float, callback: Callable[[], object]) -> QueuedTimer:
        """Call `callback` once the loop's time has reached `when`."""
        self._number += 1
        timer = QueuedTimer((when, self._number, callback, copy_context(), self))
        heappush(self._heap, timer)
        if when < self._moment:
            self._arm(when)
        return timer

    def one_cancelled(self) -> None:
        """Count a cancelled timer; the last one ends the timer of the loop."""
        self._cancelled += 1
        heap = self._heap
        if self._cancelled == len(heap):
            heap.clear()
            self._cancelled = 0
            if self._handle is not None:
                self._handle.cancel()
                self._handle, self._moment = None, inf
        elif self._cancelled > max(_MANY, len(heap) // 2):
            heap[:] = [each for each in heap if each[_CALLBACK] is not None]
            heapify(heap)
            self._cancelled = 0

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._moment = min(when, self._loop.time() + _FAR)
        self._handle = self._loop.call_at(self._moment, self._ring, context=self._context)

    def _ring(self) -> None:
        """Call those that are due, and set the timer of the loop to the next one."""
        now = max(self._moment, self._loop.time())  # a loop rings up to its resolution too soon
        self._handle, self._moment = None, -inf
        due: list[QueuedTimer] = []
        try:
            while self._first() <= now:
                timer = heappop(self._heap)
                timer[_QUEUE] = None
                due.append(timer)
            due.reverse()
            while due:
                self._call(due.pop())
        finally:
            for timer in due:  # the process is about to exit, or an interruption is caught
                if timer[_CALLBACK] is not None:
                    timer[_QUEUE] = self
                    heappush(self._heap, timer)
            self._moment = inf
            if (when := self._first()) < inf:
                self._arm(when)

    def _first(self) -> float:
        """Return the moment of the next timer, infinity for none; drop the cancelled before it."""
        heap = self._heap
        while heap:
            if heap[0][_CALLBACK] is not None:
                return cast("float", heap[0][0])
            heappop(heap)
            self._cancelled -= 1
        return inf

    def _call(self, timer: QueuedTimer) -> None:
        callback, context = timer[_CALLBACK], timer[_CONTEXT]
        if callback is None:
            return  # one that was called before it has cancelled it
        timer[_CALLBACK:] = (None, None, None)
        try:
            context.run(callback)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - as asyncio does with the error of a callback
            message = f"Exception in callback {callback!r}"
            self._loop.call_exception_handler({"message": message, "exception": error})
