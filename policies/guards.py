"""The rules that every shipped policy begins with: ends after which no dial may follow."""

from typing import Final

from recloser.fsm.record import Cause
from recloser.policies.actions import hold, refresh_then_retry, retry, stop
from recloser.policies.conditions import when
from recloser.policies.intervals import at_least
from recloser.policies.rules import Rule
from recloser.policies.windows import Windows

INTENTIONAL: Final = Rule(
    "asked",
    when(intentional=True),
    stop(),
    "The application asked for the end; its last wish decides what follows.",
    "RFC 6455 section 7.2.3: only an abnormal closure is to be recovered from",
)

REJECTED_REFRESH: Final = Rule(
    "rejected-refresh",
    when(cause=Cause.REJECTED, can_refresh=True, refreshed=False),
    refresh_then_retry(),
    "The peer did not accept the credential in-band: ask once for a new one.",
    "recloser: on_open raised Unauthorized",
)

HOPELESS: Final = (
    Rule(
        "rejected",
        when(cause=Cause.REJECTED),
        stop(),
        "The peer does not accept the credential, nor is there a better one: someone must sign in.",
        "recloser: on_open raised Unauthorized",
    ),
    Rule(
        "no-credential",
        when(cause=Cause.UNAUTHORIZED),
        stop(),
        "The provider says that there is no credential to be had: someone must sign in.",
        "recloser: the provider raised Unauthorized",
    ),
    Rule(
        "session-closed",
        when(cause=Cause.SESSION_CLOSED),
        stop(),
        "The aiohttp session that was lent is closed, so every dial would fail.",
        "recloser: the transport found the session closed",
    ),
    Rule(
        "configuration",
        when(cause=Cause.CONFIGURATION),
        stop(),
        "What was given cannot be dialled, and asking again gives the same.",
        "recloser: the checks before a dial refused the URL or a header",
    ),
    Rule(
        "proxy-credential",
        when(status=407),
        stop(),
        "The proxy wants credentials that we do not have.",
        "RFC 9110 section 15.5.8",
    ),
)

CERTIFICATE: Final = (
    Rule(
        "certificate-dates",
        when(cause=Cause.VALIDITY),
        retry(Windows(first=30.0, factor=2.0, longest=300.0), at_least=10.0),
        "A certificate is renewed, a clock is set: the same dial works then, so look now and then.",
        "RFC 5280 section 4.1.2.5",
    ),
    Rule(
        "certificate",
        when(code=1015),
        stop(),
        "The server's certificate was not accepted; dialling again shows the same one.",
        "RFC 6455 section 7.4.1",
    ),
)

_ADVISE = "recloser: advise(), for services that speak in-band before they close"
ADVICE: Final = (
    Rule(
        "advised-stop",
        when(advice="stop"),
        stop(),
        "The server said in-band that nobody is to come back.",
        _ADVISE,
    ),
    Rule(
        "advised-hold",
        when(advice="hold"),
        hold(),
        "The server said in-band to wait until called.",
        _ADVISE,
    ),
    Rule(
        "advised-refresh",
        when(advice="refresh", can_refresh=True, refreshed=False),
        refresh_then_retry(),
        "The server said in-band that the credential is spent.",
        _ADVISE,
    ),
    Rule(
        "advised-retry",
        when(advice="retry"),
        retry(),
        "The server said in-band to come back.",
        _ADVISE,
    ),
)

PROXY: Final = Rule(
    "proxy-refused",
    when(cause=Cause.PROXY),
    retry(),
    "The proxy could not or would not reach the server, whatever its status: that passes.",
    "RFC 9110 section 9.3.6; privoxy answers 404 and squid 503 when a name does not resolve",
)

_LIMIT: Final = 3
REFUSALS: Final = (
    Rule(
        "too-big-again",
        when(cause=Cause.TOO_BIG, refusals=at_least(_LIMIT)),
        stop(),
        "A message above max_message_size came three times in a row: raise it, or ask for less.",
        "recloser: our 1009, as little to be repeated as the peer's",
    ),
    Rule(
        "unreadable-again",
        when(cause=Cause.PROTOCOL, refusals=at_least(_LIMIT)),
        stop(),
        "The peer broke the protocol in the same way three times in a row: it will again.",
        "recloser: our 1002 or 1007, as little to be repeated as the peer's",
    ),
)
"""What we refuse of the peer's again and again (B16)."""
