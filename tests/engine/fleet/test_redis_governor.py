"""Permits and news of a fleet in a real Redis or Valkey server."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis import asyncio as redis

from recloser import State
from recloser.fleet import RedisStore
from recloser.governor import DialLimits, Governor, News, Reading
from tests.engine.fleet.redis_server import RedisServer, until
from tests.engine.rig import UP, engine, now, others, pass_time

pytestmark = pytest.mark.fleet


@pytest.mark.spec("O5.1")
async def test_the_starts_of_dials_are_spaced_over_all_processes(
    tmp_path: Path, program: str
) -> None:
    limits, granted, count = DialLimits(rate=20.0), 0, 12
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(RedisServer(program, tmp_path))
        stores = [await stack.enter_async_context(RedisStore(server.url)) for _ in range(3)]
        begun = now()
        while granted < count:
            for number, store in enumerate(stores):
                wait = await store.governor.acquire("host:443", f"{number}/{granted}", limits, 9.0)
                assert 0.0 <= wait <= 1 / 20 + 0.002
                if wait:
                    await pass_time(wait)
                else:
                    granted += 1
                    assert granted <= (now() - begun) * 20 + 1.1
        other = await stores[0].governor.acquire("other:443", "p", limits, 9.0)
        assert other == 0.0


@pytest.mark.spec("O5.2")
async def test_so_many_dials_are_under_way_and_a_dead_process_holds_none_for_good(
    tmp_path: Path,
    program: str,
) -> None:
    limits = DialLimits(at_once=2)
    async with RedisServer(program, tmp_path) as server, RedisStore(server.url) as store:
        governor = store.governor
        assert await governor.acquire("host", "one", limits, 30.0) == 0.0
        assert await governor.acquire("host", "two", limits, 0.4) == 0.0
        wait = await governor.acquire("host", "three", limits, 30.0)
        assert 0.0 < wait <= 0.4
        await governor.release("host", "unknown")
        await governor.release("host", "one")
        assert await governor.acquire("host", "three", limits, 30.0) == 0.0
        wait = await governor.acquire("host", "four", limits, 30.0)
        await pass_time(wait + 0.01)  # the process of the second has died
        assert await governor.acquire("host", "four", limits, 30.0) == 0.0
        assert await governor.acquire("host", "five", limits, 30.0) == 1.0


@pytest.mark.spec("O5.3")
async def test_news_reach_the_other_processes(tmp_path: Path, program: str) -> None:
    heard: list[News] = []
    own: list[News] = []
    news = News("host:443", Reading.BUSY, retry_after=3.0, spread=None)
    async with (
        RedisServer(program, tmp_path) as server,
        RedisStore(server.url) as first,
        RedisStore(server.url) as second,
        redis.Redis(port=server.port) as client,
    ):
        ends = [
            second.governor.subscribe(heard.append),
            first.governor.subscribe(own.append),
        ]

        async def arrives() -> bool:
            for garbage in ("", "[]", '["x", "k", "up", "soon", null]', '["x", "k", "up", -1, 2]'):
                await client.publish("{recloser}:told:host", garbage)
            await first.governor.publish(news)
            return bool(heard)

        await until(arrives)
        assert set(heard) == {news}
        assert own == []
        for end in ends:
            end()
        heard.clear()
        await first.governor.publish(news)
        await pass_time(0.1)
        assert heard == []


@pytest.mark.spec("O5.3")
@pytest.mark.parametrize("lent", [False, True], ids=["own", "lent"])
async def test_no_message_of_whatever_kind_ends_the_hearing(
    tmp_path: Path, program: str, *, lent: bool
) -> None:
    """Others may publish there, too: what is no UTF-8, and JSON that Python cannot read."""
    garbage = [b"\xff\xfe", b"[" * 200_000, b'["x", "k", "up", 1%s, null]' % (b"0" * 400), b"{}"]
    heard: list[News] = []
    async with (
        RedisServer(program, tmp_path) as server,
        redis.Redis(port=server.port, decode_responses=True) as client,
        RedisStore(client if lent else server.url) as store,
        RedisStore(server.url) as other,
    ):
        end = store.governor.subscribe(heard.append)
        for number, message in enumerate(garbage):
            news = News("host:443", Reading.BUSY, retry_after=float(number))

            async def arrives(news: News = news) -> bool:
                await other.governor.publish(news)
                return news in heard

            await until(arrives)
            await client.publish("{recloser}:told:host", message)
        await until(arrives)
        heard.clear()
        await until(arrives)
        end()


@pytest.mark.spec("O5.5")
async def test_a_server_that_is_away_is_an_error_of_the_system(
    tmp_path: Path, program: str
) -> None:
    async with RedisServer(program, tmp_path) as server, RedisStore(server.url) as store:
        server.kill()
        with pytest.raises(OSError, match="cannot be asked"):
            await store.governor.acquire("host", "p", DialLimits(rate=1.0), 9.0)
        with pytest.raises(OSError, match="cannot be asked"):
            await store.governor.release("host", "p")
        with pytest.raises(OSError, match="cannot be asked"):
            await store.governor.publish(News("host", Reading.UP))
        with pytest.raises(OSError, match="cannot be asked"):
            await store.budget("binance").spend("one", {1: 1.0}, [], [])


@pytest.mark.spec("O5.1", "M1.6")
async def test_governors_of_two_processes_keep_one_rate(tmp_path: Path, program: str) -> None:
    starts: list[float] = []

    def headers() -> dict[str, str]:
        starts.append(now())
        return {}

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(RedisServer(program, tmp_path))
        engines = []
        for _ in range(2):
            store = await stack.enter_async_context(RedisStore(server.url))
            governor = Governor(rate=20.0, store=store.governor)
            engines += [engine(UP, governor=governor, headers=headers)[0] for _ in range(6)]
        for ws in engines:
            ws.connect()
        for ws in engines:
            await ws.wait_for(State.OPEN)
        assert len(starts) == len(engines)
        assert max(starts) - min(starts) > (len(engines) - 1) / 20 * 0.7
        for ws in engines:
            await ws.close()

        async def permits_are_back() -> bool:
            return {task.get_name() for task in others()} <= {"recloser fleet news"}

        await until(permits_are_back)
