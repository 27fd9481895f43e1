"""The transports beneath a connection, on both loops; and what they hold back (G4)."""

import asyncio
import gc
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recloser.testing.doubles.raw_server import CLOSE
from recloser.testing.doubles.raw_server import raw_server as serving
from recloser.transport import AiohttpTransport, Delivery, Request
from recloser.transport.errors import NotOpen
from recloser.transport.layers import bytes_queued, layers
from tests.transport.link import Link, linked, turns, until
from tests.transport.test_last_read import LAST, WORDS, fail_to_send, hang_up, paused, write
from tests.transport.test_proxy import proxying

Factory = Callable[[], asyncio.AbstractEventLoop]
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_tls_stands_on_a_socket(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    async with linked(tls=tls if secure else None) as link:
        found = layers(link.wire.transport)
        assert found is not None
        assert len(found) == (2 if secure else 1)
        assert found[0] is link.wire.transport
        assert all(each.get_write_buffer_size() >= 0 for each in found)


async def through_proxy(tls: Contexts, play: Callable[[Link], Any]) -> None:
    """A connection in TLS in TLS: wss through a CONNECT proxy that itself speaks TLS."""
    async with proxying(tls=tls[0]) as proxy, serving(tls=tls[0]) as server:
        transport = AiohttpTransport(ssl=tls[1], proxy=proxy.url, heartbeat=None)
        link = Link(transport, server)
        dial = asyncio.ensure_future(transport.dial(Request(server.url), link.ended))
        link.peer = await server.accept()
        await link.peer.upgrade()
        link.wire = await dial
        try:
            await play(link)
        finally:
            link.wire.abort()
            await link.wire.wait_closed()
            await transport.aclose()
            link.peer.sock.close()
            await proxy.ended()


@pytest.mark.spec("G4.1", "B2.3", "B2.4")
async def test_tls_in_tls_has_three_layers_and_loses_nothing(
    loop_factory: Factory, tls: Contexts
) -> None:
    async def play(link: Link) -> None:
        found = layers(link.wire.transport)
        assert found is not None
        assert len(found) == 3
        assert await link.wire.send("a") is Delivery.SENT
        assert await link.peer.frame() == (1, b"a")
        consumer = asyncio.ensure_future(link.all())
        write(link.peer, LAST)
        hang_up(link.peer, "fin")
        await fail_to_send(link, 3, 10)
        assert (await link.end()).code == 1012
        assert await consumer == WORDS

    await through_proxy(tls, play)


@pytest.mark.spec("B2.3", "B2.4")
async def test_what_a_paused_reader_left_to_tls_in_tls_is_read(
    loop_factory: Factory, tls: Contexts
) -> None:
    async def play(link: Link) -> None:
        expected = [*await paused(link), *WORDS]
        found = layers(link.wire.transport)
        assert found is not None
        inner = found[1].get_protocol()
        # asyncio's are attributes; uvloop shows its own to the garbage collector alone.
        held = getattr(inner, "__dict__", {}).values() or gc.get_referents(inner)
        buffers = [each for each in held if isinstance(each, ssl.MemoryBIO)]
        write(link.peer, LAST)
        await until(lambda: any(each.pending for each in buffers))
        link.wire.condemned(None)
        assert not any(each.pending for each in buffers)
        messages = await link.all()
        assert messages == expected[: len(messages)]

    await through_proxy(tls, play)


@pytest.mark.spec("G1.2", "G4.1")
async def test_tls_in_tls_counts_what_has_not_left(loop_factory: Factory, tls: Contexts) -> None:
    async def play(link: Link) -> None:
        await account(link, [(64 * 1024, 0)] * 150, "abort")

    await through_proxy(tls, play)


async def account(link: Link, sends: list[tuple[int, int]], end: str) -> None:
    """Many senders at once; what was accepted arrives, or is among the unsent."""
    wire = link.wire

    async def refuse(message: Any) -> Delivery:
        raise NotOpen(link.told)  # type: ignore[arg-type] # it was not accepted

    wire.on_undeliverable(refuse, resend=True)
    arrived = list[int]()
    reading = asyncio.Event()

    async def peer() -> None:
        with suppress(EOFError, ConnectionError, ssl.SSLError):
            while True:
                await reading.wait()
                opcode, payload = await link.peer.frame()
                if opcode == CLOSE:
                    return
                arrived.append(int.from_bytes(payload[:4]))

    reader = asyncio.ensure_future(peer())
    tasks: list[asyncio.Task[Delivery]] = []
    for number, (size, pause) in enumerate(sends):
        message = number.to_bytes(4) + bytes(size)
        tasks.append(asyncio.ensure_future(wire.send(message, number)))
        if pause == 1:
            reading.set()
        elif pause == 2:
            reading.clear()
        if pause:
            await turns(pause)
    if end == "abort":
        wire.abort()
    elif end == "close":
        wire.close(1000, "")
    else:
        link.peer.fin()
        await link.end()
    if end != "close":
        await asyncio.wait(tasks)
        assert wire.unsent_messages() == sorted(wire.unsent_messages()), "in order"
    reading.set()
    await reader
    await asyncio.wait(tasks)
    accepted = {number for number, task in enumerate(tasks) if task.exception() is None}
    unsent = set(wire.unsent_messages())
    assert accepted <= set(arrived) | unsent
    assert arrived == sorted(set(arrived)), "in order, and once"


SENDS = st.lists(
    st.tuples(st.sampled_from([0, 100, 16_384, 20_000, 65_536, 700_000]), st.integers(0, 2)),
    min_size=1,
    max_size=80,
)


@pytest.mark.spec("G1.2", "G4.1", "G3.1")
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("uv", [False, True], ids=["asyncio", "uvloop"])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sends=SENDS, end=st.sampled_from(["abort", "fin", "close"]))
def test_whatever_many_senders_do_what_was_accepted_arrives_or_is_unsent(
    tls: Contexts, sends: list[tuple[int, int]], end: str, *, secure: bool, uv: bool
) -> None:
    import uvloop

    async def story() -> None:
        async with linked(tls=tls if secure else None, receive_buffer=4096) as link:
            await account(link, sends, end)

    factory = uvloop.new_event_loop if uv else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(story(), 20))


@pytest.mark.aiohttp
@pytest.mark.spec("G4.4")
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_nothing_is_written_while_the_transport_is_full(
    loop_factory: Factory, tls: Contexts, *, secure: bool
) -> None:
    async with linked(tls=tls if secure else None, receive_buffer=4096) as link:
        protocol = link.wire.outgoing._writer.protocol
        senders = []
        while not protocol.writing_paused:
            senders.append(asyncio.ensure_future(link.wire.send(bytes(20_000))))
            await turns(2)
        found = layers(link.wire.transport)
        assert found is not None
        full = bytes_queued(found)
        senders += [asyncio.ensure_future(link.wire.send(bytes(20_000))) for _ in range(100)]
        await turns(5)
        assert bytes_queued(found) == full
        assert link.wire.unsent >= 100
        link.wire.abort()
        results = await asyncio.gather(*senders, return_exceptions=True)
        assert all(isinstance(each, ConnectionError) for each in results[-100:])


@pytest.mark.spec("F7.1", "G4.2")
async def test_an_end_behind_a_full_buffer_of_tls_is_noticed(
    loop_factory: Factory, tls: Contexts
) -> None:
    """The socket's transport closes once it has flushed; TLS above it is not told before that."""
    async with linked(tls=tls, receive_buffer=4096) as link:
        senders = [asyncio.ensure_future(link.wire.send(bytes(700_000))) for _ in range(20)]
        await turns(5)
        link.peer.fin()
        close = await link.end()
        assert (close.code, close.clean) == (1006, False)
        assert close.unsent > 0
        results = await asyncio.gather(*senders, return_exceptions=True)
        assert isinstance(results[-1], ConnectionError)


@pytest.mark.spec("J2.4")
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("end", ["reset", "close"])
async def test_a_burst_into_a_dead_socket_is_told_by_no_line_of_asyncio(
    loop_factory: Factory,
    tls: Contexts,
    caplog: pytest.LogCaptureFixture,
    *,
    end: str,
    secure: bool,
) -> None:
    """asyncio warns of each write but the first five to a socket that it knows to be dead."""
    async with linked(tls=tls if secure else None) as link:
        await turns(5)
        hang_up(link.peer, end)
        await fail_to_send(link, 50, 1000)
        assert (await link.end()).code == 1006
        await fail_to_send(link, 50, 1000)
    assert [record.getMessage() for record in caplog.records] == []
