"""The standard policy: the default, made to be used in production as it is."""

from collections.abc import Iterable
from typing import Final

from recloser.fsm.numbers import check_seconds
from recloser.fsm.record import Cause
from recloser.policies.actions import refresh_then_retry
from recloser.policies.backoff import Uniform
from recloser.policies.codes import CODES, LOST, PeerNormal, peer_normal_rules, restart_rules
from recloser.policies.conditions import when
from recloser.policies.guards import (
    ADVICE,
    CERTIFICATE,
    HOPELESS,
    INTENTIONAL,
    PROXY,
    REFUSALS,
    REJECTED_REFRESH,
)
from recloser.policies.overlaps import hidden
from recloser.policies.refusals import PATIENCE, refusal_rules
from recloser.policies.rules import Rule, RulePolicy

_SPENT: Final = Rule(
    "token-expired",
    when(
        code=range(1000, 5000),
        cause=Cause.CLOSE_FRAME,
        can_refresh=True,
        refreshed=False,
        reason=("expired", "token|jwt|credential|auth"),
    ),
    refresh_then_retry(),
    "The reason hints that the credential is spent; without it the code decides.",
    "RFC 6455 section 7.1.6: the reason is a hint",
)


def standard(
    *,
    peer_normal: PeerNormal = "retry",
    patience: float = PATIENCE,
    restart: tuple[float, float] | None = None,
) -> RulePolicy:
    """Make the standard policy (B13); docs/policies.md prints it with its reasons.

    `peer_normal` says what follows a 1000 that the peer sent: "retry" after about 1 s, and
    with gaps that grow to minutes from the third time in a row on; or "hold", or "stop". A
    reason that says that a connection was lost counts as a loss with all three. `patience` is
    for how many seconds a refused upgrade is doubted where the same address has been open
    before; 0 believes it at once. `restart` is the window of the first dial after a 1012, in
    seconds: `(5, 30)` is what the registry asks for; None chooses by what is known of the
    host. Raises `TypeError` or `ValueError`.
    """
    return with_rows("standard", (), peer_normal=peer_normal, patience=patience, restart=restart)


def with_rows(
    name: str,
    rows: Iterable[Rule],
    *,
    peer_normal: PeerNormal,
    patience: float,
    restart: tuple[float, float] | None,
) -> RulePolicy:
    """Make the standard policy with a service's own rows behind the guards.

    A general rule is left out if the rules before it decide all its ends. Raises `ValueError`
    for an argument that is about such a rule: it would have no effect.
    """
    check_seconds("patience", patience)
    guards = (INTENTIONAL, REJECTED_REFRESH, *HOPELESS, *CERTIFICATE, *ADVICE, PROXY, *REFUSALS)
    kept = [*guards, *rows]
    general = (
        *refusal_rules(patience),
        _SPENT,
        *peer_normal_rules(peer_normal),
        *LOST,
        *restart_rules(None if restart is None else Uniform(*restart)),
        *CODES,
    )
    for rule in general:
        if not hidden(rule, kept):
            kept.append(rule)
    names = {rule.name for rule in kept}
    asked = {
        "peer-normal": ("peer_normal", peer_normal != "retry"),
        "restart": ("restart", restart),
    }
    for rule_name, (argument, given) in asked.items():
        if given and rule_name not in names:
            raise ValueError(
                f"{argument} would have no effect: the service {name} has rows of its own there; "
                "leave it out, or change a row with policies.override()"
            )
    return RulePolicy(name, kept)
