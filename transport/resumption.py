"""TLS handshakes that resume the session of the connection before (E9)."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextvars import ContextVar, Token
from math import inf
from ssl import (
    PROTOCOL_TLS_CLIENT,
    VERIFY_X509_PARTIAL_CHAIN,
    VERIFY_X509_STRICT,
    MemoryBIO,
    SSLContext,
    SSLObject,
    SSLSession,
    cert_time_to_seconds,
)
from time import time
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from recloser.fsm.named_tuple import NamedTuple

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer  # collections.abc.Buffer from Python 3.12 on

_Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
_Password: TypeAlias = str | bytes | bytearray

LONGEST: Final = 86400.0
"""Seconds for which a certificate counts as checked: a day."""


class _Connection(SSLObject):
    """A TLS connection that knows when its server's certificate was checked."""

    settings: object
    """The settings of the context at its handshake."""
    began: float
    """When the handshake began, in seconds since the epoch."""
    offered: float | None
    """When the certificate of the ticket that it offered was checked; None for no ticket."""

    @property
    def checked(self) -> float:
        """When the certificate was checked, in seconds since the epoch."""
        return self.offered if self.offered is not None and self.session_reused else self.began


class ResumingContext(SSLContext):
    """A client's TLS context with which a returning engine resumes its TLS session.

    Give it to `recloser.connect(ssl=...)`. Its settings and its arguments are those of
    `ssl.create_default_context`: `cafile`, `capath` and `cadata` say whom to trust, and the
    system's authorities are trusted if all three are None. It may be changed as any other context.

    A handshake that resumes a session (RFC 8446 section 2.2, RFC 5077) sends no certificate and
    checks none: the server shows that it knows a secret of the connection before. That connection
    had checked the certificate, or was resumed itself. Each engine keeps the last ticket that its
    server sent, offers it once, to the same host name, and falls back to a full handshake where
    the server does not accept it. A ticket is not offered

    - more than a day after the certificate was checked, or after the last day of the certificate;
    - after a change of the context: its authorities, its client certificate, an attribute.

    What it costs and what it gives up: docs/networks.md.
    """

    sslobject_class: type[SSLObject] = _Connection

    _settings: object = None
    """Another object after each change."""

    def __new__(
        cls, cafile: str | None = None, capath: str | None = None, cadata: str | bytes | None = None
    ) -> Self:
        """Make a context for a client."""
        del cafile, capath, cadata
        return super().__new__(cls, PROTOCOL_TLS_CLIENT)

    def __init__(
        self,
        cafile: str | None = None,
        capath: str | None = None,
        cadata: str | bytes | None = None,
    ) -> None:
        made: SSLContext = self  # set on `self`, they would be new attributes without a type
        if sys.version_info >= (3, 13):  # as ssl.create_default_context does
            made.verify_flags |= VERIFY_X509_PARTIAL_CHAIN | VERIFY_X509_STRICT
        if cafile is None and capath is None and cadata is None:
            self.load_default_certs()
        else:
            self.load_verify_locations(cafile, capath, cadata)
        keys = os.environ.get("SSLKEYLOGFILE")
        if keys and not sys.flags.ignore_environment:
            made.keylog_filename = keys

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; sessions from before are not resumed."""
        super().__setattr__(name, value)
        self._change()

    def load_cert_chain(
        self,
        certfile: _Path,
        keyfile: _Path | None = None,
        password: Callable[[], _Password] | _Password | None = None,
    ) -> None:
        """See `ssl.SSLContext`; sessions from before are not resumed."""
        super().load_cert_chain(certfile, keyfile, password)
        self._change()

    def load_verify_locations(
        self,
        cafile: _Path | None = None,
        capath: _Path | None = None,
        cadata: "str | ReadableBuffer | None" = None,
    ) -> None:
        """See `ssl.SSLContext`; sessions from before are not resumed."""
        super().load_verify_locations(cafile, capath, cadata)
        self._change()

    def set_default_verify_paths(self) -> None:
        """See `ssl.SSLContext`; sessions from before are not resumed."""
        super().set_default_verify_paths()
        self._change()

    def _change(self) -> None:
        super().__setattr__("_settings", object())

    def wrap_bio(
        self,
        incoming: MemoryBIO,
        outgoing: MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLObject:
        """See `ssl.SSLContext`: event loops call it. In a dial it offers the ticket of the engine.

        A ticket that is given as `session` is offered as it is.
        """
        resumption = _RESUMPTION.get()
        ticket = None
        if resumption is not None and session is None:
            ticket = resumption.ticket(self, server_hostname)
        if ticket is not None:
            session = ticket.session
        made = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        if isinstance(made, _Connection):
            made.settings = self._settings
            made.began = time()
            made.offered = None if ticket is None else ticket.checked
        return made


class Ticket(NamedTuple):
    """A TLS session, and for whom and until when it may be resumed."""

    session: SSLSession
    context: SSLContext
    settings: object
    host: str | bytes | None
    checked: float
    """When the certificate was checked, in seconds since the epoch."""
    until: float
    """When it is too old, in the same seconds."""


class Resumption:
    """What one transport keeps of TLS between two connections: the last ticket."""

    __slots__ = ("_ticket",)

    def __init__(self) -> None:
        self._ticket: Ticket | None = None

    def ticket(self, context: ResumingContext, host: str | bytes | None) -> Ticket | None:
        """Give the ticket, once, if a connection of this context to this host may be resumed."""
        ticket = self._ticket
        if ticket is None or ticket.context is not context or ticket.host != host:
            return None
        self._ticket = None
        changed = ticket.settings is not context._settings  # noqa: SLF001 - of the same file
        return None if changed or not ticket.checked <= time() < ticket.until else ticket

    def keep(self, transport: asyncio.BaseTransport | None) -> None:
        """Keep the ticket of a connection that has ended, if the server sent one.

        A server sends tickets after a handshake of TLS 1.3: so the end is the time to look.
        """
        ended = None if transport is None else transport.get_extra_info("ssl_object")
        if transport is None or not isinstance(ended, _Connection):
            return
        checked = ended.checked
        if not checked <= time() < checked + LONGEST:
            return
        session = ended.session
        if session is None or not session.has_ticket:
            return
        certificate = transport.get_extra_info("peercert")
        last = cert_time_to_seconds(certificate["notAfter"]) if certificate else inf
        self._ticket = Ticket(
            session,
            ended.context,
            ended.settings,
            ended.server_hostname,
            checked,
            min(checked + LONGEST, last),
        )


_RESUMPTION: Final = ContextVar[Resumption | None]("recloser_resumption", default=None)


def offer_ticket(resumption: Resumption | None) -> Token[Resumption | None] | None:
    """Offer the ticket of a transport to what its dial connects to; aiohttp hands none through.

    Returns what `withdraw_ticket` takes when the dial is over. None if nothing changes, as most
    often: a context in which a variable was set costs each connection 120 bytes. A `with` block
    would keep two objects for as long as the dial takes.
    """
    return None if _RESUMPTION.get() is resumption else _RESUMPTION.set(resumption)


def withdraw_ticket(offered: Token[Resumption | None]) -> None:
    """Offer again what was offered before that dial."""
    _RESUMPTION.reset(offered)


def keep_ticket(transport: asyncio.BaseTransport | None) -> None:
    """Keep the ticket of a connection that leads to no wire: its upgrade was refused."""
    resumption = _RESUMPTION.get()
    if resumption is not None:
        resumption.keep(transport)
