"""The likely meaning of many ends of one kind: one sentence that says where to look."""

from typing import Final

from recloser.fsm.record import Origin
from recloser.statistics.kinds import EndKind

NOTICES: Final = (1001, 1012)
"""Codes by which a server says that it goes or restarts: they come in waves by themselves."""

_SESSIONS: Final = (401, 403, 407, 3000, 3003, 4401, 4403)
_READINGS: Final = {
    1000: "the server ends connections as if all were done: does it log its clients out?",
    1001: "the server restarts often",
    1002: "the two ends do not understand each other: was one of them updated?",
    1003: "the two ends do not understand each other: was one of them updated?",
    1006: "connections break: an idle time-out on the way, a bad network, or a server that crashes",
    1007: "the two ends do not understand each other: was one of them updated?",
    1008: "the server refuses what its clients do: a limit, a policy, a banned address",
    1009: "messages are too big for one of the two ends",
    1011: "the server fails: its own log knows why",
    1012: "the server restarts often",
    1013: "the server has no room",
    1014: "a gateway cannot reach the server",
    1015: "the certificate is not accepted: has it expired?",
    429: "the server has no room",
    502: "a gateway cannot reach the server",
    503: "the server has no room",
    504: "a gateway cannot reach the server",
}


def reading_of(kind: EndKind, refreshed: float) -> str:
    """Say what many ends of one kind most often mean.

    refreshed: the share of the latest ends after which the policy asked for a new credential.
    """
    number = kind.code if kind.status is None else kind.status
    if kind.intentional:
        return "clients close on purpose"
    if refreshed >= 0.5 or number in _SESSIONS:  # noqa: PLR2004 - most of them
        return "sessions expire"
    if kind.origin == Origin.ENGINE.value and number == 1006:  # noqa: PLR2004 - RFC 6455
        return "peers go silent or answer too late: an overloaded server, or a dead network"
    if number in _READINGS:
        return _READINGS[number]
    if kind.status is not None:
        return "the server refuses connections"
    return "the server ends connections for a reason of its own: see its documentation"
