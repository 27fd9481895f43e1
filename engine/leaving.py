"""Who is inside `close()` or `suspend()`: waits until the closing is over, or a later wish came."""

import asyncio

from recloser.fsm.states import Wish


class Leavers:
    """The tasks that wait for the present closing to end."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: tuple[tuple[Wish, asyncio.Future[None]], ...] = ()

    async def wait(self, wish: Wish) -> None:
        """Wait until `over()`, or until another wish than this is the last one."""
        entry = (wish, asyncio.get_running_loop().create_future())
        self._waiting += (entry,)
        try:
            await entry[1]
        finally:
            self._waiting = tuple(each for each in self._waiting if each is not entry)

    def supersede(self, last: Wish) -> None:
        """Let those go whose wish is no longer the last one."""
        for wish, future in self._waiting:
            if wish is not last and not future.done():
                future.set_result(None)

    def over(self) -> None:
        """Let everybody go: the closing has ended."""
        for _, future in self._waiting:
            if not future.done():
                future.set_result(None)
