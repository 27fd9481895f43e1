"""Bad transports, each as one is easily written: for reading, and for tests. Not for use."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, cast

from aiohttp import ClientError, ClientSession

from recloser.fsm.record import Cause, Close
from recloser.testing.transports.law import MakeTransport
from recloser.transport.aiohttp_transport import AiohttpTransport
from recloser.transport.aiohttp_wire import AiohttpWire
from recloser.transport.base import Delivery, DialFailed, Frame, Request
from recloser.transport.errors import NotOpen
from recloser.transport.handshake import dial_failed
from recloser.transport.heartbeat import Heartbeat
from recloser.transport.upgrade import Upgrade

Ended = Callable[[Close], None]
Send = Callable[..., Coroutine[Any, Any, Delivery]]


class EchoesNormal(AiohttpTransport):
    """Tells the code that the library answered with, not the one that came."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        def told(close: Close) -> None:
            ended(replace(close, code=1000) if close.clean else close)

        return await super().dial(request, told)


class NoCodeIsNormal(AiohttpTransport):
    """Takes a close frame without a code for 1000."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        def told(close: Close) -> None:
            ended(replace(close, code=1000) if close.code == 1005 else close)

        return await super().dial(request, told)


class CleanEnds(AiohttpTransport):
    """Takes the end of the stream for a good-bye."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        def told(close: Close) -> None:
            ended(replace(close, clean=True) if close.cause is Cause.EOF else close)

        return await super().dial(request, told)


class RefusesInSilence(AiohttpTransport):
    """Does not say with which code it refused a frame."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        return await super().dial(request, lambda close: ended(replace(close, sent_code=None)))


class TellsTwice(AiohttpTransport):
    """Tells the end when the close frame comes, and again when the socket has gone."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        def told(close: Close) -> None:
            ended(close)
            asyncio.get_running_loop().call_soon(ended, close)

        return await super().dial(request, told)


class _ForgetfulWire(AiohttpWire):
    def end(self, close: Close) -> None:
        super().end(close)
        self.take_all()


class ForgetsTheLastWords(AiohttpTransport):
    """Clears its buffer when the connection ends."""

    wire_class: ClassVar[type[AiohttpWire]] = _ForgetfulWire


class _AbruptWire(AiohttpWire):
    def close(self, code: int, reason: str) -> None:
        del code, reason
        self.drop()


class ClosesTheSocket(AiohttpTransport):
    """Drops the socket where a close frame was asked for."""

    wire_class: ClassVar[type[AiohttpWire]] = _AbruptWire


class _PoliteWire(AiohttpWire):
    def drop(self) -> None:
        self.close(1001, "")


class AbortsPolitely(AiohttpTransport):
    """Waits for the peer's close frame also when it is told to abort."""

    wire_class: ClassVar[type[AiohttpWire]] = _PoliteWire


class _ImpatientWire(AiohttpWire):
    @property
    def send(self) -> Send:
        return self._at_once

    async def _at_once(self, message: str | bytes, item: object = None) -> Delivery:
        sending = asyncio.ensure_future(super().send(message, item))
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0)
        return sending.result() if sending.done() else Delivery.SENT


class NeverWaits(AiohttpTransport):
    """Hands each message to a task, and says that it was sent."""

    wire_class: ClassVar[type[AiohttpWire]] = _ImpatientWire


class _OptimisticWire(AiohttpWire):
    @property
    def send(self) -> Send:
        return self._always

    async def _always(self, message: str | bytes, item: object = None) -> Delivery:
        try:
            return await super().send(message, item)
        except NotOpen:
            return Delivery.SENT


class SwallowsLateMessages(AiohttpTransport):
    """Says that what came after the close was sent."""

    wire_class: ClassVar[type[AiohttpWire]] = _OptimisticWire


class _ForgivingWire(AiohttpWire):
    def unsent_messages(self) -> list[Any]:
        return []


class WrittenIsSent(AiohttpTransport):
    """Counts what was written to the library as sent."""

    wire_class: ClassVar[type[AiohttpWire]] = _ForgivingWire


class _DenyingWire(AiohttpWire):
    @property
    def has_sent(self) -> bool:
        return False


class ForgetsThatItSent(AiohttpTransport):
    """Says that nothing has left before the messages that are unsent."""

    wire_class: ClassVar[type[AiohttpWire]] = _DenyingWire


class _HastyWire(AiohttpWire):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        inner = self.read

        async def read() -> Frame:
            frame = await inner()
            await asyncio.sleep(0)  # "let others run"
            return frame

        self.read = read


class LosesOnCancel(AiohttpTransport):
    """Has a frame in hand while it waits once more; a cancellation there loses it."""

    wire_class: ClassVar[type[AiohttpWire]] = _HastyWire


class _SleepyWire(AiohttpWire):
    def read_ahead(self) -> None:
        if self.over or self.closing:
            super().read_ahead()


class ReadsOnRequest(AiohttpTransport):
    """Reads only while somebody receives."""

    wire_class: ClassVar[type[AiohttpWire]] = _SleepyWire


class _GreedyWire(AiohttpWire):
    def tick(self) -> float:
        self.draining = True
        return super().tick()


class ReadsWithoutBound(AiohttpTransport):
    """Reads all that comes into memory."""

    wire_class: ClassVar[type[AiohttpWire]] = _GreedyWire


class _DeafWire(AiohttpWire):
    def intercept(self, interceptor: Callable[[str | bytes], object]) -> None:
        del interceptor


class ForgetsInterceptors(AiohttpTransport):
    """Shows messages to consumers alone."""

    wire_class: ClassVar[type[AiohttpWire]] = _DeafWire


class TrustsSilence(AiohttpTransport):
    """Has no use for a heartbeat: TCP will tell."""

    def __init__(self, *, heartbeat: Heartbeat | None = None, **options: Any) -> None:
        del heartbeat
        super().__init__(heartbeat=None, **options)


class TrustsAnybody(AiohttpTransport):
    """Turns certificates off, as one does while developing."""

    def __init__(self, *, ssl: ssl.SSLContext | bool = True, **options: Any) -> None:
        del ssl
        super().__init__(ssl=False, **options)


class ForgetsTheAnswer(AiohttpTransport):
    """Tells a refused upgrade as a dial that failed somehow."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        try:
            return await super().dial(request, ended)
        except DialFailed as failed:
            raise DialFailed(replace(failed.close, status=None, headers={})) from None


class RaisesAsItComes(AiohttpTransport):
    """Raises what the library raised, where the engine expects a record."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        try:
            return await super().dial(request, ended)
        except DialFailed as failed:
            raise failed.close.error or failed from None


class DialsOnItsOwn(AiohttpTransport):
    """Shields a dial, so that a cancelled one goes on."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        return await asyncio.shield(super().dial(request, ended))


class _TextAsBytesWire(AiohttpWire):
    @property
    def send(self) -> Send:
        return self._encoded

    async def _encoded(self, message: str | bytes, item: object = None) -> Delivery:
        data = message.encode() if isinstance(message, str) else message
        return await super().send(data, item)


class SendsBytes(AiohttpTransport):
    """Encodes text, and sends all as bytes."""

    wire_class: ClassVar[type[AiohttpWire]] = _TextAsBytesWire


class TakesAnyUpgrade(AiohttpTransport):
    """Leaves the handshake to the library, which checks a part of it."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        session = ClientSession(ws_response_class=cast("Any", Upgrade))
        try:
            upgrade = await session.ws_connect(request.url, protocols=request.subprotocols)
            return AiohttpWire(cast("Upgrade", upgrade), ended, self)
        except ClientError as error:
            now = datetime.now(UTC)
            raise DialFailed(dial_failed(error, secure=False, now=now)) from None
        finally:
            await session.close()


class AsksForNothing(AiohttpTransport):
    """Dials the URL, without the headers and subprotocols of the request."""

    async def dial(self, request: Request, ended: Ended) -> AiohttpWire:
        return await super().dial(Request(request.url), ended)


@dataclass(frozen=True, slots=True)
class TransportExhibit:
    """A bad transport, and the law that it breaks."""

    make: MakeTransport
    law: str


TRANSPORT_GALLERY: Final = (
    TransportExhibit(EchoesNormal, "close-frame"),
    TransportExhibit(NoCodeIsNormal, "no-code"),
    TransportExhibit(CleanEnds, "no-close-frame"),
    TransportExhibit(RefusesInSilence, "refused-frame"),
    TransportExhibit(ForgetsTheLastWords, "messages-before-the-close"),
    TransportExhibit(ClosesTheSocket, "own-close"),
    TransportExhibit(AbortsPolitely, "abort-frees"),
    TransportExhibit(TellsTwice, "told-once"),
    TransportExhibit(SendsBytes, "kinds-and-order"),
    TransportExhibit(LosesOnCancel, "cancelled-receive"),
    TransportExhibit(ReadsOnRequest, "unattended"),
    TransportExhibit(ReadsWithoutBound, "bounded-reading"),
    TransportExhibit(NeverWaits, "back-pressure"),
    TransportExhibit(SwallowsLateMessages, "late-sends"),
    TransportExhibit(WrittenIsSent, "unsent-account"),
    TransportExhibit(ForgetsThatItSent, "unsent-account"),
    TransportExhibit(ForgetsInterceptors, "intercept"),
    TransportExhibit(TrustsSilence, "liveness"),
    TransportExhibit(ForgetsTheAnswer, "refused-upgrade"),
    TransportExhibit(RaisesAsItComes, "nobody-listens"),
    TransportExhibit(AsksForNothing, "as-asked"),
    TransportExhibit(TakesAnyUpgrade, "handshake"),
    TransportExhibit(DialsOnItsOwn, "cancelled-dial"),
    TransportExhibit(TrustsAnybody, "tls"),
)
"""All exhibits; the tests hold each against its law."""
