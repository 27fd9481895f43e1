"""Reads what the kernel and TLS still hold of a connection, before its socket is closed.

A write that fails ends a transport at once, and the loop closes the socket unread: last
messages and the close frame behind them would be lost, though they had arrived (B2.3). The
protocol of the socket's own transport is told while the socket is still open. So it is wrapped:
data goes to the protocol as before, without a call in between; the end comes here first.

TLS of asyncio and of uvloop keeps records undecrypted while its reader is paused, and forgets
them when it is told of an end or aborted. So its own object is asked to decrypt them.
"""

import asyncio
import os
import ssl
from contextlib import suppress
from typing import Any, Final

from recloser.transport.layers import feed, layers

BOUND: Final = 8 * 2**20
"""Bytes that are read at most: Linux lets a socket hold 6 MiB (net.ipv4.tcp_rmem)."""

_CHUNK: Final = 256 * 1024


class _LastRead(asyncio.BaseProtocol):
    """What both kinds of protocols share: all but the end is passed on."""

    __slots__ = ("_lowest", "_protocol", "_transport", "wanted")

    def __init__(self, transport: asyncio.Transport, lowest: asyncio.Transport, protocol: Any):
        self._transport = transport
        self._lowest = lowest
        self._protocol = protocol
        self.wanted: bool = True
        """False once the end was told, so that nobody asks for the rest, or once all has come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._protocol.connection_made(transport)

    def eof_received(self) -> bool | None:
        if self.wanted:
            if self._transport is not self._lowest:
                _decrypt(self._secured() or ())  # uvloop's would shut down with some undecrypted
            self.wanted = False
        kept: bool | None = self._protocol.eof_received()
        return kept

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.read()
        self._protocol.connection_lost(exc)

    def read(self) -> bool:
        """Give the reader above what has arrived: of each layer of TLS, then of the kernel.

        Returns whether that was anything. Once the end was told or the socket is closed, it is not.
        """
        secured = self._secured() if self.wanted else None
        if secured is None:
            return False
        arrived = _decrypt(secured)
        connection = self._lowest.get_extra_info("socket")
        descriptor = -1 if connection is None else connection.fileno()
        left = BOUND if descriptor >= 0 else 0
        # An error is the end that has been seen already, and what stands before it was read.
        with suppress(OSError):
            while left > 0 and (data := os.read(descriptor, min(left, _CHUNK))):
                left -= len(data)
                arrived = True
                feed(self._protocol, data)
                _decrypt(secured)
        return arrived

    def _secured(self) -> tuple[asyncio.Transport, ...] | None:
        """Return the layers of TLS, from the socket upwards; None once they hide it."""
        if self._transport is self._lowest:
            return ()
        found = layers(self._transport)
        return None if found is None else found[-2::-1]


def _decrypt(secured: tuple[asyncio.Transport, ...]) -> bool:
    """Have each layer of TLS hand on what it holds; return whether that was anything.

    It does not matter whether its reader is paused.
    """
    found = False
    for each in secured:
        tls = each.get_extra_info("ssl_object")
        # `SSLWantReadError` says that no whole record is left; another one, that none can come.
        with suppress(ssl.SSLError):
            while data := tls.read(_CHUNK):
                found = True
                feed(each.get_protocol(), data)
    return found


class _PlainLastRead(_LastRead, asyncio.Protocol):
    """Stands before a protocol that is given data, by a method of it: there is no call between."""

    __slots__ = ("data_received",)


class _BufferedLastRead(_LastRead, asyncio.BufferedProtocol):
    """Stands before a protocol that gives a buffer, as TLS does, by its methods."""

    __slots__ = ("buffer_updated", "get_buffer")


def last_read(transport: asyncio.Transport, lowest: asyncio.Transport | None) -> _LastRead | None:
    """Have the rest read when a connection dies; `lowest` is the transport of its socket.

    None where that is hidden: then nothing more can be read.
    """
    if lowest is None:
        return None
    protocol: Any = lowest.get_protocol()
    made: _LastRead
    if hasattr(protocol, "get_buffer"):
        made = buffered = _BufferedLastRead(transport, lowest, protocol)
        buffered.get_buffer = protocol.get_buffer  # type: ignore[method-assign] # as said there
        buffered.buffer_updated = protocol.buffer_updated  # type: ignore[method-assign] # the same
    else:
        made = plain = _PlainLastRead(transport, lowest, protocol)
        plain.data_received = protocol.data_received  # type: ignore[method-assign] # the same
    lowest.set_protocol(made)
    return made
