"""The event loop an engine lives in, and the clock that goes with it."""

import asyncio
from typing import Final

from recloser.clock import Clock, LoopClock
from recloser.fsm.errors import WrongLoop


class Home:
    """Bound to a loop at first use; may move to another when the engine holds nothing."""

    __slots__ = ("_clock", "_given", "loop")

    def __init__(self, clock: Clock | None) -> None:
        self._given: Final = clock
        self._clock = clock
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def clock(self) -> Clock:
        """The clock that was given, or that of the loop."""
        if self._clock is None:
            self._clock = LoopClock(asyncio.get_running_loop() if self.loop is None else self.loop)
        return self._clock

    def enter(self, *, vacant: bool, idle: bool) -> bool:
        """Check that the running loop is the engine's; True if the engine has just moved.

        `vacant`: the machine is closed; `idle`: nothing is left to release. Raises
        `WrongLoop` from another loop or thread while the old loop still has something.
        """
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            raise WrongLoop from None
        before = self.loop
        if before is running:
            return False
        if before is not None and not (vacant and (idle or before.is_closed())):
            raise WrongLoop
        self.loop, self._clock = running, self._given
        return True
