"""The scripted server on real sockets: what it does is what the client records, in one account."""

import asyncio

import aiohttp
import pytest

import recloser
from recloser import Close, Context, Retry, State, StateChange, Stop
from recloser.fsm import Cause, Decision
from recloser.testing import Fault, ScriptedServer, Timeline, TimelineEntry


class Soon:
    """Comes back at once; the server decides how often."""

    def decide(self, close: Close, context: Context) -> Decision:
        return Stop() if close.intentional else Retry(0.0)


async def closes(
    *script: Fault, count: int, client: str | None = None
) -> tuple[list[Close], ScriptedServer]:
    """The records of one engine that lives through the script."""
    found: list[Close] = []
    enough = asyncio.Event()

    def note(change: StateChange) -> None:
        if change.close is not None and not change.close.intentional:
            found.append(change.close)
        if len(found) >= count and change.current is State.OPEN:
            enough.set()

    async with ScriptedServer(script) as server:
        url = server.url if client is None else server.url_for(client)
        ws = recloser.connect(url, policy=Soon(), observers=[note], heartbeat=None)
        ws.connect()
        try:
            await asyncio.wait_for(enough.wait(), 120)
        finally:
            await ws.close()
    return found, server


@pytest.mark.spec("K3.2")
async def test_each_deed_is_recorded_as_what_it_was() -> None:
    found, server = await closes(
        Fault(do="close", code=1012, reason="restart"),
        Fault(do="refuse", status=503, headers={"Retry-After": "7"}),
        Fault(do="cut"),
        Fault(do="reset"),
        Fault(do="close", code=4999, times=2),
        count=6,
    )
    assert [(each.code, each.status) for each in found] == [
        (1012, None),
        (1006, 503),
        (1006, None),
        (1006, None),
        (4999, None),
        (4999, None),
    ]
    assert found[0].reason == "restart"
    assert found[1].retry_after == 7.0
    assert found[2].cause is Cause.EOF
    assert found[3].cause is Cause.RESET
    kinds = [(each.connection, each.what) for each in server.timeline if each.what != "dialled"]
    assert kinds[:3] == [(1, "accepted"), (1, "closing"), (1, "closed")]
    assert (2, "refused") in kinds
    assert [each.connection for each in server.timeline.of("dialled")] == [1, 2, 3, 4, 5, 6, 7]
    at = [each.at for each in server.timeline]
    assert at == sorted(at)


@pytest.mark.spec("K3.2")
async def test_ordinary_service_echoes_and_can_repeat_itself() -> None:
    script = [Fault(send=("one", "two"), duplicate=True)]
    async with ScriptedServer(script) as server, aiohttp.ClientSession() as session:
        async with session.ws_connect(server.url) as ws:
            assert [await ws.receive_str() for _ in range(4)] == ["one", "one", "two", "two"]
            await ws.send_bytes(b"x")
            assert [await ws.receive_bytes() for _ in range(2)] == [b"x", b"x"]
        async with session.ws_connect(server.url) as ws:
            await ws.send_str("hello")
            assert await ws.receive_str() == "hello"
        await server.timeline.until("closed", times=2)
        assert [each.detail for each in server.timeline.of("received")] == ["b'x'", "'hello'"]


@pytest.mark.spec("K3.2")
async def test_silence_and_pings_without_answer() -> None:
    script = [Fault(do="silence"), Fault(do="serve", pongs=False)]
    async with ScriptedServer(script) as server, aiohttp.ClientSession() as session:
        for number in (1, 2):
            async with session.ws_connect(
                server.url, autoping=False, timeout=aiohttp.ClientWSTimeout(ws_close=0.1)
            ) as ws:
                if number == 1:
                    await server.timeline.until("silent")
                await ws.ping()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(ws.receive(), 0.05)
        async with session.ws_connect(server.url, autoping=False) as ws:
            await ws.ping()
            assert (await ws.receive()).type is aiohttp.WSMsgType.PONG


@pytest.mark.spec("K3.2")
async def test_a_flood_and_a_dial_that_hangs() -> None:
    script = [Fault(do="flood", count=300, size=64), Fault(do="hang")]
    async with ScriptedServer(script) as server, aiohttp.ClientSession() as session:
        async with session.ws_connect(server.url) as ws:
            found = [await ws.receive_str() for _ in range(300)]
            assert {len(each) for each in found} == {64}
        dial = asyncio.ensure_future(session.ws_connect(server.url))
        await server.timeline.until("hanging")
        assert not dial.done()
    with pytest.raises(aiohttp.ClientError):
        await dial


@pytest.mark.spec("K3.2")
async def test_faults_for_one_client_meet_no_other() -> None:
    script = [Fault(do="refuse", status=403, client="eve", times=0)]
    async with ScriptedServer(script) as server, aiohttp.ClientSession() as session:
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(server.url_for("eve"))
        for url in (server.url, server.url_for("ada")):
            async with session.ws_connect(url) as ws:
                await ws.send_str("hi")
                assert await ws.receive_str() == "hi"


async def test_a_script_can_start_over() -> None:
    script = [Fault(do="refuse", status=500), Fault(do="refuse", status=404)]
    async with ScriptedServer(script, repeat=True) as server, aiohttp.ClientSession() as session:
        seen = []
        for _ in range(4):
            with pytest.raises(aiohttp.WSServerHandshakeError) as failure:
                await session.ws_connect(server.url)
            seen.append(failure.value.status)
    assert seen == [500, 404, 500, 404]


async def test_waiting_in_vain_tells_what_did_happen() -> None:
    timeline = Timeline()
    timeline.add(TimelineEntry(0.5, 1, "dialled", "close 1000"))
    with pytest.raises(TimeoutError, match=r"'closed' happened 0 of 2 times") as failure:
        await timeline.until("closed", times=2, within=0.01)
    assert "0.500 s  #1    dialled   close 1000" in str(failure.value)
    assert len(timeline) == 1
    assert timeline.story == [(1, "dialled")]


async def test_a_taken_port_is_an_error_at_once() -> None:
    async with ScriptedServer() as first:
        second = ScriptedServer(port=first.port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
