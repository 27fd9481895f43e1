"""A network that is slow, a peer that hesitates, and certificates that have run out."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import trustme

from recloser import Heartbeat, State, Timeouts
from recloser.fsm.record import Cause
from tests.faults.feed import running
from tests.faults.lab import PORT, THERE, Lab

pytestmark = pytest.mark.faults


@asynccontextmanager
async def delayed(seconds: float) -> AsyncIterator[str]:
    """The server behind a proxy that keeps each byte for some seconds, in either direction."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                loop.call_later(seconds, writer.write, data)
        loop.call_later(seconds, writer.close)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(THERE, PORT)
        writers.extend((writer, far_writer))
        tasks.update(map(loop.create_task, (pump(reader, far_writer), pump(far_reader, writer))))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for each in writers:
        each.close()
    await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)


@pytest.mark.spec("F2", "G8.4", "A6.1")
async def test_two_seconds_each_way_end_nothing_and_a_close_is_clean(lab: Lab) -> None:
    await lab.serve()
    patient = {
        "timeouts": Timeouts(connect=30.0, close=30.0),
        "heartbeat": Heartbeat(interval=1.0, timeout=10.0),
    }
    async with delayed(2.0) as url, running(url, **patient) as feed:
        await feed.send(50)
        await feed.tick(20)
        await feed.ws.drain()
        assert not feed.closes
        await feed.ws.close()
        assert feed.closes[-1].clean
        assert feed.closes[-1].code == 1000
        feed.ws.connect()
        await feed.open()
    lab.end()
    assert lab.received == list(range(1, 51))


@pytest.mark.spec("F1.1")
async def test_a_heartbeat_shorter_than_the_way_is_told_as_what_it_is(lab: Lab) -> None:
    """The ticks are signs of life, so it takes a server that says nothing."""
    await lab.serve()
    short = {"timeouts": Timeouts(connect=30.0), "heartbeat": Heartbeat(interval=3.0, timeout=1.0)}
    async with delayed(2.0) as url, running(url, **short) as feed:
        await feed.tick()
        lab.signal(signal.SIGSTOP)
        assert (await feed.ended()).cause is Cause.HEARTBEAT
        lab.signal(signal.SIGCONT)
        await feed.open()
        await feed.tick()
    lab.end()


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request, or the first words of TLS, and answer one byte at a time, if at all."""
    with suppress(ConnectionError):
        await reader.read(1)
        writer.write(b"H")
        await reader.read()
    writer.close()


@pytest.mark.spec("F5")
@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_a_handshake_that_is_never_finished(lab: Lab, scheme: str) -> None:
    await lab.serve()
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    urls = [f"{scheme}://127.0.0.1:{port}/"]
    async with server, running(lambda: urls[0], first=False) as feed:
        close = await feed.ended()
        assert close.cause in (Cause.CONNECT_TIMEOUT, Cause.TLS)
        await feed.send(5)
        urls[0] = f"ws://{THERE}:{PORT}/"
        await feed.open()
        await feed.ws.drain()
        server.close()
    lab.end()
    assert lab.received == list(range(1, 6))


@pytest.mark.spec("B15")
async def test_a_certificate_that_runs_out_and_is_renewed(lab: Lab, tmp_path: Path) -> None:
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    file = tmp_path / "certificate.pem"
    issue = partial(authority.issue_cert, THERE)

    def install(certificate: trustme.LeafCert) -> None:
        certificate.private_key_and_cert_chain_pem.write_to_path(str(file))

    install(issue(not_after=datetime.now(UTC) - timedelta(days=1)))
    await lab.serve("--certificate", str(file))
    async with running(f"wss://{THERE}:{PORT}/", ssl=trust, first=False) as feed:
        close = await feed.ended()
        assert (close.code, close.cause) == (1015, Cause.VALIDITY)
        assert feed.ws.state is State.BACKOFF
        await feed.send(5)
        lab.signal(signal.SIGKILL)
        install(issue())
        await lab.serve("--certificate", str(file))
        feed.ws.wake()  # standard leaves it at least ten seconds
        await feed.open()
        await feed.tick()
    lab.end()
    assert lab.received == list(range(1, 6))
