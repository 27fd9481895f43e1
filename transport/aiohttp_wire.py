"""One live aiohttp WebSocket as a wire."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

from aiohttp import EofStream
from aiohttp.http import WebSocketError

from recloser.fsm.closecodes import PROTOCOL_ERROR, sendable
from recloser.fsm.record import Cause, Close
from recloser.transport import classify
from recloser.transport.base import Delivery, Frame, Opcode
from recloser.transport.handshake import lowered
from recloser.transport.last_received import FrameCounter, last_received, tcp_info
from recloser.transport.liveness import Heartbeat, Liveness
from recloser.transport.local_address import address_lost
from recloser.transport.outgoing import Outgoing
from recloser.transport.ticker import Ticker
from recloser.transport.upgrade import MASKED, Upgrade
from recloser.transport.wire import Wire

RELEASE: Final = 0.5
"""Seconds for an ended socket to flush, to shut TLS down and to linger; then it is aborted."""


class Owner(Protocol):
    """The facts that a wire asks of the transport that dialled it."""

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The schedule of pings."""
        ...

    @property
    def ask_kernel(self) -> bool:
        """Whether the kernel may judge silence, where it can."""
        ...

    @property
    def backlogged(self) -> Callable[[int], None] | None:
        """Called with the number of unread messages when reading pauses."""
        ...

    @property
    def pings_missed(self) -> Callable[[int, bool], None] | None:
        """Called with the number of pings without a pong, and whether one was answered before."""
        ...

    def session_closed(self) -> bool:
        """Whether the lent session was closed under its wires."""
        ...


class AiohttpWire(Wire):
    """Notices the end of its socket, whichever task reads; reports it once; frees the socket."""

    __slots__ = (
        "_counted",
        "_liveness",
        "_out",
        "_owner",
        "_paused",
        "_release",
        "_upgrade",
    )

    def __init__(self, upgrade: Upgrade, ended: Callable[[Close], None], owner: Owner) -> None:
        super().__init__(upgrade.reader.read, ended)
        self._upgrade = upgrade
        self._owner = owner
        self._paused = False
        self._out = Outgoing(upgrade.writer, upgrade.transport, self.undelivered)
        self._release: asyncio.TimerHandle | None = None
        self._liveness: Liveness | None = None
        loop = asyncio.get_running_loop()
        self._counted: FrameCounter | None = None
        if owner.heartbeat is not None:
            if not owner.ask_kernel or tcp_info(upgrade.transport) is None:
                self._counted = FrameCounter(self.read, upgrade.transport)
                self.read = self._counted.read
            self._liveness = Liveness(owner.heartbeat, self)
        upgrade.lost.add_done_callback(self._lost, context=self.context)
        Ticker.of(loop).add(self)

    @property
    def send(self) -> Callable[..., Coroutine[Any, Any, Delivery]]:
        """See `Wire.send`: no layer stands between the sender and the socket."""
        return self._out.send

    @property
    def subprotocol(self) -> str | None:
        """See `Wire.subprotocol`."""
        return self._upgrade.protocol

    @property
    def headers(self) -> Mapping[str, str]:
        """See `Wire.headers`."""
        return lowered(self._upgrade.headers)

    @property
    def sent_code(self) -> int | None:
        """See `Wire.sent_code`."""
        return self._out.sent_code

    def unsent_messages(self) -> list[Any]:
        """See `Wire.unsent_messages`."""
        return self._out.unsent

    @property
    def closing(self) -> bool:
        """Whether our close frame has been written."""
        return self._out.shut

    def control_received(self, frame: Frame) -> None:
        """See `Wire.control_received`."""
        if isinstance(frame.data, bytearray):  # the parser unmasked it: RFC 6455 section 5.1
            self.connection_lost(WebSocketError(PROTOCOL_ERROR, MASKED))
        elif frame.type is Opcode.PING:
            self._out.pong(frame.data)
        elif frame.type is Opcode.PONG:
            if frame.data is not None and self._liveness is not None:  # None: a withheld message
                self._liveness.pong()
        elif frame.type is Opcode.CLOSE:
            code = frame.data
            # 0 is an empty frame, answered alike; 1006 and the like must not be sent back.
            self._out.close(None if code == 0 else code if sendable(code) else PROTOCOL_ERROR)
            self.end(classify.close_frame(code, str(frame.extra or ""), self.sent_code))
            self._let_go()

    def connection_lost(self, error: Exception) -> None:
        """See `Wire.connection_lost`."""
        if not isinstance(error, EofStream):
            self._out.close(classify.refusal_code(error))
            # The socket stays a moment: closing it with input unread would reset it, and the
            # peer might never see why.
            self.end(classify.refused_frame(error, self.sent_code))
            self._let_go(linger=True)
        elif self._owner.session_closed():
            self.end(classify.session_closed(self.sent_code))
            self._let_go()
        else:
            self.end(classify.lost(self._reset(), self.sent_code))
            self._let_go()

    def close(self, code: int, reason: str) -> None:
        """See `Wire.close`."""
        if self.over or self.closing:
            return
        self._out.close(code, reason)
        self._end_liveness()
        self.read_ahead()

    def drop(self) -> None:
        """See `Wire.drop`."""
        self._abort_transport()
        self._upgrade.response.close()

    def probe(self) -> None:
        """See `Wire.probe`; a connection whose local address has gone is ended at once."""
        if self.over or self.closing:
            return
        gone = address_lost(self._upgrade.transport)
        if gone is not None:
            self.drain_received()
            if not self.over:
                self.end(Close.cut(Cause.RESET, error=gone))
                self.drop()
        elif self._liveness is not None:
            self._liveness.probe()

    async def wait_closed(self) -> None:
        """See `Wire.wait_closed`."""
        await asyncio.wait((self._upgrade.lost,))

    def tick(self) -> None:
        """Look after the wire while no consumer reads: twice a second, for all wires of a loop."""
        transport = self._upgrade.transport
        if self._out.closing:
            # The peer's FIN came while bytes of ours were queued: asyncio does not report it.
            self.drain_received()
            if not self.over:
                self._abort_transport()
            return
        if self.full and not transport.is_reading():
            self._overrun()
        else:
            self._paused = False
        self.read_ahead()
        if not self.over:
            self._out.settle()
            if self._liveness is not None:
                self._liveness.tick()

    def _overrun(self) -> None:
        """Check whether the peer is still there; report once that reading has paused."""
        found = tcp_info(self._upgrade.transport)
        if found is not None and not found.established:
            self.draining = True  # the bytes in the kernel are bounded
        elif not self._paused:
            self._paused = True
            if self._owner.backlogged is not None:
                self._owner.backlogged(self.unread)

    def ping(self, message: str | bytes | None) -> None:
        """See `Living.ping`."""
        if not self._out.closing:
            self._out.ping(message)

    def last_received(self, now: float) -> float:
        """See `Living.last_received`."""
        if self._counted is not None:
            # Behind a full buffer nothing is read, so nothing can be counted.
            return now if self.full else self._counted.last_received(now)
        return last_received(self._upgrade.transport, now)

    def condemned(self, error: Exception | None) -> None:
        """See `Living.condemned`: drop the socket, and report it in the same turn (F1)."""
        self.drain_received()
        if not self.over:
            self.end(classify.condemned(error, self.sent_code))
            self.drop()

    def pings_missed(self, count: int, *, answered_before: bool) -> None:
        """See `Living.pings_missed`."""
        if self._owner.pings_missed is not None:
            self._owner.pings_missed(count, answered_before)

    def deaf(self) -> None:
        """See `Living.deaf`."""
        self.drain_received()
        if not self.over:
            self.end(classify.deaf(self.sent_code))
            self.drop()

    def _end_liveness(self) -> None:
        """Stop pinging and judging."""
        if self._liveness is not None:
            self._liveness.stop()
            self._liveness = None

    def _reset(self) -> BaseException | None:
        lost = self._upgrade.lost
        return lost.exception() if lost.done() and not lost.cancelled() else None

    def _lost(self, lost: "asyncio.Future[None]") -> None:
        if not lost.cancelled():
            lost.exception()  # retrieved, or asyncio reports it
        if self._release is not None:
            self._release.cancel()
        if not self.over:
            self.drain_received()
        self._upgrade.response.close()

    def finish(self) -> None:
        """See `Wire.finish`."""
        if self.undelivered.resend and self.unsent:
            self._abort_transport()  # a message that is sent again must not leave now
        self._out.stop()
        self._upgrade.end_told()
        super().finish()
        self._end_liveness()
        Ticker.of(asyncio.get_running_loop()).discard(self)

    def _let_go(self, *, linger: bool = False) -> None:
        if not linger:
            self._upgrade.response.close()
        if not self._upgrade.lost.done():
            self._release = asyncio.get_running_loop().call_later(RELEASE, self._abort_transport)

    def _abort_transport(self) -> None:
        if not self._upgrade.lost.done():  # asyncio cannot abort a socket that is closed
            self._upgrade.transport.abort()
