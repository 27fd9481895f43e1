"""The rules of the standard policy for an upgrade that was answered with a status but 101."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from recloser.fsm.record import blames_request
from recloser.policies.actions import refresh_then_retry, retry, stop
from recloser.policies.conditions import when
from recloser.policies.intervals import IntervalSet, below
from recloser.policies.rules import Rule

_HTTP: Final = "RFC 6455 section 4.1: an answer that is not 101 is handled as HTTP says"

PATIENCE: Final = 300.0
"""Seconds for which a refusal is doubted where the same address has been open before."""
_SEEN: Final = f"{_HTTP}; seen in rolling restarts, of Caddy 2.6.2 between two reloads, of portals"
_DOUBT: Final = (
    "This address has been open: a server that starts or stops, or a proxy or a portal in between, "
    "answers so for a while."
)


def doubted(name: str, numbers: IntervalSet, patience: float, source: str) -> Iterator[Rule]:
    """Make the rule that goes before a stop at one of these statuses (B17).

    None for statuses that do not blame the request: those have reasons of their own.
    """
    spans = (range(int(low), int(high)) for low, high in numbers.intervals)
    blaming = [status for status in chain(*spans) if blames_request(status)]
    if blaming and patience:
        condition = when(status=blaming, been_open=True, denied_for=below(patience))
        yield Rule(f"{name}-doubted", condition, retry(), _DOUBT, source)


def refusal_rules(patience: float) -> Iterator[Rule]:
    """Make the rules for a refused upgrade; `patience` is in seconds, 0 doubts nothing."""
    for rule in _REFUSALS:
        numbers = rule.when.get("status")
        if isinstance(numbers, IntervalSet) and rule.then == stop():
            yield from doubted(rule.name, numbers, patience, _SEEN)
        yield rule


_REFUSALS: Final = (
    Rule(
        "bad-upgrade",
        when(status=range(100, 200)),
        stop(),
        "A 101 that does not fit our offer: the same offer gets the same answer.",
        "RFC 6455 section 4.1",
    ),
    Rule(
        "no-websocket",
        when(status=range(200, 300)),
        stop(),
        "A plain web server or a captive portal answered: there is no WebSocket here.",
        _HTTP,
    ),
    Rule(
        "redirect",
        when(status=range(300, 400)),
        stop(),
        "The endpoint has moved, and following was not asked for: dial the new address.",
        "RFC 6455 section 4.1; WHATWG WebSockets: redirects are not followed",
    ),
    Rule(
        "unauthorized-refresh",
        when(status=401, can_refresh=True, refreshed=False),
        refresh_then_retry(),
        "The credential was not accepted: ask once for a new one.",
        "RFC 6455 section 4.1; RFC 9110 section 15.5.2",
    ),
    Rule(
        "unauthorized",
        when(status=401),
        stop(),
        "There is no better credential: someone must sign in.",
        "RFC 9110 section 15.5.2",
    ),
    Rule(
        "transient",
        when(status=(408, 421, 425)),
        retry(),
        "It went wrong between the two of us this once; a new connection may do.",
        "RFC 9110 sections 15.5.9 and 15.5.20; RFC 8470 section 5.2",
    ),
    Rule(
        "rate-limited",
        when(status=429),
        retry(at_least=5.0, unless_told=True),
        "Too many dials: wait as long as told, or longer than usual if nothing was said.",
        "RFC 6585 section 4; RFC 9110 section 10.2.3",
    ),
    Rule(
        "refused",
        when(status=range(400, 500)),
        stop(),
        "The server says that the fault is in our request, which would be the same again.",
        "RFC 9110 section 15.5; RFC 6455 sections 4.2.2 and 10.2",
    ),
    Rule(
        "not-implemented",
        when(status=(501, 505)),
        stop(),
        "The server will never speak this protocol.",
        "RFC 9110 sections 15.6.2 and 15.6.6",
    ),
    Rule(
        "no-room",
        when(status=503),
        retry(),
        "The server lives but has no room: wait as long as told, then ever more slowly.",
        "RFC 9110 sections 15.6.4 and 10.2.3",
    ),
    Rule(
        "server-error",
        when(status=range(500, 600)),
        retry(),
        "The fault is on the server's side, and somebody there is looking at it.",
        "RFC 9110 section 15.6; websockets retries 500, 502, 503 and 504",
    ),
    Rule(
        "odd-status",
        when(refused=True),
        retry(),
        "No HTTP says this: something in between is broken.",
        _HTTP,
    ),
)
