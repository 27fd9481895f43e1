"""The store over a real Redis or Valkey server: the contract, and a server that has lost it all."""

import asyncio
import re
from functools import partial
from pathlib import Path

import pytest
from redis import asyncio as redis
from redis.exceptions import NoPermissionError
from structlog.testing import capture_logs

from recloser.fleet import Grant, RedisStore, Refusal, StoreUnreachable
from recloser.fsm.allowance import Allowance
from recloser.governor import DialLimits, News, Reading
from tests.engine.fleet.contract import CONTRACT, TTL
from tests.engine.fleet.redis_server import RedisServer, free_port, until
from tests.engine.rig import pass_time

pytestmark = pytest.mark.fleet


async def seasoned(store: RedisStore, ttl: float = TTL) -> None:
    """Wait until the server grants: it has served for the time of a lease."""
    refused = await store.acquire("first", "nobody", ttl, 0)
    if isinstance(refused, Refusal):
        await pass_time(refused.remaining + 0.01)


@pytest.mark.spec("O3.1")
async def test_it_keeps_to_the_contract(tmp_path: Path, program: str) -> None:
    async with RedisServer(program, tmp_path) as server:
        for number, check in enumerate(CONTRACT):
            async with RedisStore(server.url, prefix=f"test{number}") as store:
                await seasoned(store)
                await check(store, pass_time)


@pytest.mark.spec("O4.4", "O3.1")
@pytest.mark.parametrize("kept", [False, True])
async def test_a_server_that_was_started_anew_grants_nothing_for_one_lease(
    tmp_path: Path, program: str, kept: bool
) -> None:
    options = ("--appendonly", "yes", "--appendfsync", "always") if kept else ()
    async with RedisServer(program, tmp_path, *options) as server, RedisStore(server.url) as store:
        await seasoned(store)
        ttl = 3.0
        await pass_time(ttl)
        held = await store.acquire("a", "one", ttl, 0)
        assert isinstance(held, Grant)
        server.kill()
        with pytest.raises(StoreUnreachable):
            await store.renew("a", "one", held.token, ttl)
        await server.start()
        refused = await store.acquire("b", "two", ttl, 0)
        assert isinstance(refused, Refusal)
        assert refused.remaining > ttl / 2
        assert isinstance(await store.acquire("a", "two", ttl, 0), Refusal)
        assert await store.renew("a", "one", held.token, ttl)
        await pass_time(refused.remaining)
        assert await store.renew("a", "one", held.token, ttl)
        assert isinstance(await store.acquire("a", "two", ttl, 0), Refusal)
        await store.release("a", "one")
        second = await store.acquire("a", "two", ttl, 0)
        assert isinstance(second, Grant)
        assert second.token > held.token
        assert not await store.renew("a", "one", held.token, ttl)


@pytest.mark.spec("O4.5")
async def test_a_grant_counts_when_the_replicas_have_it(tmp_path: Path, program: str) -> None:
    async with (
        RedisServer(program, tmp_path / "first") as first,
        RedisServer(
            program, tmp_path / "second", "--replicaof", f"127.0.0.1 {first.port}"
        ) as second,
        RedisStore(first.url, replicas=1) as store,
        redis.Redis(port=second.port) as replica,
    ):
        await second.in_step()
        await seasoned(store)
        held = await store.acquire("a", "one", TTL, 0)
        assert isinstance(held, Grant)
        assert int(await replica.hget("{recloser}:lease:a", "token")) == held.token
        second.kill()
        with pytest.raises(StoreUnreachable, match="see to the replication"):
            await store.renew("a", "one", held.token, TTL)
        await second.start()
        await second.in_step()
        await seasoned(store)
        assert isinstance(await store.acquire("a", "one", TTL, 0), Grant)


@pytest.mark.spec("O4.4")
async def test_a_promoted_replica_grants_nothing_for_one_lease(
    tmp_path: Path, program: str
) -> None:
    ttl = 2.0
    async with (
        RedisServer(program, tmp_path / "first") as first,
        RedisServer(
            program, tmp_path / "second", "--replicaof", f"127.0.0.1 {first.port}"
        ) as second,
        RedisStore(first.url, replicas=1) as store,
        RedisStore(second.url) as successor,
        redis.Redis(port=second.port) as replica,
    ):
        await second.in_step()
        await seasoned(store, ttl)
        held = await store.acquire("a", "one", ttl, 0)
        assert isinstance(held, Grant)
        first.kill()
        await replica.replicaof("NO", "ONE")
        await replica.delete("{recloser}:lease:a")  # the last writes were not replicated
        assert isinstance(await successor.acquire("a", "two", ttl, 0), Refusal)
        assert await successor.renew("a", "one", held.token, ttl)


async def test_a_client_of_your_own_stays_yours(tmp_path: Path, program: str) -> None:
    async with RedisServer(program, tmp_path) as server, redis.Redis(port=server.port) as client:
        async with RedisStore(client, prefix="other") as store:
            await seasoned(store)
            assert isinstance(await store.acquire("a", "one", TTL, 0), Grant)
        assert await client.exists("{other}:lease:a")
        with pytest.raises(TypeError, match="URL or a redis"):
            RedisStore(7)  # type: ignore[arg-type] # on purpose
        with pytest.raises(TypeError, match="prefix"):
            RedisStore(server.url, prefix=7)  # type: ignore[arg-type] # on purpose
        with pytest.raises(ValueError, match="replicas"):
            RedisStore(server.url, replicas=-1)


@pytest.mark.spec("O3.1")
async def test_the_user_of_the_page_may_do_all_that_it_needs_and_no_more(
    tmp_path: Path, program: str
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "fleet.md").read_text(encoding="utf-8")
    found = re.search(r"^ACL SETUSER .*?^```", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    command = found[0].removesuffix("```").split()
    async with RedisServer(program, tmp_path) as server, redis.Redis(port=server.port) as admin:
        assert await admin.execute_command(*command)
        url = server.url.replace("redis://", "redis://recloser:PASSWORD@")
        async with RedisStore(url) as store, redis.Redis.from_url(url) as user:
            await seasoned(store)
            for check in CONTRACT:
                await admin.delete("{recloser}:lease:a", "{recloser}:lease:b")
                await check(store, pass_time)
            assert await store.governor.acquire("h", "p", DialLimits(1.0, 1), 9.0) == 0.0
            await store.governor.release("h", "p")
            await store.governor.publish(News("h", Reading.UP))
            _, granted = await store.budget("b").spend("o", {1: 1e9}, [], [Allowance(1, 9.0)])
            assert granted
            for refused in (("GET", "other"), ("FLUSHALL",), ("KEYS", "*")):
                with pytest.raises(NoPermissionError):
                    await user.execute_command(*refused)


@pytest.mark.spec("O4.1")
async def test_a_server_that_refuses_a_request_is_told_with_its_own_words(
    tmp_path: Path, program: str
) -> None:
    """It was said to give no answer, after a hundred letters of the script."""
    async with (
        RedisServer(program, tmp_path) as server,
        RedisStore(server.url) as store,
        redis.Redis(port=server.port) as admin,
    ):
        await seasoned(store)
        await admin.config_set("maxmemory", "1mb")
        with pytest.raises(StoreUnreachable, match=r"refuses the request: .*maxmemory"):
            await store.acquire("a", "one", TTL, 0)
        await admin.config_set("maxmemory", "0")
        await admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(StoreUnreachable, match=r"refuses the request: .*read only replica"):
            await store.acquire("a", "one", TTL, 0)
        await admin.execute_command("REPLICAOF", "NO", "ONE")
        assert isinstance(await store.acquire("a", "one", TTL, 0), Grant)


async def test_a_user_who_may_hear_nothing_is_told_so_once(tmp_path: Path, program: str) -> None:
    """Its standbys waited for the end of each lease, and nothing said why."""
    async with RedisServer(program, tmp_path) as server, redis.Redis(port=server.port) as admin:
        await admin.acl_setuser("deaf", enabled=True, nopass=True, keys=["*"], commands=["+@all"])
        async with RedisStore(server.url.replace("//", "//deaf:x@")) as store:
            with capture_logs() as lines:

                async def seen(number: int) -> bool:
                    return len(lines) >= number

                end = store.watch("a", lambda: None)
                await until(partial(seen, 1))
                await pass_time(0.7)
                await admin.execute_command("ACL", "SETUSER", "deaf", "allchannels")
                await until(partial(seen, 2))
                end()
    assert [(each["event"], each["key"]) for each in lines] == [
        ("websocket.store_unreachable", "{recloser}:told:*"),
        ("websocket.store_reached", "{recloser}:told:*"),
    ]


def test_a_store_that_outlives_its_loop_hears_in_the_next_one(tmp_path: Path, program: str) -> None:
    """It took the task of the loop that had ended for one that hears."""
    client = redis.Redis(port=free_port())
    store = RedisStore(client)
    heard: list[int] = []

    async def life(number: int) -> None:
        port = client.connection_pool.connection_kwargs["port"]
        async with RedisServer(program, tmp_path, port=port):
            store.watch("a", lambda: heard.append(number))
            await seasoned(store)

            async def told() -> bool:
                await store.acquire("a", "one", TTL, 0)
                await store.release("a", "one")
                return number in heard

            await until(told)
            await client.aclose()

    for number in (1, 2):
        asyncio.run(life(number))
