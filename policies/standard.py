"""The standard policy: the default, made to be used in production as it is."""

from collections.abc import Iterable
from typing import Final

from recloser.fsm.record import Cause
from recloser.policies.actions import refresh_then_retry
from recloser.policies.codes import CODES, LOST, PeerNormal, peer_normal_rules
from recloser.policies.conditions import when
from recloser.policies.guards import ADVICE, CERTIFICATE, HOPELESS, INTENTIONAL
from recloser.policies.overlaps import hidden
from recloser.policies.refusals import REFUSALS
from recloser.policies.rules import Rule, RulePolicy

_SPENT: Final = Rule(
    "token-expired",
    when(
        cause=Cause.CLOSE_FRAME,
        can_refresh=True,
        refreshed=False,
        reason=("expired", "token|jwt|credential|auth"),
    ),
    refresh_then_retry(),
    "The reason hints that the credential is spent; without it the code decides.",
    "RFC 6455 section 7.1.6: the reason is a hint",
)


def standard(*, peer_normal: PeerNormal = "retry") -> RulePolicy:
    """Make the standard policy (B13); docs/policies.md prints it with its reasons.

    `peer_normal` says what follows a 1000 that the peer sent: "retry" after about 1 s, and
    with gaps that grow to minutes from the third time in a row on; or "hold", or "stop". A
    reason that says that a connection was lost counts as a loss with all three. Raises
    `ValueError` for any other word.
    """
    return with_rows("standard", (), peer_normal=peer_normal)


def with_rows(name: str, rows: Iterable[Rule], *, peer_normal: PeerNormal = "retry") -> RulePolicy:
    """Make the standard policy with a service's own rows behind the guards.

    A general rule is left out if the service's rows decide all its ends.
    """
    own = tuple(rows)
    general = (
        _SPENT,
        *REFUSALS,
        *peer_normal_rules(peer_normal),
        *LOST,
        *CODES,
    )
    rest = (rule for rule in general if not hidden(rule, own))
    return RulePolicy(name, (INTENTIONAL, *HOPELESS, *CERTIFICATE, *ADVICE, *own, *rest))
