"""The transports beneath a connection, the bytes that wait in their buffers, and their protocols.

TLS stands on a socket, or on another TLS (a proxy's).
"""

import asyncio
import gc
import socket
from contextlib import suppress
from typing import Any, Final, cast

_DEPTH: Final = 4
"""More layers than anybody stacks: TLS in TLS has three."""


def layers(transport: asyncio.Transport) -> tuple[asyncio.Transport, ...] | None:
    """Return the transport and those beneath it, the socket's last; None if it does not tell.

    asyncio's TLS keeps the next one in a private attribute, uvloop's in a field that only the
    garbage collector is shown; test_contract.py pins both. Without TLS there is one layer.
    """
    if transport.get_extra_info("sslcontext") is None:
        return (transport,) if _is_socket(transport) else None
    found = [transport]
    while found[-1].get_extra_info("sslcontext") is not None and len(found) < _DEPTH:
        below = _beneath(found[-1])
        if below is None:
            break
        found.append(below)
    return tuple(found) if _is_socket(found[-1]) else None


def bytes_queued(found: tuple[asyncio.Transport, ...]) -> int | None:
    """Count the bytes in the buffers of these layers; None when nobody can tell.

    A transport that breaks clears its buffer before the end is reported, and TLS that closes
    gives no account. A buffer on the socket itself is flushed before it closes.
    """
    queued = 0
    for layer in found:
        size = layer.get_write_buffer_size()
        if layer.is_closing() and (len(found) > 1 or not size):
            return None
        queued += size
    return queued


def end_writing(transport: asyncio.Transport) -> None:
    """Let the kernel take nothing more: uvloop may write once more before it aborts."""
    connection = transport.get_extra_info("socket")
    descriptor = -1 if connection is None else connection.fileno()
    if descriptor >= 0:
        with suppress(OSError), socket.socket(fileno=socket.dup(descriptor)) as twin:
            twin.shutdown(socket.SHUT_WR)


def feed(protocol: Any, data: bytes) -> None:
    """Give bytes to a protocol as if its transport had read them."""
    if not hasattr(protocol, "get_buffer"):  # uvloop's TLS has one, and is of no class of asyncio's
        protocol.data_received(data)
        return
    while data:
        room = memoryview(protocol.get_buffer(len(data)))
        size = min(len(room), len(data))
        room[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]


def _is_socket(transport: asyncio.Transport) -> bool:
    return "SSL" not in type(transport).__name__


def _beneath(transport: asyncio.Transport) -> asyncio.Transport | None:
    """Return the transport on which a TLS transport stands."""
    protocol = getattr(transport, "_ssl_protocol", None)
    if protocol is not None:
        below: asyncio.Transport | None = getattr(protocol, "_transport", None)
        return below
    for each in gc.get_referents(transport):
        if type(each).__name__ == "SSLProtocol":
            for candidate in gc.get_referents(each):
                if candidate is not transport and hasattr(candidate, "get_write_buffer_size"):
                    # uvloop's transports have asyncio's methods, and are of no class of asyncio's
                    return cast("asyncio.Transport", candidate)
    return None
