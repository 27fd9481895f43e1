"""The errors of a wire, and of an aiohttp session that the application lends.

RecloserError
 +-- NotOpen            sending while not open
 +-- ConcurrentReceive  (RuntimeError)  two tasks wait for one thing
 +-- SessionClosed      (RuntimeError)  the application has closed its session
"""

from recloser.fsm.errors import RecloserError
from recloser.fsm.states import State


class NotOpen(RecloserError):
    """Nothing can be sent in this state; the message was not accepted."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state = state

    def __str__(self) -> str:
        return f"cannot send in {self.state.value}: await wait_for(State.OPEN) first"


class ConcurrentReceive(RecloserError, RuntimeError):
    """Two tasks wait for the next message at the same time, or for the next item of an iterator."""

    def __str__(self) -> str:
        return (
            "another task waits here: let one task receive and hand messages on, and give each "
            "task an iterator of its own"
        )


class SessionClosed(RecloserError, RuntimeError):
    """The aiohttp session lent to the engine has been closed by its owner."""

    def __str__(self) -> str:
        return "the aiohttp session is closed: lend an open one that lives as long as the engine"
