"""Finds the rules of a policy that lead from one state of the machine to another."""

from collections.abc import Iterable
from typing import Final

from recloser.explain.question import PolicyQuestion, ask, make_close, phase_of
from recloser.explain.survey import survey
from recloser.fsm.closecodes import NORMAL
from recloser.fsm.decisions import Context, Phase, Policy
from recloser.fsm.record import Origin
from recloser.fsm.states import Guard, State, Trigger, Wish
from recloser.fsm.table import Row
from recloser.policies.conditions import Among
from recloser.policies.rules import Rule, rules_of

_STATES: Final = {Phase.DIAL: State.CONNECTING, Phase.OPEN: State.OPEN}

_Lead = tuple[State, Guard, str]
"""A rule by name, with the state in which it answers, and the guard of its answer."""


def rules_by_transition(policy: Policy, rows: Iterable[Row]) -> dict[Row, tuple[str, ...]]:
    """Return the names of the rules for each `lost` row; empty where no rule leads there.

    The policy is asked about every code, status and cause, as in a survey, and about an end
    by each wish; the rules that answered come in the policy's order. A rule that answered
    none of these, such as one that wants a reason or advice, comes behind them, in the row
    that its conditions and its action tell. A rule belongs to the phase in which such an end
    comes most often. Raises `PolicyFailedError`.
    """
    rules = rules_of(policy)
    found = {*_by_survey(policy), *_by_wish(policy)}
    answered = {rule for _, _, rule in found}
    others = (rule for rule in rules if rule.name not in answered)
    found |= {each for rule in others for each in _by_conditions(rule)}
    places = {rule.name: place for place, rule in enumerate(rules)}
    names = sorted(
        {rule for _, _, rule in found},
        key=lambda name: (name not in answered, places.get(name, len(rules)), name),
    )
    return {
        row: tuple(each for each in names if (row.source, row.guard, each) in found)
        for row in rows
        if row.trigger is Trigger.LOST
    }


def _by_survey(policy: Policy) -> Iterable[_Lead]:
    for can_refresh in (True, False):
        for each in survey(policy, can_refresh=can_refresh):
            state = _STATES[each.question.phase]
            for reply in (each.first, each.later):
                yield state, reply.decision.guard, reply.decision.rule


def _by_wish(policy: Policy) -> Iterable[_Lead]:
    for wish in Wish:
        close = make_close(NORMAL, None, origin=Origin.APPLICATION, intentional=True, wish=wish)
        yield (
            State.CLOSING,
            wish.guard,
            ask(policy, PolicyQuestion(close, Phase.OPEN)).decision.rule,
        )


def _by_conditions(rule: Rule) -> Iterable[_Lead]:
    # A rule for intentional ends alone has no rows besides those of the wishes.
    if rule.when.get("intentional") == Among((True,)):
        return
    close = make_close(NORMAL, None)
    for phase in _phases(rule):
        decision = rule.then.answers(rule.name)(close, Context(phase=phase, attempt=1, roll=0.5))
        yield _STATES[phase], decision.guard, rule.name


def _phases(rule: Rule) -> set[Phase]:
    when = rule.when
    phases, causes = when.get("phase"), when.get("cause")
    if isinstance(phases, Among):
        return set(phases.values)
    if when.get("status") is not None or when.get("refused") == Among((True,)):
        return {Phase.DIAL}
    if isinstance(causes, Among):
        return {phase_of(make_close(None, None, cause=cause)) for cause in causes.values}
    if any(when.get(fact) is not None for fact in ("code", "uptime", "stable")):
        return {Phase.OPEN}
    return set(Phase)
