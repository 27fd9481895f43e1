"""A hint when a network interface or an address comes or goes, from the kernel of Linux."""

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from recloser.checks import check_plain_function
from recloser.fsm.numbers import check_seconds
from recloser.hints import rtnetlink

_DATAGRAM: Final = 65536


@contextmanager
def network(wake: Callable[[], object], *, debounce: float = 1.0) -> Iterator[None]:
    """Call `wake()` when an interface or an address comes or goes, in the `with` block.

    `ws.wake` dials where something came, and ends an open connection whose own address went.
    Uses one netlink socket and no task; call it once for any number of engines. The kernel
    reports link and addresses one after the other: `wake` is called `debounce` seconds after the
    first report, and once for all that came meanwhile. Enter the block inside the event loop of
    `wake`. Raises `RuntimeError` on other systems than Linux, `OSError` where netlink is
    forbidden, and `TypeError` or `ValueError` for arguments that cannot work.
    """
    if sys.platform != "linux":
        raise RuntimeError(
            f"network hints need Linux, and this is {sys.platform}: call ws.wake() from what "
            "your system tells you"
        )
    groups = rtnetlink.LINK | rtnetlink.IPV4_ADDRESS | rtnetlink.IPV6_ADDRESS
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as listening:
        listening.bind((0, groups))
        with hints_from(listening, wake, debounce=debounce):
            yield


@contextmanager
def hints_from(
    listening: socket.socket, wake: Callable[[], object], *, debounce: float
) -> Iterator[None]:
    """Read a netlink socket that the caller has opened, in the `with` block."""
    check_plain_function("wake", "no arguments, such as ws.wake", wake)
    check_seconds("debounce", debounce)
    listening.setblocking(False)
    reader = _NetlinkReader(listening, wake, debounce)
    loop = asyncio.get_running_loop()
    loop.add_reader(listening, reader.readable, loop)
    try:
        yield
    finally:
        loop.remove_reader(listening)
        reader.stop()


class _NetlinkReader:
    """Reads datagrams of the kernel and makes hints of them."""

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
        """Read one datagram; the loop calls this again while there are more."""
        try:
            news = self._interfaces.changed(self._listening.recv(_DATAGRAM))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                loop.remove_reader(self._listening)  # or the loop would call for ever
                raise
            news = True  # the kernel has dropped messages: news may have been among them
        if news and self._timer is None:
            self._timer = loop.call_later(self._debounce, self._ring)

    def stop(self) -> None:
        """Cancel a hint that is due."""
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        self._wake()
