"""Laws of a dial: what is asked for, what is refused, and what is left behind."""

import asyncio
import ssl
from typing import Final

from recloser.fsm.record import Cause, Close, Origin
from recloser.testing.doubles.raw_server import RawPeer, accept_key, close_frame, frame, text
from recloser.testing.transports.law import LawBroken, Stage, TransportLaw, hold, within
from recloser.transport.base import DialFailed, Request

GOOD: Final = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: {}\r\n"
)


def _unheard(close: Close) -> None:
    del close


async def _opened(stage: Stage, answer: str, *, subprotocols: tuple[str, ...] = ()) -> bool:
    """Dial, and answer the upgrade by these lines; whether the connection opened."""
    try:
        await _refusal(stage, answer, subprotocols=subprotocols)
    except LawBroken:
        return True
    return False


async def _refusal(stage: Stage, answer: str, *, subprotocols: tuple[str, ...] = ()) -> Close:
    """Dial, answer the upgrade by these lines, and give the record of the refusal."""
    async with stage.server() as server, stage.transport() as transport:

        async def play() -> RawPeer:
            peer = await server.accept()
            await peer.request()
            key = accept_key(peer.head["sec-websocket-key"])
            await peer.send((answer.format(key) + "\r\n").encode())
            return peer

        request = Request(server.url, subprotocols=subprotocols)
        playing = asyncio.ensure_future(play())
        try:
            wire = await within(transport.dial(request, _unheard), "the dial did not return")
        except DialFailed as failed:
            return failed.close
        finally:
            await within(playing, "nothing was dialled")
        wire.abort()
        await within(wire.wait_closed(), "wait_closed() did not return after abort()")
    raise LawBroken("the connection opened")


async def _refused(stage: Stage) -> None:
    stage.note("the upgrade is answered by 503, Retry-After: 7")
    close = await _refusal(
        stage, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nX-Zone: eu\r\nContent-Length: 0\r\n"
    )
    hold(close.status == 503, f"the record says status {close.status}")  # noqa: PLR2004 - as sent
    hold(close.headers.get("x-zone") == "eu", "the record lacks the headers of the answer")
    hold(close.retry_after == 7.0, f"the record says Retry-After {close.retry_after}")  # noqa: PLR2004 - as sent
    hold(close.origin is Origin.PEER, f"the record says origin {close.origin.value}")
    hold(close.cause is Cause.REFUSED, f"the record says cause {close.cause.value}")


REFUSED: Final = TransportLaw(
    name="refused-upgrade",
    claim="A refused upgrade has status, headers (names in lower case) and Retry-After.",
    why="401, 404 and 503 need three different answers.",
    clauses=("B7",),
    check=_refused,
)


async def _nobody(stage: Stage) -> None:
    async with stage.server() as server:
        url = server.url
    async with stage.transport() as transport:
        stage.note("nobody listens")
        try:
            await within(transport.dial(Request(url), _unheard), "the dial hangs")
        except DialFailed as failed:
            close = failed.close
            hold(close.cause is Cause.TCP, f"the record says cause {close.cause.value}")
            hold(close.origin is Origin.NETWORK, f"the record says origin {close.origin.value}")
            hold(close.code == 1006, f"the record says code {close.code}")  # noqa: PLR2004 - RFC 6455
        else:
            hold(condition=False, problem="a dial that nobody answers did not raise DialFailed")


NOBODY: Final = TransportLaw(
    name="nobody-listens",
    claim="A dial that finds nobody raises DialFailed with a record.",
    why="It is the commonest end of all, and the policy is asked about it.",
    clauses=("B3",),
    check=_nobody,
)


async def _asked(stage: Stage) -> None:
    def request(url: str) -> Request:
        return Request(f"{url}?q=1", headers={"X-Own": "yes"}, subprotocols=("v2", "v1"))

    headers = "Sec-WebSocket-Protocol: v1\r\nX-Zone: eu\r\n"
    async with stage.line(request=request, headers=headers) as line:
        stage.note("a dial with a query, a header and the subprotocols v2, v1; the peer takes v1")
        head, first = line.peer.head, line.peer.request_line
        hold(first.split(" ")[1].endswith("?q=1"), f"the request says {first!r}")
        hold(head.get("x-own") == "yes", "the header was not sent")
        offered = [each.strip() for each in head.get("sec-websocket-protocol", "").split(",")]
        hold(offered == ["v2", "v1"], f"the subprotocols offered are {offered}")
        hold(line.wire.subprotocol == "v1", f"the wire says subprotocol {line.wire.subprotocol!r}")
        hold(line.wire.headers.get("x-zone") == "eu", "the wire lacks the headers of the answer")


ASKED: Final = TransportLaw(
    name="as-asked",
    claim="The request carries query, headers and subprotocols; the answer's are there to read.",
    why="Credentials travel in them.",
    clauses=("E1",),
    check=_asked,
)


async def _invalid(stage: Stage) -> None:
    for what, answer in (
        ("a wrong accept key", GOOD.replace("{}", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        ("a subprotocol that was not offered", GOOD + "Sec-WebSocket-Protocol: v3\r\n"),
        ("an extension that was not offered", GOOD + "Sec-WebSocket-Extensions: x-own\r\n"),
    ):
        stage.note(f"the upgrade is answered with {what}")
        close = await _refusal(stage, answer, subprotocols=("v2", "v1"))
        hold(close.cause is Cause.PROTOCOL, f"the record says cause {close.cause.value}")
        hold(close.origin is Origin.ENGINE, f"the record says origin {close.origin.value}")
    stage.note("the upgrade is answered with Connection: keep-alive, Upgrade")
    listed = GOOD.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade")
    hold(await _opened(stage, listed), "a valid answer was refused")


INVALID: Final = TransportLaw(
    name="handshake",
    claim="An answer that RFC 6455 section 4.1 forbids fails the dial; one that it allows opens.",
    why="A proxy that upgrades anything is not the server.",
    clauses=("B1.7",),
    check=_invalid,
)


async def _cancelled(stage: Stage) -> None:
    async with stage.server() as server, stage.transport() as transport:
        stage.note("the engine gives up a dial whose upgrade is not answered")
        dial = asyncio.ensure_future(transport.dial(Request(server.url), _unheard))
        peer = await within(server.accept(), "nothing was dialled")
        await within(peer.request(), "no upgrade was asked for")
        dial.cancel()
        await within(asyncio.wait({dial}), "a cancelled dial does not end")
        hold(dial.cancelled(), "a cancelled dial ended in another way")
        await within(peer.gone(), "the socket of a cancelled dial stays open")


CANCELLED: Final = TransportLaw(
    name="cancelled-dial",
    claim="Cancelling a dial frees its socket.",
    why="close() during a dial must open nothing and leak nothing.",
    clauses=("A5.1",),
    check=_cancelled,
)


async def _tls(stage: Stage) -> None:
    async with stage.line(secure=True) as line:
        await line.peer.send(text("over TLS") + frame(2, b"x" * 100_000) + close_frame(4001))
        found = await line.all()
        hold(found == ["over TLS", b"x" * 100_000], "messages over TLS differ")
        hold((await line.end()).code == 4001, "the close code over TLS differs")  # noqa: PLR2004 - as sent
    stage.note("the server shows a certificate that the client does not trust")
    async with stage.server(secure=True) as server, stage.transport() as transport:

        async def greet() -> None:
            peer = await server.accept()
            try:
                await peer.start_tls()
            except (ssl.SSLError, ConnectionError):
                stage.note("the handshake fails")

        greeting = asyncio.ensure_future(greet())
        try:
            await within(transport.dial(Request(server.url), _unheard), "the dial hangs")
        except DialFailed as failed:
            close = failed.close
            hold(close.code == 1015, f"the record says code {close.code}")  # noqa: PLR2004 - RFC 6455
            hold(close.cause is Cause.TLS, f"the record says cause {close.cause.value}")
        else:
            hold(condition=False, problem="an unknown certificate was trusted")
        finally:
            await asyncio.wait({greeting})


TLS: Final = TransportLaw(
    name="tls",
    claim="All of this holds over TLS, and a certificate that is not trusted is 1015.",
    why="Nearly every connection is wss.",
    clauses=("B1.4",),
    check=_tls,
)


LAWS: Final = (REFUSED, NOBODY, ASKED, INVALID, CANCELLED, TLS)
