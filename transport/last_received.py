"""The moment of the last bytes: from the kernel, and those received also by counting frames."""

import asyncio
import socket
import sys
from struct import Struct
from typing import Final

from recloser.fsm.named_tuple import NamedTuple
from recloser.transport.base import Frame, Read

_INFO: Final = Struct("=B43xI4xII")
"""`tcpi_state` at 0, `tcpi_last_data_sent` at 44, `tcpi_last_data_recv` at 52 and
`tcpi_last_ack_recv` at 56, in milliseconds: struct tcp_info of linux/tcp.h."""

_ESTABLISHED: Final = 1
"""net/tcp_states.h"""

SLACK: Final = 0.02
"""Seconds by which the kernel's times may be wrong: it counts in ticks of up to 10 ms."""

_TOLD: Final = set[int]()
"""The protocols of sockets for which the kernel has answered."""


class TcpInfo(NamedTuple):
    """The kernel's account of a TCP connection at one moment."""

    established: bool
    """No side has ended it: no FIN, no RST was seen."""
    since_sent: float
    """Seconds since data last left."""
    since_data: float
    """Seconds since data last came."""
    since_acknowledgement: float
    """Seconds since the peer's kernel last acknowledged something of ours."""


def tcp_info(transport: asyncio.BaseTransport) -> TcpInfo | None:
    """Ask the kernel; None where it has no answer: not Linux, no plain TCP, no socket any more."""
    return _account(transport) if kernel_tells(transport) else None


def kernel_tells(transport: asyncio.BaseTransport) -> bool:
    """Whether the kernel has an account of this connection for as long as its socket is open.

    It is the same for all connections of one protocol, so only the first one is asked for it. Of a
    Multipath TCP connection Linux tells what its first path received, and nothing of the others: a
    live connection looks silent once its first path has died (F3).
    """
    connection = transport.get_extra_info("socket")
    if sys.platform != "linux" or connection is None:
        return False
    try:
        protocol: int = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
    except (OSError, ValueError):  # of a closed socket uvloop's raises the latter
        return False
    if protocol in _TOLD:
        return True
    if protocol == socket.IPPROTO_MPTCP or _account(transport) is None:
        return False
    _TOLD.add(protocol)
    return True


def _account(transport: asyncio.BaseTransport) -> TcpInfo | None:
    """Ask about a socket of which the kernel tells; None if it has been closed."""
    connection = transport.get_extra_info("socket")
    if connection is None:
        return None
    try:
        found = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    except (OSError, ValueError):  # as above
        return None
    if len(found) < _INFO.size:
        return None
    state, sent, data, acknowledgement = _INFO.unpack(found)
    return TcpInfo(state == _ESTABLISHED, sent / 1000, data / 1000, acknowledgement / 1000)


def last_received(transport: asyncio.Transport, now: float) -> float:
    """Return the moment of the last received bytes by the kernel's account, on the clock of `now`.

    The kernel must be one that tells of this connection. It is asked once for each judgement, so a
    blocked event loop does not mislead it (F3). While reading is paused the peer may have no room
    to send data; then an acknowledgement counts too, since it shows that the peer's kernel is
    there.
    """
    found = _account(transport)
    if found is None:
        return now  # the socket is gone: the wire notices that
    return now - _silence(found, transport) + SLACK


def last_exchange(transport: asyncio.Transport, now: float) -> float:
    """Return the moment since which bytes have not both come and left, by the same account."""
    found = _account(transport)
    if found is None:
        return now
    return now - max(_silence(found, transport), found.since_sent) - SLACK


def _silence(found: TcpInfo, transport: asyncio.Transport) -> float:
    """Return the seconds since the peer last gave a sign of life."""
    if transport.is_reading():
        return found.since_data
    return min(found.since_data, found.since_acknowledgement)


class FrameCounter:
    """Counts frames as they are read, where the kernel has no answer."""

    __slots__ = ("_at", "_count", "_counted", "_read", "_transport")

    def __init__(self, read: Read, transport: asyncio.Transport) -> None:
        self._read = read
        self._transport = transport
        self._count = self._counted = 0
        self._at = float("-inf")

    async def read(self) -> Frame:
        """Read a frame, and count it."""
        frame = await self._read()
        self._count += 1
        return frame

    def mark(self) -> None:
        """Forget what was counted: what has been read before a ping is no answer."""
        self._counted = self._count

    def last_received(self, now: float) -> float:
        """Return the moment at which the count last grew; `now` while reading is paused."""
        if self._count != self._counted or not self._transport.is_reading():
            self._counted, self._at = self._count, now
        return self._at
