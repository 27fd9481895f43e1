"""The callers that wait for the end of a closing, or of a move to a successor."""

import asyncio
from collections.abc import Mapping

from recloser import log
from recloser.closed import closed_error, details
from recloser.driver.generation import Generation, Releaser
from recloser.driver.inbound import Inbound
from recloser.fsm import states
from recloser.fsm.change import StateChange
from recloser.fsm.effects import Drop, Failed
from recloser.fsm.errors import RecloserError
from recloser.fsm.record import Close
from recloser.fsm.states import Wish
from recloser.transport.errors import NotOpen
from recloser.waiter import Waiter


class CloseWaiters:
    """Callers of `close()` and `suspend()` that wait for the end of a closing."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: tuple[tuple[Wish, Waiter], ...] = ()

    async def wait(self, wish: Wish) -> None:
        """Wait until the closing has ended, or until another wish than this is the last one."""
        entry = (wish, Waiter())
        self.waiting += (entry,)
        try:
            await entry[1].wait()
        finally:
            self.waiting = tuple(each for each in self.waiting if each is not entry)

    def release_superseded(self, last: Wish) -> None:
        """Release the callers whose wish is no longer the last one."""
        for wish, waiter in self.waiting:
            if wish is not last:
                waiter.wake()

    def release(self) -> None:
        """Release all callers: the closing has ended."""
        for _, waiter in self.waiting:
            waiter.wake()


class MoveFailed(RecloserError):
    """The successor of an open connection is not to be had; that connection goes on.

    `close` is the record of the failed dial.
    """

    def __init__(self, close: Close) -> None:
        super().__init__(close)
        self.close = close

    def __str__(self) -> str:
        said = details(self.close)
        return (
            f"the connection stays: its successor failed by {self.close.cause.value}"
            f"{said and f' ({said})'}: move again later"
        )


class Moves:
    """The successor of the open generation, and the callers that wait for it."""

    __slots__ = ("_outcome", "successor")

    def __init__(self) -> None:
        self.successor: Generation | None = None
        """Dialled, or ready; None without a move."""
        self._outcome: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Wait until a later generation is open.

        Raises `MoveFailed`, and `ConnectionClosed`, `PolicyError` or `NotOpen` if the engine
        ends or rests before. Cancelling this does not end the move.
        """
        if self._outcome is None:
            self._outcome = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._outcome)

    def take(self) -> Generation | None:
        """Return the successor, and let go of it."""
        successor, self.successor = self.successor, None
        return successor

    def end(
        self,
        effect: Drop | Failed,
        inbound: Inbound,
        releaser: Releaser,
        fields: Mapping[str, object],
    ) -> None:
        """Release the successor, which is given up or has failed; tell of a failure."""
        successor = self.take()
        if successor is not None:
            if successor.farewell is None and isinstance(effect, Drop):
                successor.farewell = effect.code, effect.reason
            inbound.lose(inbound.unserved(successor.wire))
            successor.leave()
            releaser.start(successor, last=False)
        if isinstance(effect, Failed):
            log.move_failed(fields, effect.close, effect.decision)
            if effect.error is not None:
                log.failure(log.LISTENER_FAILED, fields, "policy", effect.error)
            self._settle(MoveFailed(effect.close))

    def changed(self, change: StateChange) -> None:
        """Let the callers go on where a change ends the move."""
        if self._outcome is None:
            return
        if change.current is states.OPEN:
            self._settle(None)
        elif change.current is states.CLOSED:
            self._settle(closed_error(change))
        elif change.current is states.PASSIVE:
            self._settle(NotOpen(states.PASSIVE))

    def _settle(self, error: Exception | None) -> None:
        outcome, self._outcome = self._outcome, None
        if outcome is None:
            return
        if error is None:
            outcome.set_result(None)
        else:
            outcome.set_exception(error)
            outcome.exception()  # retrieved, also where no caller waits any more
