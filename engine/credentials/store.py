"""`Credentials`: a provider, the credential that it gave last, and the one refresh in flight."""

import asyncio
import inspect
from collections.abc import Mapping
from typing import Final, TypeAlias

from recloser.clock import Clock
from recloser.credentials.places import Place, header
from recloser.credentials.sharing import Shared
from recloser.credentials.token import IssuedCredential, Token, issue
from recloser.fsm.numbers import check_seconds
from recloser.fsm.record import Cause
from recloser.providers import Input, dial_failure, resolve
from recloser.transport.base import Request

Credential: TypeAlias = str | Mapping[str, str] | Token
"""A token, the headers that make up a credential, or either with a known end."""

Provider: TypeAlias = Input[Credential]

_BEARER: Final = header()
_AHEAD: Final = 30.0
"""Seconds before the end of a credential at which it is replaced."""


class Credentials:
    """The credentials of a dial; many engines may share one object, and then refresh once.

    provider: a credential, or a function or coroutine function that gives one: a token, a
        mapping of headers, or a `Token` with its end. `Unauthorized` out of it is final.
    refresh: asked in the place of `provider` for the successor of a credential that was
        refused or ran out; `provider` itself if None.
    place: where a token goes: `header()`, `query()`, `subprotocol()`, `in_band()`, or a
        function of request and token that gives the request to dial. Headers go where headers go.
    ahead: seconds; a credential that ends sooner than this after the start of a dial is
        replaced before it. Between dials nothing happens, and no timer is set.
    timeout: seconds for one call of a provider; None leaves it to `Timeouts.connect`.
    cache: keep a credential until it is refused or runs out; False asks for each dial by
        itself, as single-use tickets want it, and nothing is shared.

    Raises `TypeError` or `ValueError` for what cannot work, and for what would have no effect:
    `place` for headers, `ahead` without a cache.
    """

    __slots__ = (
        "_ahead",
        "_cache",
        "_call",
        "_current",
        "_forgotten",
        "_place",
        "_provider",
        "_refresh",
        "_replacing",
        "_timeout",
        "_version",
    )

    def __init__(
        self,
        provider: Provider,
        *,
        refresh: Provider | None = None,
        place: Place = _BEARER,
        ahead: float = _AHEAD,
        timeout: float | None = 10.0,
        cache: bool = True,
    ) -> None:
        if isinstance(provider, Credentials):
            raise TypeError("these are Credentials already: give them as they are")
        for given in (provider, refresh):
            if given is not None and not callable(given):
                issue(given, 0, asked=(0.0, 0.0))
        if provider is None:
            raise TypeError("credentials need a provider: a token, or a function that gives one")
        if not callable(place) or inspect.iscoroutinefunction(place):
            raise TypeError(f"place must be a plain function of request and token, not {place!r}")
        constant = provider.value if isinstance(provider, Token) else provider
        if isinstance(constant, Mapping) and place is not _BEARER:
            raise ValueError(
                "place is for a token, and headers go where headers go: leave place out"
            )
        if not isinstance(cache, bool):
            raise TypeError(f"cache must be True or False, not {cache!r}")
        check_seconds("ahead", ahead)
        if not cache and ahead != _AHEAD:
            raise ValueError("cache=False asks before every dial: leave ahead out")
        if timeout is not None:
            check_seconds("timeout", timeout, positive=True)
        self._provider = provider
        self._refresh = provider if refresh is None else refresh
        self._place = place
        self._ahead = ahead
        self._timeout = timeout
        self._cache = cache
        self._version = 0
        self._current: IssuedCredential | None = None
        self._replacing = False
        """Whether there was one, so that the next is its successor."""
        self._call: Shared[IssuedCredential] | None = None
        self._forgotten = 0

    @property
    def can_refresh(self) -> bool:
        """Whether asking again may give another credential."""
        return callable(self._provider) or self._refresh is not self._provider

    def forget(self) -> None:
        """Drop the kept credential: the next dial asks `provider`. Call it for another user."""
        self._current = self._call = None
        self._replacing = False
        self._forgotten += 1

    async def ask(self, clock: Clock, *, refused: int | None = None) -> IssuedCredential:
        """Give the credential for a dial, and ask for a new one where that is needed.

        `refused` is the version that the server refused; None if it refused none. If another
        engine has replaced it meanwhile, this returns its successor. Raises
        `DialFailed`.
        """
        if not self._cache:
            return await self._fetch(clock, replacing=refused is not None)
        if self._current is not None and (
            self._current.version == refused or not self._current.serves(clock, self._ahead)
        ):
            self._current = None
        if self._current is not None:
            return self._current
        call = self._call
        if call is None or not call.joinable:
            call = Shared(self._renew(clock), name="recloser credentials")
            self._call = call
        return await call.result()

    def put(self, request: Request, credential: IssuedCredential) -> Request:
        """Return the request with the credential in it; raises as a place of your own does."""
        if not isinstance(credential.value, str):
            return request.with_headers(credential.value)
        signed: object = self._place(request, credential.value)
        if inspect.iscoroutine(signed):
            signed.close()
        if not isinstance(signed, Request):
            kind = type(signed).__name__
            raise TypeError(f"place must give a recloser.transport.Request, not {kind}")
        return signed

    async def _renew(self, clock: Clock) -> IssuedCredential:
        forgotten = self._forgotten
        found = await self._fetch(clock, replacing=self._replacing)
        if self._forgotten == forgotten:
            self._current, self._replacing = found, True
        return found

    async def _fetch(self, clock: Clock, *, replacing: bool) -> IssuedCredential:
        asked = clock.monotonic(), clock.wall()
        with dial_failure(Cause.CREDENTIALS):
            given = await self._within(self._refresh if replacing else self._provider)
        with dial_failure(Cause.CONFIGURATION):
            found = issue(given, self._version + 1, asked=asked)
        self._version = found.version
        return found

    async def _within(self, provider: Provider) -> Credential:
        bound = asyncio.timeout(self._timeout)
        try:
            async with bound:
                return await resolve(provider)
        except TimeoutError:
            if bound.expired():
                raise TimeoutError(f"no credential was given in {self._timeout} s") from None
            raise


def credentials_of(given: Credentials | Provider) -> Credentials:
    """Return the argument of `connect` as `Credentials`; a bare function is asked each time."""
    if isinstance(given, Credentials):
        return given
    return Credentials(given, timeout=None, cache=False)
