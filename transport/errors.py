"""The errors of a wire, and of an aiohttp session that the application lends.

RecloserError
 +-- NotOpen            what needs an open connection, while there is none
 +-- ConcurrentReceive  (RuntimeError)  two tasks wait for one thing
 +-- ProxyUnusable      (ValueError)    a proxy that cannot be read, or that no dial can use
 +-- SessionClosed      (RuntimeError)  the application has closed its session
 +-- UnsupportedAiohttp (RuntimeError)  the installed aiohttp lacks what the transport stands on
"""

from recloser.fsm.errors import RecloserError
from recloser.fsm.states import State

_FIRST = {
    State.CLOSED: "call connect(), and await wait_for(State.OPEN)",
    State.CONNECTING: "use opening.send() in on_open; elsewhere await wait_for(State.OPEN)",
    State.OPEN: "the connection has just ended: await wait_for(State.OPEN), and try again",
    State.CLOSING: "call connect(), and await wait_for(State.OPEN)",
    State.BACKOFF: "await wait_for(State.OPEN), or give connect(outbox=recloser.Outbox())",
    State.PASSIVE: "call connect(), and await wait_for(State.OPEN)",
}
"""What helps in each state. Waiting alone never ends in one that only a call leaves."""


class NotOpen(RecloserError):
    """What was asked for needs an open connection; nothing has been done."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state = state

    def __str__(self) -> str:
        return f"not open but {self.state.value}: {_FIRST[self.state]}"


class ConcurrentReceive(RecloserError, RuntimeError):
    """Two tasks wait for the next message at the same time, or for the next item of an iterator."""

    def __str__(self) -> str:
        return (
            "another task waits here: let one task receive and hand messages on, and give each "
            "task an iterator of its own"
        )


class ProxyUnusable(RecloserError, ValueError):
    """A proxy, given or out of the environment, that cannot be read or used; the text says why."""


class SessionClosed(RecloserError, RuntimeError):
    """The aiohttp session lent to the engine has been closed by its owner."""

    def __str__(self) -> str:
        return "the aiohttp session is closed: lend an open one that lives as long as the engine"


class UnsupportedAiohttp(RecloserError, RuntimeError):
    """The installed aiohttp lacks something that the transport stands on."""

    def __init__(self, version: str, missing: list[str]) -> None:
        super().__init__(version, missing)
        self.version = version
        self.missing = missing

    def __str__(self) -> str:
        return (
            f"aiohttp {self.version} has no {', no '.join(self.missing)}: install another release "
            "of aiohttp, or a newer recloser"
        )
