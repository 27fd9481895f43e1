"""Look-ups of names that hang: who waits for one, who ends it, and what a closed session does."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector

from recloser.fsm.record import Cause, Close, Origin
from recloser.transport import AiohttpTransport, DialFailed, Request
from recloser.transport.errors import SessionClosed
from tests.transport.link import turns
from tests.transport.names import Hanging

Factory = Callable[[], asyncio.AbstractEventLoop]


def session_of(transport: AiohttpTransport) -> ClientSession:
    (share,) = transport._shares
    return share.session


def hung(monkeypatch: pytest.MonkeyPatch) -> Hanging:
    """Have names looked up in vain by the sessions that are made from now on."""
    resolver = Hanging()

    def connector(**options: Any) -> TCPConnector:
        return TCPConnector(resolver=resolver, **options)

    monkeypatch.setattr("recloser.transport.sessions.TCPConnector", connector)
    return resolver


async def looking_up(transport: AiohttpTransport) -> "asyncio.Task[Any]":
    dial = asyncio.create_task(
        transport.dial(Request("ws://slow.example/"), lambda close: None), name="dial"
    )
    await turns(10)
    assert not dial.done()
    return dial


async def failed(dial: "asyncio.Task[Any]") -> Close:
    with pytest.raises(DialFailed) as caught:
        await dial
    return caught.value.close


@pytest.mark.spec("J4")
@pytest.mark.parametrize("lend", [False, True], ids=["ours", "lent"])
async def test_a_session_closed_during_a_look_up_fails_all_who_wait_for_it(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch, *, lend: bool
) -> None:
    """aiohttp cancels the look-up, and so the dials; nobody cancelled these."""
    resolver = hung(monkeypatch)
    lent = ClientSession(connector=TCPConnector(resolver=resolver)) if lend else None
    transports = [AiohttpTransport(session=lent) for _ in range(2)]
    dials = [await looking_up(transport) for transport in transports]
    assert resolver.asked.is_set()
    await (lent or session_of(transports[0])).close()
    for dial in dials:
        close = await failed(dial)
        if lend:
            assert (close.cause, close.origin) == (Cause.SESSION_CLOSED, Origin.ENGINE)
            assert isinstance(close.error, SessionClosed)
        else:
            assert (close.cause, close.origin) == (Cause.RESET, Origin.NETWORK)
    for transport in transports:
        await transport.aclose()


@pytest.mark.spec("J3")
async def test_a_dial_cancelled_as_its_session_is_closed_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hung(monkeypatch)
    transport = AiohttpTransport()
    dial = await looking_up(transport)
    dial.cancel()
    await session_of(transport).close()
    with pytest.raises(asyncio.CancelledError):
        await dial
    await transport.aclose()


async def test_a_look_up_that_is_cancelled_alone_is_no_word_of_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hung(monkeypatch)
    transport, before = AiohttpTransport(), asyncio.all_tasks()
    dial = await looking_up(transport)
    for task in asyncio.all_tasks() - before - {dial}:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dial
    await transport.aclose()


@pytest.mark.spec("A5.1", "A11.7")
async def test_a_look_up_that_hangs_stays_while_somebody_shares_it_and_no_longer(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung(monkeypatch)
    before = asyncio.all_tasks()
    transports = [AiohttpTransport() for _ in range(3)]
    for transport in transports:
        dial = await looking_up(transport)
        dial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dial
    for transport in transports:
        assert len(asyncio.all_tasks() - before) == 1
        await transport.aclose()
    assert asyncio.all_tasks() == before


async def test_who_comes_while_the_last_one_closes_gets_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = hung(monkeypatch)  # closing waits until the look-up is cancelled
    first, second = AiohttpTransport(), AiohttpTransport()
    (await looking_up(first)).cancel()
    await turns()
    closing = asyncio.create_task(first.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    resolver.asked.clear()
    dial = await looking_up(second)
    await closing
    assert resolver.asked.is_set()
    assert not session_of(second).closed
    dial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dial
    await second.aclose()
