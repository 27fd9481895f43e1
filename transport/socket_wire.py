"""A wire over a transport of asyncio: what its socket, its kernel and its clock tell."""

import asyncio
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any, Final, Protocol

from recloser.fsm.closecodes import PROTOCOL_ERROR, sendable
from recloser.fsm.record import Cause, Close
from recloser.transport import classify
from recloser.transport.base import Delivery, Frame, OnUndeliverable, Opcode, Read
from recloser.transport.closed_loop import close_without_loop
from recloser.transport.heartbeat import Heartbeat
from recloser.transport.last_read import last_read
from recloser.transport.last_received import (
    FrameCounter,
    kernel_tells,
    last_exchange,
    last_received,
    tcp_info,
)
from recloser.transport.layers import end_writing
from recloser.transport.liveness import Liveness
from recloser.transport.local_address import address_lost
from recloser.transport.outgoing import Outgoing
from recloser.transport.ticker import Ticker
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


class SocketWire(Wire):
    """Notices the end of its socket, whichever task reads; reports it once; frees the socket.

    It pings, judges silence, counts what has not left, reads what arrived before a connection
    broke, and bounds the time that an ended socket takes. The library above the socket supplies:

    - `read`: see `Wire`. A frame is a message, or PING and PONG with their payload, or CLOSE with
      the code (0 for none) in `data` and the reason in `extra`. After the last frame `read`
      raises `EOFError`; for a frame that is refused it raises `FrameRefused(code, text)`.
    - `transport`, the socket or TLS on it, and `lost`, a future that is done when the connection
      has gone, with the error of it, if there was one.
    - `outgoing`, which hands frames to it.
    - `owner`, the transport that dialled, with the heartbeat.

    It may extend `release`, `control_received` and `connection_lost`, and supply `subprotocol`
    and `headers`.
    """

    __slots__ = (
        "_counted",
        "_last_read",
        "_liveness",
        "_owner",
        "_paused",
        "_release",
        "_ticker",
        "lost",
        "outgoing",
        "transport",
    )

    def __init__(
        self,
        read: Read,
        ended: Callable[[Close], None],
        *,
        transport: asyncio.Transport,
        lost: "asyncio.Future[None]",
        outgoing: Outgoing,
        owner: Owner,
    ) -> None:
        super().__init__(read, ended)
        self.transport: asyncio.Transport = transport
        self.lost: asyncio.Future[None] = lost
        self.outgoing: Outgoing = outgoing
        self._owner = owner
        self._paused = False
        self._release: asyncio.Handle | None = None
        self._liveness: Liveness | None = None
        self._counted: FrameCounter | None = None
        self._last_read = last_read(transport, outgoing.lowest)
        self._ticker = Ticker.of(lost.get_loop())
        heartbeat = owner.heartbeat
        until = inf if heartbeat is None else self._judge(heartbeat).until
        lost.add_done_callback(self._lost, context=self.context)
        outgoing.undelivered, outgoing.sleeper = self.undelivered, self
        self._ticker.add(self, until)

    @property
    def send(self) -> Callable[..., Coroutine[Any, Any, Delivery]]:
        """See `Wire.send`: no layer stands between the sender and the socket."""
        return self.outgoing.send

    @property
    def sent_code(self) -> int | None:
        """See `Wire.sent_code`."""
        return self.outgoing.sent_code

    def restrict(self, allowed: Callable[[], bool]) -> None:
        """See `Wire.restrict`."""
        self.outgoing.restrict(allowed)

    def on_undeliverable(self, callback: OnUndeliverable, *, resend: bool) -> None:
        """See `Wire.on_undeliverable`."""
        super().on_undeliverable(callback, resend=resend)
        self.outgoing.undelivered = self.undelivered

    def unsent_messages(self) -> list[Any]:
        """See `Wire.unsent_messages`."""
        return self.outgoing.unsent

    @property
    def congested(self) -> bool:
        """See `Wire.congested`."""
        return self.outgoing.congested

    @property
    def begun(self) -> int:
        """See `Wire.begun`."""
        return self.outgoing.begun

    @property
    def has_sent(self) -> bool:
        """See `Wire.has_sent`."""
        return self.outgoing.has_sent

    @property
    def closing(self) -> bool:
        """Whether our close frame has been written."""
        return self.outgoing.shut

    def control_received(self, frame: Frame) -> None:
        """See `Wire.control_received`."""
        if frame.type is Opcode.PING:
            self.outgoing.pong(frame.data)
        elif frame.type is Opcode.PONG:
            if frame.data is not None and self._liveness is not None:  # None: a withheld message
                self._liveness.pong()
        elif frame.type is Opcode.CLOSE:
            code = frame.data
            # 0 is an empty frame, answered alike; 1006 and the like must not be sent back.
            self.outgoing.close(None if code == 0 else code if sendable(code) else PROTOCOL_ERROR)
            self.end(classify.close_frame(code, str(frame.extra or ""), self.sent_code))
            self.let_go()

    def connection_lost(self, error: Exception) -> None:
        """See `Wire.connection_lost`: an `EOFError` is the end of the stream."""
        if isinstance(error, EOFError):
            self.stream_ended()
        else:
            self.outgoing.close(classify.refusal_code(error))
            # The socket stays a moment: closing it with input unread would reset it, and the
            # peer might never see why.
            self.end(classify.refused_frame(error, self.sent_code))
            self.let_go(linger=True)

    def stream_ended(self) -> None:
        """Report the end of the stream, by the error of the connection if it had one."""
        lost = self.lost
        reset = lost.exception() if lost.done() and not lost.cancelled() else None
        self.end(classify.lost(reset, self.sent_code))
        self.let_go()

    def close(self, code: int, reason: str) -> None:
        """See `Wire.close`."""
        if self.over or self.closing:
            return
        self.outgoing.close(code, reason)
        self._end_liveness()
        self.wake()
        self.read_ahead()

    def drop(self) -> None:
        """See `Wire.drop`."""
        if self.lost.get_loop().is_closed():
            self._ticker.forget(self)
            close_without_loop(self.outgoing.layers)
        else:
            self._abort_transport()
        self.release()

    def release(self) -> None:
        """Close the socket, and what the library keeps for it; it may be called again."""
        self.transport.close()

    def probe(self) -> None:
        """See `Wire.probe`; a connection whose local address has gone is ended at once."""
        if self.over or self.closing:
            return
        gone = address_lost(self.transport)
        if gone is not None:
            self._give_up(Close.cut(Cause.RESET, error=gone))
        elif self._liveness is not None:
            self._liveness.probe()

    @property
    def closed(self) -> bool:
        """See `Wire.closed`."""
        return self.lost.done()

    async def wait_closed(self) -> None:
        """See `Wire.wait_closed`."""
        await asyncio.wait((self.lost,))

    def tick(self) -> float:
        """Look after the wire while no consumer reads: see `Ticking.tick`."""
        if not self._looked_after():
            return 0.0
        due = self.due()
        if not self._at_rest():
            return 0.0
        self.outgoing.sleeper = self
        return due

    def due(self) -> float:
        """See `Ticking.due`: to ping, or to set the timer that does."""
        return inf if self._liveness is None else self._liveness.tick()

    def _looked_after(self) -> bool:
        """Read, and send what waited; return whether the connection goes on."""
        if self.outgoing.closing:
            # The peer's FIN came while bytes of ours were queued: asyncio does not report it.
            self.drain_received()
            if not self.over:
                self._abort_transport()
            return False
        if self.full and not self.transport.is_reading():
            self._overrun()
        else:
            self._paused = False
        self.read_ahead()
        if self.over:
            return False
        self.outgoing.settle()
        return True

    def _at_rest(self) -> bool:
        """Whether somebody reads, and nothing waits to leave."""
        has_reader = self._reading is not None or self.attended
        return has_reader and not self.closing and self.outgoing.settled

    def wake(self) -> None:
        """See `Sleeper.wake` and `Wire.wake`."""
        self.outgoing.sleeper = None
        self._ticker.wake(self)

    def postpone(self, until: float) -> None:
        """See `Living.postpone`."""
        self._ticker.postpone(self, until)

    def _overrun(self) -> None:
        """Check whether the peer is still there; report once that reading has paused."""
        found = tcp_info(self.transport)
        if found is not None and not found.established:
            self.draining = True  # the bytes in the kernel are bounded
        elif not self._paused:
            self._paused = True
            if self._owner.backlogged is not None:
                self._owner.backlogged(self.unread)

    def ping(self, message: str | bytes | None) -> None:
        """See `Living.ping`."""
        if self._counted is not None:
            self._counted.mark()
        self.outgoing.ping(message)

    def last_received(self, now: float) -> float:
        """See `Living.last_received`."""
        if self._counted is not None:
            # Behind a full buffer nothing is read, so nothing can be counted.
            return now if self.full else self._counted.last_received(now)
        return last_received(self.transport, now)

    def last_exchange(self, now: float) -> float:
        """See `Living.last_exchange`; where frames are counted, nobody knows."""
        return -inf if self._counted is not None else last_exchange(self.transport, now)

    def condemned(self, error: Exception | None) -> None:
        """See `Living.condemned`: drop the socket, and report it in the same turn (F1)."""
        self._give_up(classify.condemned(error, self.sent_code))

    def pings_missed(self, count: int, *, answered_before: bool) -> None:
        """See `Living.pings_missed`."""
        if self._owner.pings_missed is not None:
            self._owner.pings_missed(count, answered_before)

    def deaf(self) -> None:
        """See `Living.deaf`."""
        self._give_up(classify.deaf(self.sent_code))

    def set_heartbeat(self, heartbeat: Heartbeat | None) -> None:
        """See `Wire.set_heartbeat`."""
        self._end_liveness()
        if heartbeat is not None and not self.over and not self.closing:
            self.postpone(self._judge(heartbeat).until)

    def _judge(self, heartbeat: Heartbeat) -> Liveness:
        """Begin to judge silence; where the kernel does not tell, frames are counted."""
        asked = self._owner.ask_kernel and kernel_tells(self.transport)
        if not asked and self._counted is None:
            self._counted = FrameCounter(self.read, self.transport)
            self.read: Read = self._counted.read
        self._liveness = Liveness(heartbeat, self)
        return self._liveness

    def _end_liveness(self) -> None:
        """Stop pinging and judging."""
        if self._liveness is not None:
            self._liveness.stop()
            self._liveness = None

    def _give_up(self, close: Close) -> None:
        """End the connection by this record, unless what had arrived has another (B2.3)."""
        if self.over:
            return
        if self._last_read is not None and self._last_read.read() and self.attended:
            # The consumer that waits is woken first.
            self.lost.get_loop().call_soon(self._drain_and_end, close, context=self.context)
        else:
            self._drain_and_end(close)

    def _drain_and_end(self, close: Close) -> None:
        if not self.over:
            self.drain_received()
        if not self.over:
            self.end(close)
            self.drop()

    def _lost(self, lost: "asyncio.Future[None]") -> None:
        if not lost.cancelled():
            lost.exception()  # retrieved, or asyncio reports it
        if self._release is not None:
            self._release.cancel()
        if not self.over:
            self.draining = True
            if self._waiter is None or not self._waiter.done():
                self.read_now()  # else the loop is about to go on with the read that waits
        self.release()
        self._ticker.forget(self)

    def finish(self) -> None:
        """See `Wire.finish`."""
        self.outgoing.stop()
        if self.undelivered.resend and self.unsent:
            end_writing(self.transport)  # a message that is sent again must not leave now
            self._abort_transport()
        self.outgoing.sleeper = None  # or each would keep the other alive
        if self._last_read is not None:
            self._last_read.wanted = False
        super().finish()
        self._end_liveness()
        self._ticker.discard(self)

    def let_go(self, *, linger: bool = False) -> None:
        """Close an ended socket within `RELEASE`; with `linger` wait for the peer to close it."""
        if not linger:
            self.release()
        if self.lost.done():
            return
        # A socket with nothing left to write is closed in the next turn, and needs no timer.
        self._release = self.lost.get_loop().call_soon(self._bound_release, context=self.context)

    def _bound_release(self) -> None:
        if not self.lost.done():
            self._release = self.lost.get_loop().call_later(RELEASE, self._abort_transport)

    def _abort_transport(self) -> None:
        if not self.lost.done():  # asyncio cannot abort a socket that is closed
            self.transport.abort()
