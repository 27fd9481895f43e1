"""`SharedProvider`: a provider of credentials that is asked once for a whole fleet."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from uuid import uuid4

from recloser.credentials.store import Credential, Provider
from recloser.credentials.token import Token
from recloser.fsm.errors import RecloserError
from recloser.fsm.numbers import check_seconds
from recloser.providers import resolve
from recloser.store_contact import StoreContact

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

T = TypeVar("T")

_PATIENCE: Final = 2.0
"""Seconds for an answer of the store."""
_KEPT: Final = 86_400.0
"""Seconds for which a credential without a known end is kept."""


class CredentialStore(Protocol):
    """Keeps a sealed credential for each name, and who asks for the next one.

    A method raises `OSError`, such as `StoreUnreachable`, where the store gives no answer.
    """

    async def credential(self, name: str) -> tuple[str, bytes] | None:
        """Return the id of the credential and its sealed text; None if there is none."""
        ...

    async def begin_refresh(self, name: str, owner: str, ttl: float) -> float:
        """Return 0.0 if this owner asks for the next one, for `ttl` seconds; else the wait."""
        ...

    async def end_refresh(self, name: str, owner: str, sealed: bytes | None, ttl: float) -> str:
        """Keep what this owner got, for `ttl` seconds, and tell those who watch.

        Returns its id; empty where nothing is kept: there is nothing, or another asks by now.
        """
        ...

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback()` when a refresh has ended; soon, not surely."""
        ...


class SharedProvider:
    """A provider for `Credentials`, asked once for all processes of a fleet.

        shared = SharedProvider(store, "exchange", sign_in, secret=secret)
        ws = recloser.connect(url, credentials=Credentials(shared))

    store: a `CredentialStore`: `MemoryStore()`, or `RedisStore(url)` for a fleet.
    name: names the credential; all processes that give it share the credential.
    provider, refresh: as in `Credentials`: what is asked first, and for a successor.
    secret: a key of `cryptography.fernet.Fernet.generate_key()`, the same in all processes. The
        credential is sealed with it before it leaves the process.
    within: seconds that one call of the provider may take. After that another process asks.

    Where the store gives no answer, each process asks its own provider, and a line in the log says
    so. Raises `TypeError` or `ValueError` for what cannot work, and `ImportError` where the
    cryptography library is missing.
    """

    def __init__(
        self,
        store: CredentialStore,
        name: str,
        provider: Provider,
        *,
        refresh: Provider | None = None,
        secret: str | bytes,
        within: float = 10.0,
    ) -> None:
        for what in ("credential", "begin_refresh", "end_refresh", "watch"):
            if not callable(getattr(store, what, None)):
                raise TypeError(f"store must be a CredentialStore such as MemoryStore(): {store!r}")
        if not isinstance(name, str):
            raise TypeError(f"the name of a credential must be a str, not {type(name).__name__}")
        if not callable(provider) or not (refresh is None or callable(refresh)):
            raise TypeError("provider and refresh must be functions: give a constant to connect()")
        check_seconds("within", within, positive=True)
        self._store = store
        self._name = name
        self._provider = provider
        self._refresh = provider if refresh is None else refresh
        self._box = _box(secret)
        self._within = within
        self._owner = uuid4().hex
        self._given = ""
        """The id of the credential that was given last: whoever asks again needs another."""
        self._contact = StoreContact()

    async def __call__(self) -> Credential:
        """Return the credential of the fleet, or another than was returned before.

        Raises what the provider raises, and `RecloserError` where the secrets differ.
        """
        ended = asyncio.Event()
        unwatch = self._store.watch(self._name, ended.set)
        try:
            return await self._shared(ended)
        except _Away:
            return await resolve(self._refresh if self._given else self._provider)
        finally:
            unwatch()

    async def _shared(self, ended: asyncio.Event) -> Credential:
        while True:
            ended.clear()
            kept = await self._kept()
            if kept is not None and kept[0] != self._given:
                self._given = kept[0]
                return kept[1]
            wait = await self._ask(self._store.begin_refresh(self._name, self._owner, self._within))
            if wait <= 0:
                return await self._renew(known=kept is not None)
            try:
                async with asyncio.timeout(wait):
                    await ended.wait()
            except TimeoutError:
                continue  # who asked may have died: look again

    async def _kept(self) -> tuple[str, Token] | None:
        """Return the id of the credential of the fleet, and what it is, unless it has ended."""
        found = await self._ask(self._store.credential(self._name))
        if found is None:
            return None
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - an extra

        try:
            said = json.loads(self._box.decrypt(found[1]))
        except InvalidToken:
            raise RecloserError(
                f"the credential {self._name!r} of the fleet was sealed with another secret: "
                "give all processes the same"
            ) from None
        if said["until"] is not None and said["until"] <= time.time():
            return None
        return found[0], Token(said["value"], expires_at=said["until"])

    async def _renew(self, *, known: bool) -> Credential:
        """Ask the provider, and keep what it gives; `known`: there was a credential before."""
        kept = await self._kept()  # another may have ended its refresh meanwhile
        if kept is not None and kept[0] != self._given:
            await self._end(None, 0.0)
            self._given = kept[0]
            return kept[1]
        asked, sealed, ttl = time.time(), None, 0.0
        try:
            provider: Provider = self._refresh if known or self._given else self._provider
            given: Credential = await resolve(provider)
            token = given if isinstance(given, Token) else Token(given)
            until = _end(token, asked)
            ttl = _KEPT if until is None else until - asked
            if ttl > 0:
                value = dict(token.value) if isinstance(token.value, Mapping) else token.value
                said = json.dumps({"value": value, "until": until})
                sealed = self._box.encrypt(said.encode())
        finally:
            self._given = await self._end(sealed, ttl) or self._given
        return token

    async def _end(self, sealed: bytes | None, ttl: float) -> str:
        try:
            return await self._ask(self._store.end_refresh(self._name, self._owner, sealed, ttl))
        except _Away:
            return ""

    async def _ask(self, asking: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await asking
        except OSError as error:
            self._contact.failed(self._name, error, {})
            raise _Away from error
        self._contact.answered(self._name, {})
        return answer


class _Away(Exception):
    """The store gives no answer."""


def _box(secret: str | bytes) -> "Fernet":
    if find_spec("cryptography") is None:
        raise ImportError("SharedProvider needs cryptography: pip install cryptography")
    from cryptography.fernet import Fernet  # noqa: PLC0415 - an extra

    if not isinstance(secret, str | bytes):
        raise TypeError(f"secret must be a key of Fernet, not {type(secret).__name__}")
    try:
        return Fernet(secret)
    except ValueError:
        raise ValueError("secret is no key of Fernet: make one by Fernet.generate_key()") from None


def _end(token: Token, asked: float) -> float | None:
    """Return the end of a credential, in seconds since the epoch; None if it is not known."""
    ends = [] if token.expires_in is None else [asked + token.expires_in]
    ends += [] if token.expires_at is None else [token.expires_at]
    return min(ends, default=None)
