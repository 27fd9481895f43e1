"""The inputs of every dial: URL, headers, subprotocols and credentials."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from yarl import URL

from recloser.checks import (
    address_of,
    check_credentials,
    check_headers,
    check_subprotocols,
    check_url,
)
from recloser.clock import Clock
from recloser.fsm.record import Cause
from recloser.providers import Input, dial_failure, resolve
from recloser.transport.base import Request

if TYPE_CHECKING:
    from recloser.credentials.store import Credentials

Url: TypeAlias = Input[str | URL]
Headers: TypeAlias = Input[Mapping[str, str]]
Subprotocols: TypeAlias = Input[Iterable[str]]


class Inputs:
    """Asks for the inputs before every dial; plain values are checked when an engine is made.

    Raises `TypeError` or `ValueError` for plain values that cannot be dialled.
    """

    __slots__ = (
        *("_checked", "_credentials", "_headers", "_place", "_plain", "_subprotocols", "_url"),
        "_used",
    )

    def __init__(
        self,
        url: Url,
        headers: Headers,
        subprotocols: Subprotocols,
        credentials: "Credentials | None" = None,
    ) -> None:
        self._url: Url = url
        self._checked = None if callable(url) else check_url(url)
        """The URL of every dial as it goes to the wire; None where it is to be asked for."""
        self._headers: Headers = headers if callable(headers) else check_headers(headers)
        self._subprotocols: Subprotocols = (
            subprotocols if callable(subprotocols) else check_subprotocols(subprotocols)
        )
        self._plain: Request | None = None
        """The request of every dial, unless something of it is to be asked for."""
        if self._checked is not None and not callable(self._headers):
            check_credentials(self._checked, self._headers)
            if not callable(self._subprotocols):
                self._plain = Request(self._checked, self._headers, self._subprotocols)
        self._place: tuple[str, str] | None = None
        self._credentials = credentials
        self._used = 0
        """The version of the credential of the last dial: the one that the server refused."""

    @property
    def can_refresh(self) -> bool:
        """Whether a new credential can be asked for."""
        return self._credentials is not None and self._credentials.can_refresh

    @property
    def asks(self) -> bool:
        """Whether a function gives the URL."""
        return self._checked is None

    @property
    def place(self) -> tuple[str | None, str]:
        """Address and "host:port" of the first dial; None and "" where a function gives them."""
        return (None, "") if self._checked is None else self._place_of(self._checked)

    def address_of(self, request: Request) -> tuple[str, str]:
        """Return the address of a request, and its "host:port"."""
        return self._place_of(request.url)

    def _place_of(self, url: str) -> tuple[str, str]:
        """Return what `address_of` does; for the URL of every dial it is kept."""
        if url is not self._checked:
            return address_of(url)
        if self._place is None:
            self._place = address_of(url)
        return self._place

    @property
    def plain(self) -> Request | None:
        """The request of every dial; None where something of it is to be asked for."""
        return self._plain if self._credentials is None else None

    async def request(self, clock: Clock, *, refresh: bool = False) -> Request:
        """Ask for URL, headers, subprotocols and credentials, in this order.

        With `refresh` the credential of the last dial is not used again. Raises `DialFailed`
        with the cause.
        """
        request = self._plain or await self._resolved()
        if self._credentials is None:
            return request
        with dial_failure(Cause.CREDENTIALS):
            credential = await self._credentials.ask(clock, refused=self._used if refresh else None)
            self._used = credential.version
            signed = self._credentials.put(request, credential)
        with dial_failure(Cause.CONFIGURATION):
            url = check_url(signed.url, encoded=True)
            checked = _checked(url, signed.headers, signed.subprotocols)
        private = frozenset(checked.subprotocols).difference(request.subprotocols)
        return replace(checked, private_subprotocols=private, credential=credential.value)

    async def _resolved(self) -> Request:
        with dial_failure(Cause.CREDENTIALS):
            url = await resolve(self._url)
            headers = await resolve(self._headers)
            subprotocols = await resolve(self._subprotocols)
        with dial_failure(Cause.CONFIGURATION):
            return _checked(check_url(url), headers, subprotocols)


def _checked(url: str, headers: object, subprotocols: object) -> Request:
    lines = check_headers(headers)
    check_credentials(url, lines)
    return Request(url, lines, check_subprotocols(subprotocols))
