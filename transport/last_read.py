"""Reads what the kernel and TLS still hold of a connection, before its socket is closed.

A write that fails ends a transport at once, and the loop closes the socket unread: last
messages and the close frame behind them would be lost, though they had arrived (B2.3). The
protocol of the socket's own transport is told while the socket is still open. So it is wrapped:
data goes to the protocol as before, without a call in between; the end comes here first.

TLS of asyncio and of uvloop keeps records undecrypted while its reader is paused, and forgets
them when it is told of an end or aborted. So its own object is asked to decrypt them.

The wrapper also notes when bytes arrive for an idle wire. Where more than a few chunks come between
two ticks, it wakes the wire and leaves: no call stands between a busy connection and its reader.
"""

import asyncio
import os
import ssl
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Final, Protocol

from recloser.transport.layers import feed, layers
from recloser.transport.ticker import Sleeper, Ticker, Ticking

BOUND: Final = 8 * 2**20
"""Bytes that are read at most: Linux lets a socket hold 6 MiB (net.ipv4.tcp_rmem)."""

FEW: Final = 8
"""Chunks between two ticks up to which a wire is idle: to note so many takes less than a look."""

_CHUNK: Final = 256 * 1024


class Idle(Ticking, Sleeper, Protocol):
    """The wire, as it is told that bytes arrive for it."""


class _LastRead(asyncio.BaseProtocol, ABC):
    """What both kinds of protocols share: all but the end is passed on."""

    __slots__ = (
        "_binds",
        "_idle",
        "_left",
        "_lowest",
        "_number",
        "_protocol",
        "_ticker",
        "_transport",
        "wanted",
    )

    def __init__(self, transport: asyncio.Transport, lowest: asyncio.Transport, protocol: Any):
        self._transport = transport
        self._lowest = lowest
        self._protocol = protocol
        self.wanted: bool = True
        """False once the end was told, so that nobody asks for the rest."""
        self._idle: Idle | None = None
        self._ticker: Ticker
        """It is told of what arrives, as long as somebody listens."""
        self._number = 0
        """The number of the tick after which bytes came last."""
        self._left = 0
        """The number of chunks that may still come before the next one."""
        # asyncio's own asks the protocol for the method at each read, uvloop's keeps the methods.
        self._binds = type(lowest).__module__ != "asyncio.selector_events"
        """Whether the transport is to be told when a method is another one."""

    def listen(self, wire: Idle, ticker: Ticker) -> None:
        """From now on tell the ticker when bytes arrive, and wake the wire if they are many.

        It begins as if some had come: those of just before may not have reached their reader.
        """
        if self._idle is None:
            self._idle, self._ticker = wire, ticker
            self._interpose()
            if self._binds:
                self._lowest.set_protocol(self)
        self._number, self._left = ticker.number, FEW
        ticker.arrived(wire)

    def stop_listening(self) -> None:
        """Note nothing, and wake nobody."""
        if self._idle is not None:
            self._idle = None
            self._pass_on()
            if self._binds:
                self._lowest.set_protocol(self)

    def _note(self) -> None:
        number = self._ticker.number
        if number != self._number:
            self._number, self._left = number, FEW
            if self._idle is not None:
                self._ticker.arrived(self._idle)
        elif self._left:
            self._left -= 1
        else:
            self._wake()

    def _wake(self) -> None:
        wire = self._idle
        self.stop_listening()
        if wire is not None:
            wire.wake()

    @abstractmethod
    def _interpose(self) -> None:
        """Have bytes be noted before they go to the protocol."""

    @abstractmethod
    def _pass_on(self) -> None:
        """Have bytes go to the protocol without a call in between."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._protocol.connection_made(transport)

    def eof_received(self) -> bool | None:
        self._wake()
        self.read()  # uvloop's TLS would shut down with records undecrypted
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
        found = layers(self._transport) if self.wanted else None
        if found is None:
            return False
        secured = found[-2::-1]  # from the socket upwards
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
    """Stands before a protocol that is given data."""

    __slots__ = ("data_received",)

    def __init__(self, transport: asyncio.Transport, lowest: asyncio.Transport, protocol: Any):
        super().__init__(transport, lowest, protocol)
        self._pass_on()

    def _pass_on(self) -> None:
        self.data_received = self._protocol.data_received  # type: ignore[method-assign] # no call

    def _interpose(self) -> None:
        self.data_received = self._note_data  # type: ignore[method-assign] # while idle

    def _note_data(self, data: bytes) -> None:
        self._note()
        self._protocol.data_received(data)


class _BufferedLastRead(_LastRead, asyncio.BufferedProtocol):
    """Stands before a protocol that gives a buffer, as TLS does."""

    __slots__ = ("buffer_updated", "get_buffer")

    def __init__(self, transport: asyncio.Transport, lowest: asyncio.Transport, protocol: Any):
        super().__init__(transport, lowest, protocol)
        self.get_buffer = protocol.get_buffer  # type: ignore[method-assign] # no call between
        self._pass_on()

    def _pass_on(self) -> None:
        self.buffer_updated = self._protocol.buffer_updated  # type: ignore[method-assign] # no call

    def _interpose(self) -> None:
        self.buffer_updated = self._note_bytes  # type: ignore[method-assign] # while idle

    def _note_bytes(self, nbytes: int) -> None:
        self._note()
        self._protocol.buffer_updated(nbytes)


def last_read(transport: asyncio.Transport) -> _LastRead | None:
    """Have the rest read when a connection dies; None where a loop does not show its socket."""
    found = layers(transport)
    if found is None:
        return None
    lowest = found[-1]
    protocol: Any = lowest.get_protocol()
    made = (_BufferedLastRead if hasattr(protocol, "get_buffer") else _PlainLastRead)(
        transport, lowest, protocol
    )
    lowest.set_protocol(made)
    return made
