"""What the kernel tells of the last bytes that came and left (F3, F13)."""

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest

from recloser.testing.doubles.raw_server import text
from recloser.transport import Heartbeat
from recloser.transport import last_received as last_received_module
from recloser.transport.last_received import TcpInfo, last_exchange, last_received
from tests.transport.link import linked

Factory = Callable[[], asyncio.AbstractEventLoop]


@pytest.mark.spec("F13.1", "F13.2")
async def test_an_exchange_is_as_old_as_the_older_of_what_came_and_what_left(
    loop_factory: Factory,
) -> None:
    async with linked() as link:
        transport = link.wire.transport
        await link.wire.send("ours")
        assert await link.peer.frame() == (1, b"ours")
        begun, now = monotonic(), 0.0
        while now < begun + 0.2:  # only the peer sends
            await link.peer.send(text("theirs"))
            assert await link.receive() == "theirs"
            now = monotonic()
        assert last_received(transport, now) > begun + 0.1 > last_exchange(transport, now)
        await link.wire.send("ours")
        assert await link.peer.frame() == (1, b"ours")
        assert last_exchange(transport, now) > begun + 0.1
        while now < begun + 0.4:  # only we send
            await link.wire.send("ours")
            assert await link.peer.frame() == (1, b"ours")
            now = monotonic()
        assert max(last_received(transport, now), last_exchange(transport, now)) < begun + 0.3


async def test_the_kernel_is_asked_by_one_connection_for_all(
    loop_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    account = last_received_module._account

    def counted(transport: asyncio.BaseTransport) -> TcpInfo | None:
        asked.append(transport)
        return account(transport)

    monkeypatch.setattr(last_received_module, "_TOLD", set())
    monkeypatch.setattr(last_received_module, "_account", counted)
    for _ in range(2):
        async with linked(heartbeat=Heartbeat(3600.0, 3600.0)) as link:
            assert link.wire._counted is None
            assert len(asked) == 1


async def test_of_a_socket_that_is_gone_the_wire_knows_by_itself(loop_factory: Factory) -> None:
    async with linked() as link:
        link.wire.drop()
        await link.wire.wait_closed()
        assert last_received(link.wire.transport, 7.0) == 7.0
        assert last_exchange(link.wire.transport, 7.0) == 7.0
