"""A hint when a network interface comes up, from the kernel of Linux."""

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from recloser.hints import rtnetlink
from recloser.seconds import check_seconds

_DATAGRAM: Final = 65536


@contextmanager
def network(wake: Callable[[], object], *, debounce: float = 1.0) -> Iterator[None]:
    """Call `wake()` when an interface begins to run or gets an address, in the `with` block.

    One netlink socket and no task; call it once for any number of engines. Link and addresses
    come one after the other: `wake` is called `debounce` seconds after the first of them, and
    once for all that came meanwhile. Must be entered inside the event loop of `wake`. Raises
    `RuntimeError` on other systems than Linux, and `OSError` where netlink is forbidden.
    """
    if sys.platform != "linux":
        raise RuntimeError(
            f"network hints need Linux, and this is {sys.platform}: call ws.wake() from what "
            "your system tells you"
        )
    groups = rtnetlink.LINK | rtnetlink.IPV4_ADDRESS | rtnetlink.IPV6_ADDRESS
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as listening:
        listening.bind((0, groups))
        with heard(listening, wake, debounce=debounce):
            yield


@contextmanager
def heard(
    listening: socket.socket, wake: Callable[[], object], *, debounce: float
) -> Iterator[None]:
    """Listen on a socket that is there already."""
    if not callable(wake):
        raise TypeError(f"give a function without arguments such as ws.wake, not {wake!r}")
    check_seconds("debounce", debounce)
    listening.setblocking(False)
    ear = _Ear(listening, wake, debounce)
    loop = asyncio.get_running_loop()
    loop.add_reader(listening, ear.readable, loop)
    try:
        yield
    finally:
        loop.remove_reader(listening)
        ear.stop()


class _Ear:
    """Turns datagrams into hints."""

    __slots__ = ("_debounce", "_interfaces", "_listening", "_timer", "_wake")

    def __init__(
        self, listening: socket.socket, wake: Callable[[], object], debounce: float
    ) -> None:
        self._listening = listening
        self._wake = wake
        self._debounce = debounce
        self._interfaces = rtnetlink.Interfaces()
        self._timer: asyncio.TimerHandle | None = None

    def readable(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take one datagram; the loop calls again while there are more."""
        try:
            news = self._interfaces.came_up(self._listening.recv(_DATAGRAM))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                loop.remove_reader(self._listening)  # or the loop would call for ever
                raise
            news = True  # the kernel could not queue everything: it may have been among it
        if news and self._timer is None:
            self._timer = loop.call_later(self._debounce, self._ring)

    def stop(self) -> None:
        """Take back a hint that is due."""
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        self._wake()
