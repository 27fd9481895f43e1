"""One session for all transports of a loop that were lent none (J1, J2)."""

import asyncio
import gc
import socket
import threading
import warnings
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

import recloser
from recloser.fsm.record import Origin
from recloser.testing.doubles.raw_server import RawServer as Server
from recloser.testing.doubles.raw_server import close_frame
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, Request, sessions
from recloser.transport.proxies import SocksProxy
from tests.transport.conftest import open_sockets
from tests.transport.link import linked, timers, turns

Factory = Callable[[], asyncio.AbstractEventLoop]


def session_of(transport: AiohttpTransport) -> ClientSession:
    (share,) = transport._shares
    return share.session


async def opened(transport: AiohttpTransport, server: Server, headers: str = "") -> Any:
    """A wire, and the head that the peer was sent."""
    dial = asyncio.create_task(transport.dial(Request(server.url), lambda close: None))
    peer = await server.accept()
    await peer.upgrade(headers=headers)
    return await dial, peer


async def dialled(transport: AiohttpTransport, server: Server) -> ClientSession:
    """Dial once and drop the wire; the session that served."""
    wire, _ = await opened(transport, server)
    wire.abort()
    await wire.wait_closed()
    return session_of(transport)


@pytest.mark.spec("J1.2")
async def test_the_transports_of_a_loop_share_a_session_that_the_last_one_closes(
    loop_factory: Factory,
) -> None:
    before, tasks, set_timers = open_sockets(), asyncio.all_tasks(), timers()
    async with serving() as server:
        transports = [AiohttpTransport(heartbeat=None) for _ in range(3)]
        first = {await dialled(transport, server) for transport in transports}
        assert len(first) == 1
        (session,) = first
        for transport in transports[:2]:
            await transport.aclose()
            await transport.aclose()
        assert not session.closed
        again = await dialled(transports[0], server)
        assert again is session
        await transports[2].aclose()
        assert not session.closed
        await transports[0].aclose()
        assert session.closed
        assert dict(sessions._shared) == {}
        new = await dialled(transports[0], server)
        assert new is not session
        await transports[0].aclose()
    assert (open_sockets(), asyncio.all_tasks(), timers()) == (before, tasks, set_timers)


@pytest.mark.spec("A11.4", "A11.5", "J1.2")
async def test_nothing_stays_of_engines_that_were_lent_none(loop_factory: Factory) -> None:
    tasks, set_timers = asyncio.all_tasks(), timers()
    async with serving() as server:
        before = open_sockets()
        engines, peers = [recloser.connect(server.url) for _ in range(3)], []
        for ws in engines:
            ws.connect()
            peers.append(await server.accept())
            await peers[-1].upgrade()
            await ws.wait_for(recloser.State.OPEN)
        assert len(sessions._shared) == 1
        for ws, peer in zip(engines, peers, strict=True):
            closing = asyncio.create_task(ws.close())
            await peer.close_seen()
            await peer.send(close_frame(1000))
            await closing
            peer.sock.close()
        assert dict(sessions._shared) == {}
        assert (open_sockets(), asyncio.all_tasks(), timers()) == (before, tasks, set_timers)


async def test_no_transport_is_told_the_cookies_of_another() -> None:
    async with serving() as server:
        giver, other = (AiohttpTransport(heartbeat=None) for _ in range(2))
        for transport in (giver, other, giver):
            wire, peer = await opened(transport, server, "Set-Cookie: seen=1; Path=/\r\n")
            assert "cookie" not in peer.head
            wire.abort()
            await wire.wait_closed()
        await giver.aclose()
        await other.aclose()


async def test_one_session_holds_more_sockets_than_aiohttp_would_let_it() -> None:
    """Each on a transport of its own; aiohttp's limit is 100 unless it is told otherwise."""
    async with serving() as server:
        transports = [AiohttpTransport(heartbeat=None) for _ in range(102)]
        wires = [(await opened(transport, server))[0] for transport in transports]
        assert len({session_of(transport) for transport in transports}) == 1
        for wire in wires:
            wire.abort()
            await wire.wait_closed()
        for transport in transports:
            await transport.aclose()


async def test_one_that_is_released_leaves_the_wires_of_the_others_alone() -> None:
    async with linked() as first, linked() as second:
        first.wire.abort()
        await first.wire.wait_closed()
        await first.transport.aclose()
        await second.wire.send("still here")
        assert await second.peer.frame() == (1, b"still here")


@pytest.mark.spec("J1.2", "J2.1")
async def test_a_session_of_ours_that_somebody_closes_is_replaced(loop_factory: Factory) -> None:
    """Its wires are lost like any others, which is a matter of policy, and not of a mistake."""
    async with linked() as first, linked() as second:
        closed = session_of(first.transport)
        await closed.close()
        for link in (first, second):
            close = await link.end()
            assert (close.origin, close.clean) == (Origin.NETWORK, False)
        new = [await dialled(link.transport, link.server) for link in (second, first)]
        assert new[0] is new[1]
        assert new[0] is not closed
    assert new[0].closed
    assert dict(sessions._shared) == {}


@pytest.mark.spec("J2.2")
@pytest.mark.parametrize("alone", [False, True])
async def test_a_transport_that_is_forgotten_warns_and_holds_nothing_back(
    loop_factory: Factory, *, alone: bool
) -> None:
    async with serving() as server:
        forgotten, other = [AiohttpTransport(heartbeat=None)], AiohttpTransport(heartbeat=None)
        session = await dialled(forgotten[0], server)
        if not alone:
            assert await dialled(other, server) is session
        with pytest.warns(ResourceWarning, match="await aclose"):
            forgotten.clear()
        await turns()
        assert session.closed is alone
        await other.aclose()
        assert session.closed
        assert dict(sessions._shared) == {}


async def test_a_transport_with_a_lent_session_may_be_forgotten() -> None:
    async with serving() as server, ClientSession() as session:
        borrowed = await dialled(AiohttpTransport(session=session, heartbeat=None), server)
        await turns()
        assert borrowed.closed
        assert not session.closed
        assert dict(sessions._shared) == {}


@pytest.mark.spec("J2.1")
def test_a_loop_that_died_with_a_session_is_forgotten_without_a_word() -> None:
    """The transports dial on another; the engine, not aiohttp, tells who was not closed."""
    transports = [AiohttpTransport(heartbeat=None) for _ in range(2)]

    async def story() -> set[ClientSession]:
        async with serving() as server:
            return {await dialled(transport, server) for transport in transports}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (left,) = asyncio.run(story())
        (new,) = asyncio.run(story())
        assert left is not new
        assert left.closed
        transports.clear()
        del new
        gc.collect()
        assert dict(sessions._shared) == {}


@pytest.mark.spec("J2.2")
def test_an_engine_forgotten_with_its_loop_gives_one_warning_and_it_is_ours() -> None:
    async def story() -> recloser.ReconnectingWebSocket:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        ws = recloser.connect(f"ws://127.0.0.1:{port}/")
        ws.connect()
        await ws.wait_for(recloser.State.BACKOFF)
        return ws

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(story())
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert "was never closed" in str(caught[0].message)
    caught.clear()  # a warning keeps its source
    gc.collect()
    assert dict(sessions._shared) == {}


async def test_loops_share_nothing_and_a_part_is_given_back_to_its_own() -> None:
    async with serving() as server:
        stray = AiohttpTransport(heartbeat=None)
        session = await dialled(stray, server)

        async def story() -> ClientSession:
            async with serving() as server:
                found = await dialled(stray, server)
            await stray.aclose()
            return found

        found: list[ClientSession] = []
        thread = threading.Thread(target=lambda: found.append(asyncio.run(story())))
        thread.start()
        thread.join()
        assert found[0] is not session
        assert found[0].closed
        assert not session.closed  # nobody but its own loop touches it
        await turns()
        assert session.closed
        assert dict(sessions._shared) == {}


def routes(lent: ClientSession) -> dict[str, sessions.Route]:
    """A session of our own, one over a SOCKS proxy, and one that is lent."""
    return {"plain": None, "socks": SocksProxy("127.0.0.1", 1080, 5, True), "lent": lent}


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from(["plain", "socks", "lent"])),
        st.tuples(st.sampled_from(["back", "forget", "close"]), st.integers(0, 5)),
    ),
    max_size=20,
)


@pytest.mark.spec("J1.2")
@given(acts=ACTS)
def test_whatever_the_order_the_last_part_ends_it(acts: list[tuple[str, Any]]) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            lent = await stack.enter_async_context(ClientSession())
            parts: list[tuple[str, sessions.SessionShare]] = []
            made: set[ClientSession] = set()
            for act, which in acts:
                if act == "take":
                    part = sessions.acquire(routes(lent)[which])
                    assert part.usable(part.route)
                    parts.append((which, part))
                    made.add(part.session)
                    del part
                elif which < len(parts) and act == "close":
                    if parts[which][0] != "lent":
                        await parts[which][1].session.close()
                elif which < len(parts):
                    part = parts.pop(which)[1]
                    if act == "back":
                        await part.release()
                    del part
                    await turns(2)
                serving = [(kind, part.session) for kind, part in parts if part.usable(part.route)]
                assert len(set(serving)) == len({kind for kind, _ in serving})
                held = {part.session for _, part in parts}
                assert all(session.closed for session in made - held)
                assert len(sessions._shared) <= len({kind for kind, _ in parts})
                assert not lent.closed
            while parts:
                await parts.pop()[1].release()
            assert dict(sessions._shared) == {}
            assert all(session.closed for session in made)

    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always", ResourceWarning)
        asyncio.run(story())
