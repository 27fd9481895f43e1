"""Policies made from policies: rows overridden, limits set, one for each phase."""

from collections.abc import Iterable
from dataclasses import dataclass

from recloser.fsm.decisions import Context, Decision, Phase, Policy, Retry, check_decides
from recloser.fsm.numbers import check_count, check_seconds
from recloser.fsm.record import Close
from recloser.policies.actions import Halt
from recloser.policies.conditions import when
from recloser.policies.guards import HOPELESS, INTENTIONAL, REJECTED_REFRESH
from recloser.policies.intervals import at_least
from recloser.policies.rules import Rule, RulePolicy, rules_of

ATTEMPTS = "attempts-used-up"
"""The rule that `limit` names when the number of attempts ended a run."""
TIME = "time-used-up"
"""The rule that `limit` names when the time ended a run."""

_LIMIT = "recloser: limit()"
_GUARDS = frozenset(rule.name for rule in (INTENTIONAL, REJECTED_REFRESH, *HOPELESS))


def override(policy: RulePolicy, *rules: Rule, name: str | None = None) -> RulePolicy:
    """Return a policy in which these rules win.

    A rule that has the name of a row of `policy` takes that row's place. The others go in
    front, in the order given, but behind the guards with which every shipped policy begins: the
    rules for an intentional end and for ends that no dial can mend. To change a guard, give a
    rule of its name. Raises `ValueError` if two rules share a name.
    """
    mine = {rule.name: rule for rule in rules}
    if len(mine) != len(rules):
        raise ValueError("override() was given two rules of one name: give each its own")
    known = {rule.name for rule in policy.rules}
    rows = [mine.get(rule.name, rule) for rule in policy.rules]
    new = [rule for rule in rules if rule.name not in known]
    own = next((at for at, rule in enumerate(rows) if rule.name not in _GUARDS), len(rows))
    return RulePolicy(name or policy.name, (*rows[:own], *new, *rows[own:]))


def first_match(name: str, *parts: RulePolicy | Iterable[Rule]) -> RulePolicy:
    """Return one policy of all these rules in this order; the last part must decide the rest."""
    return RulePolicy(
        name,
        (rule for part in parts for rule in (part.rules if isinstance(part, RulePolicy) else part)),
    )


@dataclass(frozen=True, slots=True)
class PerPhase:
    """One policy for failed dials, one for connections that were open; made by `per_phase`."""

    dial: Policy
    open: Policy

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of both, for `explain`; empty for a policy without rules."""
        return rules_of(self.dial) + rules_of(self.open)

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Ask the policy of the phase."""
        policy = self.dial if context.phase is Phase.DIAL else self.open
        return policy.decide(close, context)


def per_phase(*, dial: Policy, open: Policy) -> PerPhase:  # noqa: A002 - the word of the phase
    """Return a policy that asks `dial` when a dial failed and `open` when a generation ended.

    Raises `TypeError` for what is no policy.
    """
    check_decides("dial", dial)
    check_decides("open", open)
    return PerPhase(dial, open)


@dataclass(frozen=True, slots=True)
class Limited:
    """A policy that gives up after a number of attempts or a time; made by `limit`."""

    policy: Policy
    attempts: int | None
    elapsed: float | None
    then: Halt

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The limits as rules, and the rules of the policy, for `explain`."""
        limits: list[Rule] = []
        if self.attempts is not None:
            used_up = when(attempt=at_least(self.attempts + 1))
            why = f"{self.attempts} retries in one run are enough."
            limits.append(Rule(ATTEMPTS, used_up, self.then, why, _LIMIT))
        if self.elapsed is not None:
            too_late = when(elapsed=at_least(self.elapsed))
            why = f"The next dial would start later than {self.elapsed:g} s after the run began."
            limits.append(Rule(TIME, too_late, self.then, why, _LIMIT))
        return (*limits, *rules_of(self.policy))

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Ask the policy, and give up instead of a retry beyond the limit."""
        answer = self.policy.decide(close, context)
        if isinstance(answer, Retry):
            if self.attempts is not None and context.attempt > self.attempts:
                return self.then.decision(ATTEMPTS, self.then.unsent)
            if self.elapsed is not None and context.elapsed + answer.delay > self.elapsed:
                return self.then.decision(TIME, self.then.unsent)
        return answer


def limit(
    policy: Policy,
    *,
    attempts: int | None = None,
    elapsed: float | None = None,
    then: Halt,
) -> Limited:
    """Return a policy that retries at most `attempts` times in one run, or for `elapsed` seconds.

    The time is checked when the delay is set: the policy gives up at once if the next dial
    would start too late (D6). A stable period or an explicit `connect()` starts a new run.
    `then` is `hold()` or `stop()`, and the decision names the rule `ATTEMPTS` or `TIME`. Raises
    `TypeError` or `ValueError`.
    """
    check_decides("policy", policy)
    if attempts is None and elapsed is None:
        raise ValueError("limit() wants attempts, elapsed or both")
    if attempts is not None:
        check_count("attempts", attempts, least=0)
    if elapsed is not None:
        check_seconds("elapsed", elapsed)
    if not isinstance(then, Halt):
        raise TypeError(f"then must be hold() or stop(), not {then!r}")
    return Limited(policy, attempts, elapsed, then)
