"""What the kernel knows of a TCP connection, where it tells (Linux)."""

import socket
import sys
from asyncio import BaseTransport
from struct import Struct
from typing import Final, NamedTuple

_INFO: Final = Struct("=B51xII")
"""`tcpi_state` at 0, `tcpi_last_data_recv` at 52 and `tcpi_last_ack_recv` at 56, in
milliseconds: struct tcp_info of linux/tcp.h."""

_ESTABLISHED: Final = 1
"""net/tcp_states.h"""


class Kernel(NamedTuple):
    """One look at a connection."""

    up: bool
    """Neither side has ended it: no FIN, no RST was seen."""
    data: float
    """Seconds since data last came."""
    acknowledged: float
    """Seconds since the other kernel last said that it got something of ours."""


def look(transport: BaseTransport) -> Kernel | None:
    """Ask the kernel; None if it does not tell: another platform, no TCP, socket gone."""
    connection = transport.get_extra_info("socket")
    if sys.platform != "linux" or connection is None:
        return None
    try:
        found = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    except OSError:
        return None
    if len(found) < _INFO.size:
        return None
    state, data, acknowledged = _INFO.unpack(found)
    return Kernel(state == _ESTABLISHED, data / 1000, acknowledged / 1000)
