"""The close record: all known facts of the end of a generation, or of a failed dial."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final, Self, TypeVar

from recloser.fsm.closecodes import ABNORMAL, MESSAGE_TOO_BIG, PROTOCOL_ERROR, TRY_LATER
from recloser.fsm.states import Wish, Word
from recloser.fsm.value import Value, assign, parameters

NO_HEADERS: Final[Mapping[str, str]] = {}
"""Shared, and read-only by its type: a `MappingProxyType` cannot be copied or pickled."""
_BUSY_STATUSES: Final = (429, 503)
_OWN_STATUSES: Final = (401, 407, 408, 421, 425, 429)
"""Client errors that blame a credential or the moment, and not the address or the request."""
_NO_PROTOCOL: Final = (501, 505)

C = TypeVar("C", bound="Close")


def blames_request(status: int) -> bool:
    """Whether an answer to an upgrade says that the address or the request is wrong.

    A status below 500 that speaks neither of a credential nor of the moment, or 501 or 505.
    A server that starts or stops, and whoever stands in front of one, say the same for a while.
    """
    if status in _NO_PROTOCOL:
        return True
    return status < 500 and status not in _OWN_STATUSES  # noqa: PLR2004 - RFC 9110 section 15.6


class Origin(Word):
    """The party that ended it."""

    APPLICATION = "application"
    """Our own application asked for it."""
    PEER = "peer"
    """The other endpoint said so: a close frame, a refused upgrade."""
    NETWORK = "network"
    """No message said so: the line broke, or was never there."""
    ENGINE = "engine"
    """This library ended it: a time-out, liveness, a refused frame, a hook."""


class Cause(Word):
    """The last fact that was seen of the connection."""

    CLOSE_FRAME = "close_frame"
    """The peer's close frame arrived."""
    EOF = "eof"
    """The stream ended without a close frame."""
    RESET = "reset"
    """The connection broke with an error of the operating system."""
    REFUSED = "refused"
    """The upgrade was answered with another status than 101; see `Close.status`."""
    PROXY = "proxy"
    """The proxy on the way refused the tunnel, or asked for credentials; see `Close.status`."""
    DNS = "dns"
    """The host name could not be resolved."""
    TCP = "tcp"
    """No TCP connection could be made."""
    TLS = "tls"
    """The TLS handshake failed; with code 1015 the certificate was not accepted."""
    VALIDITY = "validity"
    """The certificate is outside its validity period: expired, or not valid yet (code 1015)."""
    DIAL = "dial"
    """The dial failed within this process: no file descriptor is left, or the transport does not
    know the error. `Close.error` says which."""
    CONNECT_TIMEOUT = "connect_timeout"
    """The dial, `on_open` included, took longer than `Timeouts.connect`."""
    CLOSE_TIMEOUT = "close_timeout"
    """The closing took longer than `Timeouts.close`; the transport was aborted."""
    HEARTBEAT = "heartbeat"
    """The peer was silent for longer than the heartbeat allows."""
    DEAF = "deaf"
    """The peer went on sending, but no longer answered pings that it had answered before."""
    STALE = "stale"
    """No message came for as long as the application allows, whatever pongs came."""
    PROTOCOL = "protocol"
    """The peer broke RFC 6455 or HTTP: a bad frame, a bad accept key, garbage."""
    TOO_BIG = "too_big"
    """A message exceeded the receive limit; we sent 1009."""
    DECLARED = "declared"
    """The application said that the connection is of no use: `fail()`."""
    CANCELLED = "cancelled"
    """The application asked to leave while the dial was under way."""
    HOOK = "hook"
    """`on_open`, the function of a heartbeat's message, or a supervised handler raised."""
    BUDGET = "budget"
    """The budget of the engine has no dial left: nothing was dialled. It counts as no failure."""
    LEASE = "lease"
    """The engine does not hold its lease, or held it too long. It counts as no failure."""
    CREDENTIALS = "credentials"
    """A provider of the URL, headers, subprotocols or credentials failed."""
    UNAUTHORIZED = "unauthorized"
    """A provider raised `Unauthorized`: asking again gives no credential."""
    REJECTED = "rejected"
    """The peer did not accept the credential in-band: `on_open` raised `Unauthorized`."""
    SESSION_CLOSED = "session_closed"
    """The aiohttp session that the application lent has been closed."""
    CONFIGURATION = "configuration"
    """The given values cannot be dialled: a bad URL, a bad header, found before the dial."""


class Close(Value, hidden=("headers", "error"), unhashed=("headers",), uncompared=("error",)):
    """The end of a generation, or the failure of a dial.

    `code` is the one received (RFC 6455 section 7.1.5), or a local marker: 1005 for a close
    frame without a code, 1006 for no close frame, 1015 for a certificate that was refused.
    It is a plain `int`: a number that is in no registry arrives unchanged.
    """

    __slots__ = (
        "advice",
        "body",
        "cause",
        "clean",
        "code",
        "error",
        "headers",
        "intentional",
        "origin",
        "reason",
        "retry_after",
        "sent_code",
        "spread",
        "status",
        "unsent",
        "wish",
    )
    __match_args__ = ()

    code: int
    """The code received, or 1005, 1006 or 1015."""
    origin: Origin
    """The party that ended it."""
    cause: Cause
    """The last fact that was seen of the connection."""
    reason: str
    """The peer's text: a hint, never needed for a decision, never for end users."""
    sent_code: int | None
    """The code of the close frame that we sent, if we did."""
    intentional: bool
    """The application asked for the end."""
    wish: Wish | None
    """The last wish of the application; None unless `intentional`."""
    clean: bool
    """A close frame was received: the peer said that it ends."""
    status: int | None
    """HTTP status of a refused upgrade, or of a proxy that refused the tunnel."""
    headers: Mapping[str, str]
    """Headers of that answer, names in lower case; not in `repr`, since they hold secrets."""
    body: str
    """The first 200 bytes of the body of a refused upgrade as one line: a hint, for people."""
    retry_after: float | None
    """Seconds that that answer asks us to wait (RFC 9110 section 10.2.3)."""
    spread: float | None
    """Seconds over which the server asks its clients to spread their return."""
    advice: str | None
    """The text that the application passed on by `advise()` before the end, or gave to `fail()`."""
    unsent: int
    """Messages not known to have left the process: an upper bound."""
    error: BaseException | None
    """The exception behind the end, without traceback and context: they would keep frames alive."""

    def __init__(
        self,
        *,
        code: int,
        origin: Origin,
        cause: Cause,
        reason: str = "",
        sent_code: int | None = None,
        intentional: bool = False,
        wish: Wish | None = None,
        clean: bool = False,
        status: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        body: str = "",
        retry_after: float | None = None,
        spread: float | None = None,
        advice: str | None = None,
        unsent: int = 0,
        error: BaseException | None = None,
    ) -> None:
        assign(self, "code", code)
        assign(self, "origin", origin)
        assign(self, "cause", cause)
        assign(self, "reason", reason)
        assign(self, "sent_code", sent_code)
        assign(self, "intentional", intentional)
        assign(self, "wish", wish)
        assign(self, "clean", clean)
        assign(self, "status", status)
        assign(self, "headers", headers)
        assign(self, "body", body)
        assign(self, "retry_after", retry_after)
        assign(self, "spread", spread)
        assign(self, "advice", advice)
        assign(self, "unsent", unsent)
        assign(self, "error", error)

    @classmethod
    def frame(
        cls,
        code: int,
        reason: str = "",
        *,
        sent_code: int | None = None,
        spread: float | None = None,
    ) -> Self:
        """Make the record of a close frame of the peer."""
        draft = _Draft(
            code, Origin.PEER, Cause.CLOSE_FRAME, reason, sent_code, clean=True, spread=spread
        )
        return draft.finish(cls)

    @classmethod
    def refused(
        cls,
        status: int,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        body: str = "",
        retry_after: float | None = None,
        error: BaseException | None = None,
    ) -> Self:
        """Make the record of an upgrade that the peer answered with an HTTP status."""
        draft = _Draft(
            ABNORMAL,
            Origin.PEER,
            Cause.REFUSED,
            status=status,
            headers=headers,
            body=body,
            retry_after=retry_after,
            error=error,
        )
        return draft.finish(cls)

    @classmethod
    def refused_by_proxy(
        cls,
        status: int,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        body: str = "",
        retry_after: float | None = None,
        error: BaseException | None = None,
    ) -> Self:
        """Make the record of a proxy that answered with an HTTP status: the peer heard nothing."""
        draft = _Draft(
            ABNORMAL,
            Origin.NETWORK,
            Cause.PROXY,
            status=status,
            headers=headers,
            body=body,
            retry_after=retry_after,
            error=error,
        )
        return draft.finish(cls)

    @classmethod
    def cut(
        cls,
        cause: Cause = Cause.EOF,
        *,
        sent_code: int | None = None,
        spread: float | None = None,
        error: BaseException | None = None,
    ) -> Self:
        """Make the record of an end without a message: a broken connection, an unanswered dial."""
        draft = _Draft(
            ABNORMAL, Origin.NETWORK, cause, sent_code=sent_code, spread=spread, error=error
        )
        return draft.finish(cls)

    @classmethod
    def by_engine(
        cls,
        cause: Cause,
        *,
        code: int = ABNORMAL,
        sent_code: int | None = None,
        unsent: int = 0,
        error: BaseException | None = None,
    ) -> Self:
        """Make the record of an end that this library chose: a time-out, a hook that failed."""
        draft = _Draft(code, Origin.ENGINE, cause, sent_code=sent_code, unsent=unsent, error=error)
        return draft.finish(cls)

    @classmethod
    def declared(cls, *, sent_code: int | None = None, unsent: int = 0) -> Self:
        """Make the record of a connection that the application says has failed: `fail()`."""
        draft = _Draft(
            ABNORMAL, Origin.APPLICATION, Cause.DECLARED, sent_code=sent_code, unsent=unsent
        )
        return draft.finish(cls)

    @property
    def refusal(self) -> tuple[Cause, int] | None:
        """What we refused of an open peer's: the cause and our code for it; else None.

        The code is known although `sent_code` is None where the peer was gone already.
        """
        if self.cause is Cause.TOO_BIG:
            return self.cause, MESSAGE_TOO_BIG
        if self.cause is Cause.PROTOCOL:
            return self.cause, self.sent_code or PROTOCOL_ERROR
        return None

    @property
    def answered(self) -> bool:
        """Whether a server answered the upgrade with a status, and no proxy on the way to it."""
        return self.status is not None and self.cause is not Cause.PROXY

    @property
    def denied(self) -> bool:
        """Whether the upgrade was refused with a status that blames the address or the request.

        See `blames_request`. A proxy that refuses the tunnel speaks of its own troubles.
        """
        return self.status is not None and self.answered and blames_request(self.status)

    @property
    def busy(self) -> bool:
        """Whether a server answered that it has no room: status 429 or 503, or code 1013.

        RFC 6585 section 4, RFC 9110 section 15.6.4, and the IANA registry's Try Again Later.
        """
        return self.status in _BUSY_STATUSES or (self.status is None and self.code == TRY_LATER)


class _Draft(Close):
    """A record whose fields can still be set, and that becomes a `Close`.

    A value sets each field by a call, which takes three times as long.
    """

    __slots__ = ()
    __setattr__ = object.__setattr__  # type: ignore[assignment] # its arguments have no names
    __delattr__ = object.__delattr__  # with one of them alone, each assignment is a call of Python

    def __init__(
        self: Any,
        code: int,
        origin: Origin,
        cause: Cause,
        reason: str = "",
        sent_code: int | None = None,
        intentional: bool = False,
        wish: Wish | None = None,
        clean: bool = False,
        status: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        body: str = "",
        retry_after: float | None = None,
        spread: float | None = None,
        advice: str | None = None,
        unsent: int = 0,
        error: BaseException | None = None,
    ) -> None:
        self.code = code
        self.origin = origin
        self.cause = cause
        self.reason = reason
        self.sent_code = sent_code
        self.intentional = intentional
        self.wish = wish
        self.clean = clean
        self.status = status
        self.headers = headers
        self.body = body
        self.retry_after = retry_after
        self.spread = spread
        self.advice = advice
        self.unsent = unsent
        self.error = error

    def finish(self, kind: type[C]) -> C:
        """Return this very object, which is a record from now on."""
        draft: Any = self
        draft.__class__ = kind
        made: C = draft
        return made


_facts: Final = attrgetter(*parameters(Close.__init__))


def varied(close: Close, **changes: Any) -> Close:
    """Return the record with other values in these fields; `AttributeError` if there is no such.

    `dataclasses.replace` takes five times as long.
    """
    draft = _Draft(*_facts(close))
    for name, value in changes.items():
        setattr(draft, name, value)
    return draft.finish(Close)
