"""The rules of the standard policy for close codes, where no special rule applies."""

from typing import Literal

from recloser.fsm.closecodes import MESSAGE_REFUSED, MESSAGE_TOO_BIG
from recloser.fsm.decisions import Phase, Unsent
from recloser.fsm.record import Cause
from recloser.policies.actions import AT_ONCE, SOON, hold, refresh_then_retry, retry, stop
from recloser.policies.backoff import Uniform
from recloser.policies.conditions import when
from recloser.policies.intervals import at_least, below
from recloser.policies.restart import AfterRestart
from recloser.policies.rules import Rule
from recloser.policies.windows import Windows

PeerNormal = Literal["retry", "hold", "stop"]

_RFC = "RFC 6455 section 7.4.1"
_RANGES = "RFC 6455 section 7.4.2"
_IANA = "IANA registry of WebSocket close codes"
_LIMIT = 3


_LOSS = (
    r"\bp[io]ngs?\b|time[ds]?[ -]?out|heart-?beat|keep-?alive"
    r"|\bdied\b|\bdead\b|\blost\b|\bidle\b|\binactiv|unresponsive"
)
"""Reasons that speak of a loss: tornado's "ping timed out", RabbitMQ's "STOMP died"."""
_MUTE = r"\bp[io]ngs?\b|heart-?beat|keep-?alive|\bidle\b|\binactiv|^timed out$"
"""The same for a 1008. A time-out of its own is no such word: NATS says it of a missing login."""
_SLOWER = Windows(factor=2.0, longest=300.0)
"""Gaps that grow to minutes."""


def peer_normal_rules(answer: PeerNormal) -> tuple[Rule, ...]:
    """Make the rules for a 1000 that the peer sent (B6)."""
    lost = (
        Rule(
            "peer-lost",
            when(code=1000, reason=_LOSS, attempt=1, stable=True),
            retry(AT_ONCE),
            "The peer missed our pongs or our messages: a line that broke, whatever the code.",
            "docs/policies.md, 1000 from the peer",
        ),
        Rule(
            "peer-lost-again",
            when(code=1000, reason=_LOSS),
            retry(),
            "The connection was lost before it had proved itself.",
            "docs/policies.md, 1000 from the peer",
        ),
    )
    if answer == "stop":
        why = "The peer says that all is done, and it is believed."
        return (*lost, Rule("peer-normal", when(code=1000), stop(), why, _RFC))
    if answer == "hold":
        why = "The peer says that all is done: rest until there is more to do."
        return (*lost, Rule("peer-normal", when(code=1000), hold(), why, _RFC))
    if answer != "retry":
        raise ValueError(f"peer_normal must be 'retry', 'hold' or 'stop', not {answer!r}")
    return (
        *lost,
        Rule(
            "peer-normal",
            when(code=1000, attempt=below(_LIMIT)),
            retry(SOON),
            "Many servers say 1000 for a restart, an idle time-out or a kick: look again soon.",
            f"{_RFC}, which leaves the action open; half of the clients surveyed come back",
        ),
        Rule(
            "peer-normal-again",
            when(code=1000),
            retry(_SLOWER),
            "It goes on saying so: it may be full, or mean it; look ever more rarely.",
            f"{_RFC}; docs/policies.md, 1000 from the peer",
        ),
    )


LOST = (
    Rule(
        "deaf",
        when(code=1006, cause=Cause.DEAF),
        retry(),
        "A server that sends but hears nothing is most often leaving: come back spread out.",
        "recloser: liveness; aiohttp.web 3.14.5 after SIGTERM, for twice its shutdown_timeout",
    ),
    Rule(
        "declared",
        when(code=1006, cause=Cause.DECLARED),
        retry(),
        "The application says that this connection has failed: come back, ever more slowly.",
        "recloser: fail(), for services that say it in-band",
    ),
    Rule(
        "stale",
        when(code=1006, cause=Cause.STALE),
        retry(),
        "No message came for too long; a feed that stalls, stalls for everybody: come spread out.",
        "recloser: stale_after, and the watchdogs of the application",
    ),
    Rule(
        "silent",
        when(code=1006, cause=Cause.HEARTBEAT, attempt=1),
        retry(AT_ONCE),
        "Only our own line went silent, so nobody else dials with us.",
        "recloser: liveness",
    ),
    Rule(
        "alone",
        when(
            code=1006,
            cause=(Cause.EOF, Cause.RESET),
            phase=Phase.OPEN,
            attempt=1,
            stable=True,
        ),
        retry(AT_ONCE),
        "A connection that had been well broke; most often only this one.",
        _RFC,
    ),
    Rule(
        "hook-failed",
        when(code=1006, cause=Cause.HOOK),
        retry(),
        "The application's code failed: on_open, say, or a handler; the log has a bug's traceback.",
        "recloser: the application's own code",
    ),
    Rule(
        "provider-failed",
        when(code=1006, cause=Cause.CREDENTIALS),
        retry(),
        "URL, headers, subprotocols or credential could not be given this time.",
        "recloser: the application's own code",
    ),
    Rule(
        "no-connection",
        when(code=1006, phase=Phase.DIAL),
        retry(),
        "No connection came about; that may last, but never ends an engine by itself.",
        "RFC 6455 section 7.2.3",
    ),
    Rule(
        "abnormal",
        when(code=1006),
        retry(),
        "The connection broke before it had proved itself.",
        "RFC 6455 section 7.2.3",
    ),
)
"""The rules for an end without a close frame, and for a dial that failed, in order."""


def restart_rules(window: Uniform | None) -> tuple[Rule, ...]:
    """Make the rules for a 1012; the first dial comes within `window` if one is given."""
    if window is None:
        first = Rule(
            "restart",
            when(code=1012, attempt=1),
            retry(AfterRestart()),
            "Most restarts are over in a second; whoever has siblings here comes spread.",
            f"{_IANA} (hybi 09649) asks for 5 to 30 s; uvicorn 0.54.0 is back in 1 s",
        )
    else:
        first = Rule(
            "restart",
            when(code=1012, attempt=1),
            retry(window),
            "The service restarts, and how long that takes is known here.",
            "recloser: standard(restart=...)",
        )
    again = Rule(
        "restart-again",
        when(code=1012),
        retry(),
        "It restarts again, or is not done.",
        f"{_IANA} (hybi 09649); gunicorn restarts its workers one by one",
    )
    return first, again


CODES = (
    Rule(
        "going-away",
        when(code=1001),
        retry(),
        "The server is leaving and takes everybody's connection along: come back spread out.",
        f"{_RFC}; section 7.2.3 for 0 to 5 s",
    ),
    Rule(
        "our-fault",
        when(code=MESSAGE_REFUSED - {MESSAGE_TOO_BIG}),
        stop(unsent=Unsent.DROP_REFUSED),
        "The peer could not take a message of ours; the same bytes would fail again.",
        _RFC,
    ),
    Rule(
        "policy-lost",
        when(code=1008, reason=_MUTE, attempt=1, stable=True),
        retry(AT_ONCE),
        "The peer missed our pongs or our messages, and calls that a violation: a line that broke.",
        "simple-websocket 1.1.0 (flask-sock): 1008 Ping/Pong timeout; nhooyr.io/websocket 1.8.7",
    ),
    Rule(
        "policy-lost-again",
        when(code=1008, reason=_MUTE),
        retry(),
        "The connection was lost before it had proved itself.",
        "docs/field.md: Flask simple-websocket",
    ),
    Rule(
        "policy-refresh",
        when(code=1008, can_refresh=True, refreshed=False),
        refresh_then_retry(),
        "Most servers mean authentication by this: ask once for a new credential.",
        f"{_RFC}; nats-server shows how much the code is made to carry",
    ),
    Rule(
        "policy-violation",
        when(code=1008),
        stop(),
        "The peer refuses us, and does not say that this will pass.",
        _RFC,
    ),
    Rule(
        "too-big",
        when(code=MESSAGE_TOO_BIG),
        stop(unsent=Unsent.DROP_REFUSED),
        "A message of ours exceeds the peer's limit; sending it again would loop.",
        _RFC,
    ),
    Rule(
        "extension",
        when(code=1010),
        stop(),
        "An extension that one side must have was not agreed on; nor will it be next time.",
        _RFC,
    ),
    Rule(
        "no-status",
        when(code=1005),
        retry(),
        "A close without a code says nothing against coming back.",
        _RFC,
    ),
    Rule(
        "server-failed",
        when(code=(1011, 1014)),
        retry(),
        "The fault is the server's or its gateway's, like a 500 or a 502.",
        f"{_RFC}; {_IANA}",
    ),
    Rule(
        "try-later",
        when(code=1013),
        retry(at_least=30.0, unless_told=True),
        "The service is overloaded: wait as long as told, or a long pause, then ever more slowly.",
        f"{_IANA} (hybi 09670); the 30 s are ours",
    ),
    Rule(
        "code-refresh",
        when(code=3000, can_refresh=True, refreshed=False),
        refresh_then_retry(),
        "The counterpart of 401: ask once for a new credential.",
        _IANA,
    ),
    Rule(
        "code-unauthorized",
        when(code=3000),
        stop(),
        "There is no better credential: someone must sign in.",
        _IANA,
    ),
    Rule(
        "forbidden",
        when(code=3003),
        stop(),
        "The counterpart of 403: we are known, and not allowed.",
        _IANA,
    ),
    Rule(
        "timeout",
        when(code=3008),
        retry(),
        "The counterpart of 408: something took too long this once.",
        _IANA,
    ),
    Rule(
        "unknown-repeated",
        when(cause=Cause.CLOSE_FRAME, streak=at_least(_LIMIT)),
        stop(),
        "The peer says three times in a row what we do not understand: it may mean never.",
        f"{_RANGES}; the three are ours",
    ),
    Rule(
        "private",
        when(code=range(4000, 5000)),
        retry(),
        "Only the service knows what this means, and half of those surveyed mean come back.",
        f"{_RANGES}; a policy of policies.services() may know it",
    ),
    Rule(
        "unknown",
        when(),
        retry(),
        "Nothing is known against coming back.",
        _RANGES,
    ),
)
"""In order; the last holds always."""
