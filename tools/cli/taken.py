"""Which rules of a policy take which `lost` row of the machine."""

from collections.abc import Iterable
from typing import Final

from recloser.cli.asking import Question, ask, lost, phase_of
from recloser.cli.everything import entries
from recloser.fsm.closecodes import NORMAL
from recloser.fsm.decisions import Context, Decision, Hold, Phase, Policy, Retry, Stop
from recloser.fsm.record import Origin
from recloser.fsm.states import Guard, State, Trigger, Wish
from recloser.fsm.table import Row
from recloser.policies.conditions import Among
from recloser.policies.rules import Rule, rules_of

_GUARDS: Final[dict[type[Decision], Guard]] = {
    Retry: Guard.RETRY,
    Hold: Guard.HOLD,
    Stop: Guard.STOP,
}
_WISHES: Final = {
    Wish.CLOSE: Guard.CLOSE,
    Wish.SUSPEND: Guard.SUSPEND,
    Wish.CONNECT: Guard.CONNECT,
}
_STATES: Final = {Phase.DIAL: State.CONNECTING, Phase.OPEN: State.OPEN}

Taken = tuple[State, Guard, str]


def taken(policy: Policy, rows: Iterable[Row]) -> dict[Row, tuple[str, ...]]:
    """Return the rules of each `lost` row; none where no rule leads.

    The policy is asked about every code, status and cause, as by `recloser explain --all`, and
    about an end by each wish. Rules that no number leads to, such as those that want a reason
    or advice, are placed by their conditions, behind the others; else the order is the
    policy's. A rule stands in the phase in which such an end most likely comes. Raises
    `PolicyFailedError`.
    """
    rules = rules_of(policy)
    found = {*_asked(policy), *_wished(policy)}
    met = {rule for _, _, rule in found}
    found |= {each for rule in rules if rule.name not in met for each in _placed(rule)}
    places = {rule.name: place for place, rule in enumerate(rules)}
    names = sorted(
        {rule for _, _, rule in found},
        key=lambda name: (name not in met, places.get(name, len(rules)), name),
    )
    return {
        row: tuple(each for each in names if (row.source, row.guard, each) in found)
        for row in rows
        if row.trigger is Trigger.LOST
    }


def _asked(policy: Policy) -> Iterable[Taken]:
    for can_refresh in (True, False):
        for entry in entries(policy, can_refresh=can_refresh):
            state = _STATES[entry.question.phase]
            for reply in (entry.first, entry.later):
                yield state, _GUARDS[type(reply.decision)], reply.decision.rule


def _wished(policy: Policy) -> Iterable[Taken]:
    for wish, guard in _WISHES.items():
        close = lost(NORMAL, None, origin=Origin.APPLICATION, intentional=True, wish=wish)
        yield State.CLOSING, guard, ask(policy, Question(close, Phase.OPEN)).decision.rule


def _placed(rule: Rule) -> Iterable[Taken]:
    """Place a rule by what it wants; one for intentional ends alone has no row but those asked."""
    if rule.when.get("intentional") == Among((True,)):
        return
    close = lost(NORMAL, None)
    for phase in _phases(rule):
        decision = rule.then.answers(rule.name)(close, Context(phase=phase, attempt=1, roll=0.5))
        yield _STATES[phase], _GUARDS[type(decision)], rule.name


def _phases(rule: Rule) -> set[Phase]:
    when = rule.when
    phases, causes = when.get("phase"), when.get("cause")
    if isinstance(phases, Among):
        return set(phases.values)
    if when.get("status") is not None or when.get("refused") == Among((True,)):
        return {Phase.DIAL}
    if isinstance(causes, Among):
        return {phase_of(lost(None, None, cause=cause)) for cause in causes.values}
    if when.get("code") is not None or when.get("uptime") is not None:
        return {Phase.OPEN}
    return set(Phase)
