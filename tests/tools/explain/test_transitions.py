"""Which rules take which way: what the picture says is what the policy does."""

from collections.abc import Callable

import pytest

from recloser import policies
from recloser.explain.transitions import rules_by_transition
from recloser.fsm import Cause, Close, Context, Hold, Phase, Policy, Retry, Stop, Wish
from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import TABLE, Row
from recloser.policies import hold, limit, per_phase, retry, stop, when
from recloser.policies.rules import rules_of

SHIPPED: dict[str, Callable[[], Policy]] = {
    "basic": policies.basic,
    "standard": policies.standard,
    **{name: lambda name=name: policies.for_service(name) for name in policies.services()},
}


def row(source: State, guard: Guard) -> Row:
    [found] = [r for r in TABLE if (r.source, r.trigger, r.guard) == (source, Trigger.LOST, guard)]
    return found


@pytest.mark.spec("L1.2")
@pytest.mark.parametrize("name", SHIPPED)
def test_every_rule_of_a_shipped_policy_stands_where_its_action_leads(name: str) -> None:
    policy = SHIPPED[name]()
    found = rules_by_transition(policy, TABLE)
    assert set(found) == {each for each in TABLE if each.trigger is Trigger.LOST}
    assert {rule.name for rule in rules_of(policy)} == {
        n for names in found.values() for n in names
    }
    actions = {rule.name: rule.then for rule in rules_of(policy)}
    kinds = {Guard.RETRY: Retry, Guard.HOLD: Hold, Guard.STOP: Stop}
    for each, rules in found.items():
        assert len(set(rules)) == len(rules)
        for rule in rules:
            if each.guard in kinds:
                close = Close(code=1006, origin="peer", cause=Cause.EOF)  # type: ignore[arg-type] # unread
                context = Context(phase=Phase.OPEN, attempt=1, roll=0.5)
                answer = actions[rule].answers(rule)(close, context)
                assert type(answer) is kinds[each.guard]


def test_the_phases_are_told_apart() -> None:
    policy = per_phase(
        dial=policies.RulePolicy("dial", [_rule("no-luck", retry())]),
        open=policies.RulePolicy(
            "open", [_rule("asked", stop(), intentional=True), _rule("rest", hold())]
        ),
    )
    found = rules_by_transition(policy, TABLE)
    assert found[row(State.CONNECTING, Guard.RETRY)] == ("no-luck",)
    assert found[row(State.OPEN, Guard.HOLD)] == ("rest",)
    assert found[row(State.OPEN, Guard.RETRY)] == found[row(State.CONNECTING, Guard.HOLD)] == ()
    assert found[row(State.CLOSING, Guard.CLOSE)] == ("asked",)


def test_a_limit_that_no_number_reaches_stands_at_both_phases() -> None:
    found = rules_by_transition(limit(policies.standard(), attempts=50, then=hold()), TABLE)
    for state in (State.CONNECTING, State.OPEN):
        assert "attempts-used-up" in found[row(state, Guard.HOLD)]


def _rule(name: str, then: policies.actions.Action, **facts: object) -> policies.Rule:
    return policies.Rule(name, when(**facts), then, "Why not.")  # type: ignore[arg-type] # any facts


@pytest.mark.parametrize(
    ("facts", "states"),
    [
        ({"reason": "nonsense"}, {State.CONNECTING, State.OPEN}),
        ({"reason": "nonsense", "phase": Phase.OPEN}, {State.OPEN}),
        ({"reason": "nonsense", "status": 418}, {State.CONNECTING}),
        ({"reason": "nonsense", "refused": True}, {State.CONNECTING}),
        ({"reason": "nonsense", "cause": Cause.DNS}, {State.CONNECTING}),
        ({"reason": "nonsense", "cause": Cause.CLOSE_FRAME}, {State.OPEN}),
        ({"reason": "nonsense", "cause": (Cause.DNS, Cause.EOF)}, {State.CONNECTING, State.OPEN}),
        ({"reason": "nonsense", "code": 4000}, {State.OPEN}),
        ({"reason": "nonsense", "uptime": policies.at_least(1)}, {State.OPEN}),
        ({"reason": "nonsense", "intentional": True}, set()),
    ],
)
def test_a_rule_that_wants_a_text_is_placed_by_its_other_facts(
    facts: dict[str, object], states: set[State]
) -> None:
    rules = [
        _rule("asked", stop(), intentional=True),
        _rule("told", hold(), **facts),
        _rule("rest", retry()),
    ]
    found = rules_by_transition(policies.RulePolicy("mine", rules), TABLE)
    for state in (State.CONNECTING, State.OPEN):
        assert ("told" in found[row(state, Guard.HOLD)]) is (state in states)


def test_a_policy_without_rules_is_asked() -> None:
    class Choosy:
        def decide(self, close: Close, context: Context, /) -> Retry | Hold | Stop:
            if close.intentional:
                return Stop("left") if close.wish is Wish.CLOSE else Hold("resting")
            if close.status == 503:
                return Stop("full")
            return Hold("night") if close.code == 4000 else Retry(1.0)

    found = rules_by_transition(Choosy(), TABLE)
    assert found[row(State.CONNECTING, Guard.STOP)] == ("full",)
    assert found[row(State.OPEN, Guard.HOLD)] == ("night",)
    assert found[row(State.OPEN, Guard.RETRY)] == ("Choosy",)
    assert found[row(State.CLOSING, Guard.CLOSE)] == ("left",)
    assert found[row(State.CLOSING, Guard.SUSPEND)] == ("resting",)
