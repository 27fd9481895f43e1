"""The local address of a connection: whether this machine still has it (F9)."""

import asyncio
import errno
import socket
from typing import Final

_MULTIPATH: Final = 262
"""IPPROTO_MPTCP of linux/in.h: such a connection may live on at another address."""
_PROTOCOL: Final = getattr(socket, "SO_PROTOCOL", None)
_GONE: Final = "this machine no longer has the local address of the connection"


def address_lost(transport: asyncio.BaseTransport) -> OSError | None:
    """Return an error if the connection's local address has gone; None if it is there.

    A connection cannot live on without it, but the kernel does not say so: it sends in vain for
    a quarter of an hour. The kernel lets a socket be bound to an address of the machine only.
    Also None where that cannot tell: no IP, no socket any more, Multipath TCP.
    """
    connection, name = (transport.get_extra_info(each) for each in ("socket", "sockname"))
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        if _PROTOCOL is not None:
            protocol = connection.getsockopt(socket.SOL_SOCKET, _PROTOCOL)
            if protocol == _MULTIPATH:
                return None
        with socket.socket(connection.family, socket.SOCK_DGRAM) as tried:
            tried.bind((name[0], 0, *name[2:]))
    except (OSError, ValueError) as error:  # of a closed socket uvloop's raises the latter
        if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL:
            return OSError(errno.EADDRNOTAVAIL, _GONE)
    return None
