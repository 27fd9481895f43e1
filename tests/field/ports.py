"""Ports of loopback for servers that end and come back: none that the kernel gives to a client.

The kernel draws the local ports of clients from a range of its own. A port below that range is not
taken while its server is away.
"""

import itertools
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NUMBERS = itertools.cycle(range(21000, 29000))
_USED: set[int] = set()


def _free(port: int) -> bool:
    with socket.socket() as sock, suppress(OSError):
        sock.bind(("127.0.0.1", port))
        return True
    return False


@contextmanager
def reserved(count: int) -> Iterator[list[int]]:
    """So many ports that nobody has, for as long as they are needed."""
    found: list[int] = []
    for port in _NUMBERS:
        if len(found) == count:
            break
        if port not in _USED and _free(port):
            found.append(port)
            _USED.add(port)
    try:
        yield found
    finally:
        _USED.difference_update(found)
