"""Asks a policy about every close code, status and cause; numbers treated alike are one row."""

from collections.abc import Iterator
from http import HTTPStatus
from itertools import pairwise
from math import isfinite
from typing import Final

from recloser.explain.question import PolicyQuestion, Reply, ask, make_close, phase_of
from recloser.fsm.closecodes import NAMES, NO_STATUS, TLS_HANDSHAKE, receivable
from recloser.fsm.closecodes import name as code_name
from recloser.fsm.decisions import Policy
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.record import Cause
from recloser.policies.intervals import IntervalSet
from recloser.policies.rules import rules_of

LATER: Final = 3
"""A survey asks about the first time an end happens, and about this many times in a row."""

_CODE_EDGES: Final = (0, 1016, 3000, 4000, 5000)
_MARKERS: Final = (NO_STATUS, TLS_HANDSHAKE)
"""Codes that stand for something else than a code in a frame."""
_STATUS_EDGES: Final = (100, 200, 300, 400, 401, 402, 403, 404, 429, 430, 500, 503, 504, 600)
_CLASSES: Final = {
    1: "Informational",
    2: "Success",
    3: "Redirection",
    4: "Client error",
    5: "Server error",
}
"""RFC 9110 section 15."""
_PHRASES: Final = {each.value: each.phrase for each in HTTPStatus}
_CAUSES: Final = {
    Cause.PROXY: "Proxy refused the tunnel",
    Cause.DNS: "Host name not found",
    Cause.TCP: "No TCP connection",
    Cause.TLS: "TLS handshake broke",
    Cause.VALIDITY: "Certificate expired or early",
    Cause.DIAL: "Dial failed otherwise",
    Cause.CONNECT_TIMEOUT: "Dial took too long",
    Cause.HEARTBEAT: "Peer silent",
    Cause.DEAF: "Peer hears nothing",
    Cause.STALE: "No message for too long",
    Cause.DECLARED: "Application said fail()",
    Cause.PROTOCOL: "Peer broke the protocol",
    Cause.TOO_BIG: "Message above our limit",
    Cause.HOOK: "on_open failed",
    Cause.BUDGET: "No dial left in the budget",
    Cause.CREDENTIALS: "Provider failed",
    Cause.UNAUTHORIZED: "No credential to be had",
    Cause.REJECTED: "Credential not accepted",
    Cause.SESSION_CLOSED: "Lent session closed",
    Cause.CONFIGURATION: "Cannot be dialled",
}


class SurveyRow(NamedTuple):
    """The answers for one end, or for adjacent numbers that have the same answers."""

    fact: str
    """"code", "status" or "cause"."""
    numbers: str
    """"4000-4099", or the word of a cause."""
    name: str
    question: PolicyQuestion
    first: Reply
    later: Reply
    """The answer when the end comes for the `LATER`-th time in a row."""


def survey(policy: Policy, *, can_refresh: bool) -> Iterator[SurveyRow]:
    """Ask about every close code, every status and every cause. Raises `PolicyFailedError`."""
    yield from _numbers(policy, "code", can_refresh=can_refresh)
    yield from _numbers(policy, "status", can_refresh=can_refresh)
    for cause, name in _CAUSES.items():
        close = make_close(None, None, cause=cause)
        question = PolicyQuestion(close, phase_of(close), can_refresh=can_refresh)
        yield _row(policy, "cause", cause.value, name, question)


def _numbers(policy: Policy, fact: str, *, can_refresh: bool) -> Iterator[SurveyRow]:
    waiting: SurveyRow | None = None
    for low, high in _segments(policy, fact):
        close = make_close(low, None) if fact == "code" else make_close(None, low)
        question = PolicyQuestion(close, phase_of(close), can_refresh=can_refresh)
        row = _row(policy, fact, _span(low, high), _name(fact, low, high), question)
        if waiting is not None and _alike(waiting, row):
            first = int(waiting.numbers.split("-")[0])
            waiting = waiting._replace(numbers=_span(first, high), name=_name(fact, first, high))
            continue
        if waiting is not None:
            yield waiting
        waiting = row
    if waiting is not None:
        yield waiting


def _row(policy: Policy, fact: str, numbers: str, name: str, question: PolicyQuestion) -> SurveyRow:
    later = question._replace(attempt=LATER)
    return SurveyRow(fact, numbers, name, question, ask(policy, question), ask(policy, later))


def _alike(one: SurveyRow, other: SurveyRow) -> bool:
    if one.fact == "code" and one.name != other.name:
        return False
    return (one.first, one.later) == (other.first, other.later)


def _segments(policy: Policy, fact: str) -> list[tuple[int, int]]:
    """Cut the numbers at each registered one and at the bounds of each rule of the policy."""
    limits = _CODE_EDGES if fact == "code" else _STATUS_EDGES
    edges = set(limits)
    if fact == "code":
        edges |= {edge for code in NAMES for edge in (code, code + 1)}
    for rule in rules_of(policy):
        wanted = rule.when.get(fact)
        if isinstance(wanted, IntervalSet):
            edges |= {int(edge) for each in wanted.intervals for edge in each if isfinite(edge)}
    cuts = sorted(edge for edge in edges if limits[0] <= edge <= limits[-1])
    return [(low, high - 1) for low, high in pairwise(cuts)]


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _name(fact: str, low: int, high: int) -> str:
    if fact == "code":
        arrives = receivable(low) or low in _MARKERS
        return code_name(low) if arrives else f"{code_name(low)}: refused with 1002"
    return _PHRASES.get(low, "") if low == high else _CLASSES[low // 100]
