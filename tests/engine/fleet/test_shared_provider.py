"""Credentials of a fleet: one process asks, and all have it. Over a memory store."""

import asyncio
from typing import Any

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from recloser.credentials import Credentials, Token
from recloser.fleet import MemoryStore, SharedProvider, StoreUnreachable
from recloser.fsm import Cause, RecloserError
from recloser.testing import HandClock
from recloser.transport.base import DialFailed
from tests.engine.rig import now, pass_time, virtual

SECRET = Fernet.generate_key()


class Issuer:
    """The service that gives tokens, and what it was asked."""

    def __init__(self, takes: float = 1.0, **times: float) -> None:
        self.asked: list[str] = []
        self.takes = takes
        self.times = times
        self.problem: Exception | None = None

    async def sign_in(self) -> Token:
        return await self._give("signed in")

    async def renew(self) -> Token:
        return await self._give("renewed")

    async def _give(self, how: str) -> Token:
        self.asked.append(how)
        number = len(self.asked)
        await pass_time(self.takes)
        if self.problem is not None:
            raise self.problem
        return Token(f"token {number}", **self.times)

    def process(self, store: Any, **options: Any) -> SharedProvider:
        options = {"secret": SECRET, "refresh": self.renew, **options}
        return SharedProvider(store, "exchange", self.sign_in, **options)


async def ask(*processes: SharedProvider) -> list[object]:
    given = await asyncio.gather(*(process() for process in processes))
    return [each.value if isinstance(each, Token) else each for each in given]


@pytest.mark.spec("O7.1")
@virtual
async def test_one_asks_for_all_and_once_for_the_successor() -> None:
    store, issuer = MemoryStore(), Issuer()
    fleet = [issuer.process(store) for _ in range(5)]
    assert await ask(*fleet) == ["token 1"] * 5
    assert now() < 1.5
    assert await ask(*fleet[:3]) == ["token 2"] * 3  # it was refused
    assert await ask(fleet[4]) == ["token 2"]  # who hears late uses the successor
    assert await ask(issuer.process(store)) == ["token 2"]  # and so does a new process
    assert issuer.asked == ["signed in", "renewed"]


@pytest.mark.spec("O7.2")
@virtual
async def test_what_leaves_the_process_is_sealed() -> None:
    store, issuer = MemoryStore(), Issuer()
    await ask(issuer.process(store))
    found = await store.credential("exchange")
    assert found is not None
    assert b"token 1" not in found[1]
    assert b'"token 1"' in Fernet(SECRET).decrypt(found[1])
    other = issuer.process(store, secret=Fernet.generate_key())
    with pytest.raises(RecloserError, match="give all processes the same"):
        await other()
    headers = SharedProvider(store, "signed", lambda: {"X-Sign": "abc"}, secret=SECRET.decode())
    assert await ask(headers) == [{"X-Sign": "abc"}]


@pytest.mark.spec("O7.1")
@virtual
async def test_a_credential_that_has_ended_is_given_to_nobody() -> None:
    store, issuer = MemoryStore(), Issuer(expires_in=60.0)
    first, second = issuer.process(store), issuer.process(store)
    given = await first()
    assert isinstance(given, Token)
    await pass_time(70)
    assert await ask(second) == ["token 2"]
    assert issuer.asked == ["signed in", "signed in"]


@pytest.mark.spec("O7.3")
@virtual
async def test_who_fails_or_dies_lets_the_next_one_ask() -> None:
    store, issuer = MemoryStore(), Issuer()
    first, second = issuer.process(store, within=5.0), issuer.process(store, within=5.0)
    issuer.problem = ConnectionError("no answer")
    asking = asyncio.ensure_future(second())
    with pytest.raises(ConnectionError, match="no answer"):
        await first()
    with pytest.raises(ConnectionError, match="no answer"):
        await asking
    issuer.problem, issuer.asked[:] = None, []
    assert await store.begin_refresh("exchange", "a process that dies now", 5.0) == 0.0
    begun = now()
    assert await ask(first, second) == ["token 1", "token 1"]
    assert 5.0 <= now() - begun < 7.0
    # One that takes too long has it for itself: what another process got meanwhile stays.
    issuer.takes = 8.0
    slow = asyncio.ensure_future(ask(first))
    await pass_time(6)
    issuer.takes = 0.5
    assert await ask(second) == ["token 3"]
    assert await slow == ["token 2"]
    assert await ask(issuer.process(store)) == ["token 3"]


class Away(MemoryStore):
    away = True

    async def credential(self, name: str) -> tuple[str, bytes] | None:
        if self.away:
            raise StoreUnreachable("cut off")
        return await super().credential(name)


@pytest.mark.spec("O7.4")
@virtual
async def test_without_the_store_each_asks_for_itself_and_says_so() -> None:
    store, issuer = Away(), Issuer()
    process = issuer.process(store)
    with capture_logs() as lines:
        assert await ask(process) == ["token 1"]
        assert await ask(process) == ["token 2"]
        store.away = False
        assert await ask(process) == ["token 3"]
    events = [line["event"] for line in lines]
    assert events == ["websocket.store_unreachable", "websocket.store_reached"]


@pytest.mark.spec("O7.1", "E4.1")
@virtual
async def test_credentials_of_two_processes_refresh_once() -> None:
    store, issuer, clock = MemoryStore(), Issuer(), HandClock(monotonic=5.0)
    fleet = [Credentials(issuer.process(store)) for _ in range(2)]
    first = [await each.ask(clock) for each in fleet]
    assert {each.value for each in first} == {"token 1"}
    asked = zip(fleet, first, strict=True)
    second = await asyncio.gather(*(each.ask(clock, refused=old.version) for each, old in asked))
    assert {each.value for each in second} == {"token 2"}
    issuer.problem = ValueError("a bug")
    with pytest.raises(DialFailed) as failed:
        await fleet[0].ask(clock, refused=second[0].version)
    assert failed.value.close.cause is Cause.CREDENTIALS


@pytest.mark.spec("E7")
def test_what_cannot_be_shared_is_refused() -> None:
    store, issuer = MemoryStore(), Issuer()
    with pytest.raises(TypeError, match="CredentialStore such as"):
        issuer.process(object())
    with pytest.raises(TypeError, match="must be a str"):
        SharedProvider(store, 7, issuer.sign_in, secret=SECRET)  # type: ignore[arg-type] # on purpose
    with pytest.raises(TypeError, match=r"give a constant to connect\(\)"):
        SharedProvider(store, "a", "token", secret=SECRET)
    with pytest.raises(ValueError, match=r"make one by Fernet\.generate_key\(\)"):
        issuer.process(store, secret="short")
    with pytest.raises(TypeError, match="secret must be a key"):
        issuer.process(store, secret=7)
    with pytest.raises(ValueError, match="within"):
        issuer.process(store, within=0.0)
