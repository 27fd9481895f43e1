"""Laws of messages: received, sent, counted, and kept alive."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from recloser.fsm.record import Cause
from recloser.testing.doubles.raw_server import PING, PONG, frame, text
from recloser.testing.transports.law import Stage, TransportLaw, hold, until, within
from recloser.transport.base import Delivery
from recloser.transport.errors import NotOpen
from recloser.transport.heartbeat import Heartbeat

_BEAT: Final = Heartbeat(interval=0.2, timeout=0.2)
_BLOCK: Final = 64 * 1024
_MANY: Final = 512
"""Blocks: 32 MiB, more than the kernels of both sides hold."""


async def _kinds(stage: Stage) -> None:
    sent: tuple[str | bytes, ...] = ("a", b"b", "ü\0", b"", "x" * 200, b"y" * 70_000)
    async with stage.line() as line:
        stage.note("texts and bytes of several sizes go both ways")
        for message in sent:
            hold(await line.wire.send(message) is Delivery.SENT, "send() did not answer SENT")
        for message in sent:
            opcode, payload = await within(line.peer.frame(), "a message did not arrive")
            found = payload.decode() if opcode == 1 else payload
            hold(found == message, f"{message!r:.40} arrived as {found!r:.40}")
            await line.peer.send(frame(opcode, payload))
        for message in sent:
            back = await within(line.receive(), "a message was not delivered")
            hold(back == message, f"{message!r:.40} was delivered as {back!r:.40}")
        for wrong in (5, None, ["a"]):
            try:
                await line.wire.send(wrong)  # type: ignore[arg-type] # wrong on purpose
            except TypeError:
                continue
            hold(condition=False, problem=f"send({wrong!r}) did not raise TypeError")


KINDS: Final = TransportLaw(
    name="kinds-and-order",
    claim="Text stays text, bytes stay bytes, and the order is kept, both ways.",
    why="An application parses by kind.",
    clauses=("G3.1",),
    check=_kinds,
)


async def _cancelled(stage: Stage) -> None:
    async with stage.line() as line:
        stage.note("a consumer is cancelled while it waits, again and again")
        said = [str(number) for number in range(1, 10, 2)]
        received: list[str | bytes | None] = []
        for number in range(10):
            waiting = asyncio.ensure_future(line.receive())
            await asyncio.sleep(0)
            if number % 2:
                await line.peer.send(text(str(number)))
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                received.append(await waiting)  # the message came first
        while len(received) < len(said):
            lost = f"{said[len(received)]!r} was lost by a cancelled receive"
            received.append(await within(line.receive(), lost))
        hold(received == said, f"{received} was delivered where {said} was sent")
        hold(not line.told, "cancelling a receive ended the connection")


CANCELLED: Final = TransportLaw(
    name="cancelled-receive",
    claim="Cancelling a receive loses no message and ends nothing.",
    why="Every time-out cancels.",
    clauses=("F8.1",),
    incident="aiohttp's receive() takes a cancellation for the end of the connection",
    check=_cancelled,
)


async def _unattended(stage: Stage) -> None:
    async with stage.line() as line:
        stage.note("nobody receives; the peer sends a message and a ping")
        await line.peer.send(text("kept") + frame(PING, b"?"))
        opcode, payload = await within(line.peer.frame(), "the ping was not answered")
        hold((opcode, payload) == (PONG, b"?"), f"the ping was answered by {opcode} {payload!r}")
        await until(lambda: line.wire.unread == 1, "the message is not counted as unread")
        hold(line.wire.take() == "kept", "the message was lost")


UNATTENDED: Final = TransportLaw(
    name="unattended",
    claim="When nobody receives, pings are answered and messages are kept.",
    why="A consumer that works on one message for a minute must not lose the connection.",
    clauses=("F7.1",),
    check=_unattended,
)


async def _bounded(stage: Stage) -> None:
    async with stage.line() as line:
        stage.note("nobody receives; the peer sends 32 MiB")

        async def pour() -> None:
            with suppress(ConnectionError):
                for _ in range(_MANY):
                    await line.peer.send(frame(2, bytes(_BLOCK)))

        pouring = asyncio.ensure_future(pour())
        done, _ = await asyncio.wait({pouring}, timeout=1.0)
        pouring.cancel()
        await asyncio.wait({pouring})
        hold(not done, "32 MiB were read into memory for a consumer that takes nothing")


BOUNDED: Final = TransportLaw(
    name="bounded-reading",
    claim="What nobody takes is bounded: reading stops, and the peer has to wait.",
    why="A slow consumer must not be the end of the process.",
    clauses=("F7.2",),
    check=_bounded,
)


async def _back_pressure(stage: Stage) -> None:
    async with stage.line(receive_buffer=4096) as line:
        stage.note("the peer reads nothing; 32 MiB are sent")

        async def pour() -> int:
            for number in range(_MANY):
                try:
                    await line.wire.send(bytes(_BLOCK))
                except ConnectionError:
                    return number
            return _MANY

        pouring = asyncio.ensure_future(pour())
        done, _ = await asyncio.wait({pouring}, timeout=1.0)
        hold(not done, "send() never waits, although the peer reads nothing")
        stage.note("the engine aborts while the sender waits")
        line.wire.abort()
        await within(pouring, "a sender that waited was not released by abort()")


BACK_PRESSURE: Final = TransportLaw(
    name="back-pressure",
    claim="send() waits while the peer does not read, and the end releases it with an error.",
    why="Without it a slow peer fills the memory; a sender that never wakes hangs the service.",
    clauses=("A4.3", "G1.1"),
    check=_back_pressure,
)


async def _late(stage: Stage) -> None:
    async with stage.line() as line:
        line.wire.close(1000, "")
        stage.note("a message is sent after close()")
        try:
            await line.wire.send("late")
        except NotOpen:
            stage.note("it is refused")
        else:
            hold(condition=False, problem="send() after close() did not raise NotOpen")
        kept: list[Any] = []

        async def keep(message: Any) -> Delivery:
            kept.append(message)
            return Delivery.QUEUED

        line.wire.on_undeliverable(keep, resend=True)
        item = object()
        found = [await line.wire.send("late"), await line.wire.send("later", item)]
        hold(found == [Delivery.QUEUED] * 2, "the outcome is not that of on_undeliverable")
        hold(kept == ["late", item], "what came too late was not given to on_undeliverable")


LATE: Final = TransportLaw(
    name="late-sends",
    claim="What is sent after close() goes to on_undeliverable, or raises NotOpen.",
    why="Between the end and the news of it a message must not vanish.",
    clauses=("G1.1",),
    check=_late,
)


async def _unsent(stage: Stage) -> None:
    for secure in (False, True):
        async with stage.line(secure=secure, receive_buffer=4096) as line:
            wire = line.wire

            async def keep(message: Any) -> Delivery:
                del message
                return Delivery.QUEUED

            wire.on_undeliverable(keep, resend=True)
            count = 200
            stage.note(f"the peer reads nothing; {count} tasks send 64 KiB each")
            size = _BLOCK
            sending = [
                asyncio.ensure_future(wire.send(number.to_bytes(4) + bytes(size), number))
                for number in range(count)
            ]
            await asyncio.wait(sending, timeout=0.3)
            accepted = {
                number for number, task in enumerate(sending) if task.done() and task.result()
            }
            stage.note("the connection is dropped")
            wire.abort()
            await within(asyncio.wait(sending), "a sender was not released")
            accepted = {number for number, task in enumerate(sending) if not task.exception()}
            unsent, begun = wire.unsent_messages(), wire.begun
            forgotten = wire.has_sent
            stage.note("the peer reads what had left")
            arrived = set[int]()
            with suppress(EOFError, ConnectionError, OSError):
                while True:
                    opcode, payload = await line.peer.frame()
                    if opcode == 2:  # noqa: PLR2004 - a binary frame
                        arrived.add(int.from_bytes(payload[:4]))
            lost = accepted.difference(unsent, arrived)
            hold(
                not lost,
                f"{len(lost)} of {len(accepted)} accepted messages never arrived and are not "
                "among the unsent",
            )
            early = arrived.intersection(unsent[begun:])
            hold(not early, f"of {len(early)} messages that arrived nothing had left, says begun")
            hold(forgotten or arrived.issubset(unsent), "messages have left, and has_sent is False")


UNSENT: Final = TransportLaw(
    name="unsent-account",
    claim="What was accepted has left, or is among unsent_messages(): too many, never too few. "
    "begun and has_sent do not deny what has left.",
    why="The outbox sends them again; one that is missing there is lost without a word. And it "
    "drops the one that the peer must have refused.",
    clauses=("G1.2", "G4.1"),
    check=_unsent,
    incident="over TLS, 60 of 120 messages: what has not left was counted as sent",
)


async def _intercept(stage: Stage) -> None:
    async with stage.line() as line:
        seen: list[str | bytes] = []

        def ack(message: str | bytes) -> str | bytes | None:
            seen.append(message)
            return None if str(message).startswith("ack") else message

        await line.peer.send(text("a"))
        line.wire.intercept(ack)
        stage.note("an interceptor keeps every message that begins with 'ack'")
        await line.peer.send(text("ack 1") + text("b") + text("ack 2"))
        await until(lambda: len(seen) == 4, "not every message was shown to the interceptor")  # noqa: PLR2004 - the four above
        found = [await within(line.receive(), "a message was not delivered") for _ in range(2)]
        hold(found == ["a", "b"], f"the consumer got {found}")
        hold(seen == ["a", "ack 1", "b", "ack 2"], f"the interceptor saw {seen}")


INTERCEPT: Final = TransportLaw(
    name="intercept",
    claim="An interceptor sees each message once, before any consumer, whoever reads.",
    why="An acknowledgement must be heard while the consumer is busy.",
    clauses=("G7.5",),
    check=_intercept,
)


async def _silence(stage: Stage) -> None:
    async with stage.line(heartbeat=_BEAT) as line:
        stage.note("a heartbeat of 0.2 s; the peer answers nothing")
        await until(lambda: line.told, "the silence was not noticed")
        close = await line.end()
        hold(close.cause is Cause.HEARTBEAT, f"the cause is {close.cause.value}")
    async with stage.line(heartbeat=_BEAT) as line:
        stage.note("a heartbeat of 0.2 s; the peer answers every ping")
        for _ in range(4):
            opcode, payload = await within(line.peer.frame(), "no ping went out")
            hold(opcode == PING, f"opcode {opcode} came where a ping was due")
            await line.peer.send(frame(PONG, payload))
        hold(not line.told, "a peer that answers was condemned")


SILENCE: Final = TransportLaw(
    name="liveness",
    claim="A peer that is silent is noticed within the heartbeat; one that answers is left alone.",
    why="A dead line sends nothing; without pings it looks like a quiet one for hours.",
    clauses=("F1", "F2"),
    check=_silence,
)


LAWS: Final = (
    KINDS,
    CANCELLED,
    UNATTENDED,
    BOUNDED,
    BACK_PRESSURE,
    LATE,
    UNSENT,
    INTERCEPT,
    SILENCE,
)
