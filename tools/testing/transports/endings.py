"""Laws of how a connection ends: what the record says, and that it is told once."""

import asyncio
from typing import Final

from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.doubles.raw_server import close_frame, frame, text
from recloser.testing.transports.law import Stage, TransportLaw, hold, until, within

_CODES: Final = ((1000, ""), (1001, "bye"), (1008, "no"), (1011, ""), (1012, "restart"))
_PRIVATE: Final = ((3000, "sign in"), (4401, "token expired"), (4999, ""))


def _matches(close: Close, **wanted: object) -> None:
    for name, value in wanted.items():
        found = getattr(close, name)
        hold(found == value, f"the record says {name} {found!r} where {value!r} is true")


async def _close_frame(stage: Stage) -> None:
    for code, reason in (*_CODES, *_PRIVATE):
        async with stage.line() as line:
            stage.note(f"the peer closes with {code} {reason!r}".rstrip(" '"))
            await line.peer.send(close_frame(code, reason))
            seen = await within(line.peer.close_seen(), "the close frame was not answered")
            hold(seen[0] == code, f"{code} was answered with {seen[0]}")
            line.peer.fin()
            close = await line.end()
            _matches(close, code=code, reason=reason, clean=True)
            _matches(close, origin=Origin.PEER, cause=Cause.CLOSE_FRAME)


CLOSE_FRAME: Final = TransportLaw(
    name="close-frame",
    claim="The record has the code and the reason that the peer's close frame has.",
    why="Every decision rests on the code; a library's own property says 1000 or 1006 for all.",
    clauses=("B1.1", "B2.2"),
    incident="aiohttp echoes 1000 whatever the peer said, and keeps that as close_code",
    check=_close_frame,
)


async def _no_code(stage: Stage) -> None:
    async with stage.line() as line:
        stage.note("the peer sends a close frame without a code")
        await line.peer.send(close_frame())
        _matches(await line.end(), code=1005, clean=True, cause=Cause.CLOSE_FRAME)


NO_CODE: Final = TransportLaw(
    name="no-code",
    claim="A close frame without a code is 1005 and clean.",
    why="It is a good-bye, not a broken line (RFC 6455 section 7.1.5).",
    clauses=("B1.2",),
    check=_no_code,
)


async def _no_close_frame(stage: Stage) -> None:
    async with stage.line() as line:
        stage.note("the peer ends the stream without a close frame")
        line.peer.fin()
        close = await line.end()
        _matches(close, code=1006, clean=False, origin=Origin.NETWORK, cause=Cause.EOF)
    async with stage.line() as line:
        stage.note("the peer resets the connection")
        line.peer.reset()
        close = await line.end()
        _matches(close, code=1006, clean=False, origin=Origin.NETWORK, cause=Cause.RESET)


NO_CLOSE_FRAME: Final = TransportLaw(
    name="no-close-frame",
    claim="A stream that ends without a close frame is 1006, not clean, and the network's.",
    why="Nobody said good-bye; a policy comes back at once after such an end.",
    clauses=("B1.3", "B2.2"),
    check=_no_close_frame,
)


async def _refused_frame(stage: Stage) -> None:
    for what, data, code, cause in (
        ("a frame with a reserved bit", frame(1, b"x", rsv=0x40), 1002, Cause.PROTOCOL),
        ("text that is no UTF-8", frame(1, b"\xff"), 1007, Cause.PROTOCOL),
        ("a message above the limit", text("x" * 5000), 1009, Cause.TOO_BIG),
    ):
        async with stage.line(max_message_size=1000) as line:
            stage.note(f"the peer sends {what}")
            await line.peer.send(data)
            seen = await within(line.peer.close_seen(), "the peer was not told why")
            hold(seen[0] == code, f"the peer was told {seen[0]} where {code} is true")
            line.peer.fin()
            close = await line.end()
            _matches(close, code=1006, sent_code=code, cause=cause, origin=Origin.ENGINE)


REFUSED_FRAME: Final = TransportLaw(
    name="refused-frame",
    claim="A frame that cannot be taken ends the connection with 1002, 1007 or 1009, and says so.",
    why="The same bytes come again after each reconnect; a policy has to know who refused them.",
    clauses=("B1.5",),
    check=_refused_frame,
)


async def _before_close(stage: Stage) -> None:
    said = [str(number) for number in range(20)]
    data = b"".join(map(text, said)) + close_frame(1012, "restart")
    for consumed in (True, False):
        async with stage.line() as line:
            stage.note("20 messages, a close frame and the end of the stream arrive at once")
            if not consumed:
                stage.note("nobody receives at that moment")
            await line.peer.send(data)
            line.peer.fin()
            if consumed:
                found = await line.all()
                close = await line.end()
            else:
                close = await line.end()
                found = await line.all()
            hold(found == said, f"{len(found)} of 20 messages were delivered")
            _matches(close, code=1012, clean=True)


BEFORE_CLOSE: Final = TransportLaw(
    name="messages-before-the-close",
    claim="What arrived before the end is delivered, and the close frame behind it is the record.",
    why="Servers say the last words and hang up in one breath.",
    clauses=("B2", "F7.1"),
    check=_before_close,
)


async def _own_close(stage: Stage) -> None:
    async with stage.line() as line:
        stage.note("the engine closes with 4000 'moved', twice")
        line.wire.close(4000, "moved")
        line.wire.close(4001, "again")
        seen = await within(line.peer.close_seen(), "the close frame did not reach the peer")
        hold(seen == (4000, "moved"), f"the peer saw {seen}")
        stage.note("the peer answers with 1001")
        await line.peer.send(close_frame(1001))
        _matches(await line.end(), code=1001, sent_code=4000, clean=True)


OWN_CLOSE: Final = TransportLaw(
    name="own-close",
    claim="close() writes one close frame; the record has the code sent and the code received.",
    why="They are different facts: the peer may answer with another code.",
    clauses=("A6.1", "A12.2"),
    check=_own_close,
)


async def _abort(stage: Stage) -> None:
    async with stage.line() as line:
        stage.note("the engine closes; the peer never answers; the engine aborts")
        line.wire.close(1000, "")
        line.wire.abort()
        await within(line.wire.wait_closed(), "wait_closed() did not return after abort()")
        hold(await within(line.peer.gone(), "the socket stayed open after abort()"), "")
        hold(not line.told, "an end was told although the engine had aborted")


ABORT: Final = TransportLaw(
    name="abort-frees",
    claim="abort() frees the descriptor at once, whatever the peer does, and tells nobody.",
    why="The engine keeps the deadline of a close; a socket that lingers is a leak.",
    clauses=("A4.2", "J1.2"),
    check=_abort,
)


async def _told_once(stage: Stage) -> None:
    async with stage.line() as line:
        stage.note("a close frame, a second one, and a reset arrive")
        await line.peer.send(close_frame(4001) + close_frame(4002))
        line.peer.reset()
        await until(lambda: line.told, "the end was not told")
        await line.all()
        stage.note("the engine closes and aborts what has ended")
        line.wire.close(1000, "")
        line.wire.abort()
        await within(line.wire.wait_closed(), "wait_closed() did not return")
        await asyncio.sleep(0)
        hold(len(line.told) == 1, f"the end was told {len(line.told)} times")
        _matches(line.told[0], code=4001)


TOLD_ONCE: Final = TransportLaw(
    name="told-once",
    claim="The end is told exactly once, and the first close frame is the one that counts.",
    why="Each record asks the policy; two records are two dials.",
    clauses=("A7", "C1"),
    check=_told_once,
)


LAWS: Final = (
    CLOSE_FRAME,
    NO_CODE,
    NO_CLOSE_FRAME,
    REFUSED_FRAME,
    BEFORE_CLOSE,
    OWN_CLOSE,
    ABORT,
    TOLD_ONCE,
)
