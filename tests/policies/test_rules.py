"""Rules as data: their words, the way they are found, and what their author is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm import Cause, Close, Context, Hold, Origin, Phase, Retry, Stop, Unsent
from recloser.policies import (
    Rule,
    RulePolicy,
    at_least,
    below,
    hold,
    refresh_then_retry,
    retry,
    retry_after,
    stop,
    when,
)
from recloser.policies.backoff import Uniform
from recloser.policies.conditions import When
from recloser.policies.intervals import IntervalSet, numbers
from recloser.policies.overlaps import find
from tests.policies.rig import CLOSES, CONTEXTS, after, broken, received, refused


def rule(name: str, condition: When, then: object = None) -> Rule:
    return Rule(name, condition, then or stop(), "Because.")  # type: ignore[arg-type] # bad input is the point


@st.composite
def conditions(draw: st.DrawFn) -> When:
    """Conditions of all kinds, each fact with a chance to be tested."""
    codes = st.sampled_from(
        [1000, range(1000, 1005), range(1003, 5000), [1006, 4000], range(-5, 9)]
    )
    facts = {
        "code": codes,
        "status": st.sampled_from([401, range(400, 500), [429, 503]]),
        "refused": st.booleans(),
        "intentional": st.booleans(),
        "origin": st.sampled_from(Origin),
        "cause": st.lists(st.sampled_from(Cause), min_size=1, max_size=3, unique=True),
        "sent_code": st.just(range(1000, 1003)),
        "reason": st.sampled_from(["expired", ("token", "EXP"), "^$"]),
        "advice": st.sampled_from(["stop", ["Hold", "retry"]]),
        "phase": st.sampled_from(Phase),
        "streak": st.sampled_from([1, at_least(2), below(4)]),
        "attempt": st.sampled_from([1, at_least(5), below(3)]),
        "uptime": st.sampled_from([at_least(10.0), below(1.0)]),
        "elapsed": st.just(below(60.0)),
        "can_refresh": st.booleans(),
        "refreshed": st.booleans(),
        "immediate": st.booleans(),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(facts)), max_size=4))
    given_facts = {name: draw(facts[name]) for name in sorted(chosen)}
    if "status" in given_facts:
        given_facts.pop("refused", None)
    return when(**given_facts)


def holds(condition: When, close: Close, context: Context) -> bool:
    test = condition.compile()
    return test is None or test(close, context)


@given(st.lists(conditions(), max_size=8), CLOSES, CONTEXTS)
def test_the_first_rule_that_holds_decides(
    written: list[When], close: Close, context: Context
) -> None:
    """The tables by code, status and cause find what reading the list from the top finds."""
    rules = [rule(f"rule-{at}", condition) for at, condition in enumerate((*written, when()))]
    expected = next(each.name for each in rules if holds(each.when, close, context))
    assert RulePolicy("any", rules).decide(close, context) == Stop(expected)


@pytest.mark.spec("B11")
@pytest.mark.parametrize("facts", [{}, {"intentional": True}, {"status": 503}], ids=str)
def test_a_rule_for_advice_decides_whatever_ended_the_connection(facts: dict[str, Any]) -> None:
    policy = RulePolicy("own", [rule("advised", when(advice="stop")), rule("rest", when())])
    for advice, name in (("STOP", "advised"), ("hold", "rest"), (None, "rest")):
        assert policy.decide(broken(advice=advice, **facts), after(1)) == Stop(name)


@given(conditions(), conditions(), CLOSES, CONTEXTS)
def test_covers_and_meets_say_the_truth(
    one: When, other: When, close: Close, context: Context
) -> None:
    if holds(other, close, context):
        assert holds(one, close, context) or not one.covers(other)
        assert one.meets(other) or not holds(one, close, context)


@given(st.lists(conditions(), min_size=1, max_size=6), CLOSES, CONTEXTS)
def test_a_rule_that_is_called_unreachable_never_decides(
    written: list[When], close: Close, context: Context
) -> None:
    rules = [rule(f"rule-{at}", condition) for at, condition in enumerate((*written, when()))]
    dead = {each.rule for each in find(rules) if each.kind == "unreachable"}
    decision = RulePolicy("any", [*rules[:-1], rule("last", when())]).decide(close, context)
    assert decision.rule not in dead


def test_findings_name_both_rules() -> None:
    wide = rule("wide", when(code=range(4000, 4200)), retry())
    narrow = rule("narrow", when(code=4100))
    across = rule("across", when(code=range(4150, 4300)))
    (dead,) = find((wide, narrow))
    assert str(dead) == "rule narrow is unreachable: wide decides first; move or drop it"
    (part,) = find((wide, across))
    assert part.kind == "overlap"
    assert "rules wide and across overlap in part" in str(part)
    assert find((narrow, wide)) == ()
    assert find((rule("same", wide.when, stop()), across)) == ()


def test_a_rule_is_unreachable_too_where_several_share_it_among_them() -> None:
    low, high = (
        rule("low", when(code=range(4000, 4050))),
        rule("high", when(code=range(4050, 5000))),
    )
    (dead,) = find((low, high, rule("all", when(code=range(4000, 5000), attempt=1))))
    assert dead.earlier == ("low", "high")


def test_conditions_read_like_sentences() -> None:
    assert str(when(code=[1000, range(4000, 5000)], streak=at_least(3))) == (
        "code 1000, 4000-4999; streak at least 3"
    )
    assert str(when(status=429)) == "status 429"
    assert str(when(refused=False, cause=(Cause.EOF, Cause.RESET))) == (
        "no refused upgrade; cause eof or reset"
    )
    assert str(when(reason=("expired", "token"), uptime=below(10))) == (
        "reason like /expired/ and /token/; uptime below 10 s"
    )
    assert str(when()) == "always"


def test_actions_read_like_sentences() -> None:
    assert str(retry(Uniform(0, 5), at_least=30)) == "retry, after 0-5 s, at least 30 s"
    assert str(retry(Uniform(0, 5), at_least=30, unless_told=True)) == (
        "retry, after 0-5 s, at least 30 s unless told"
    )
    assert str(retry_after(2)) == "retry, after 2 s"
    assert str(refresh_then_retry()) == "new credential, at once"
    assert str(stop(unsent=Unsent.DROP)) == "stop; drop unsent messages"
    assert str(stop(unsent=Unsent.DROP_REFUSED)) == "stop; drop the refused message"
    assert str(hold()) == "hold"


def decide(then: object) -> object:
    return RulePolicy("one", [rule("only", when(), then)]).decide(broken(), after(1))


def test_actions_do_what_they_say() -> None:
    assert decide(retry(Uniform(2, 4))) == Retry(3.0, rule="only")
    assert decide(retry(Uniform(2, 4), at_least=10)) == Retry(13.0, rule="only")
    assert decide(retry(Uniform(2, 4), at_least=9, unless_told=True)) == Retry(12.0, rule="only")
    assert decide(retry_after(2)) == Retry(2.0, rule="only")
    assert decide(retry_after(2, unsent=Unsent.DROP)) == Retry(2.0, False, "only", Unsent.DROP)
    assert decide(refresh_then_retry()) == Retry(0.0, True, "only")
    assert decide(refresh_then_retry(at_least=3)) == Retry(3.0, True, "only")
    assert decide(hold(unsent=Unsent.DROP)) == Hold("only", Unsent.DROP)
    assert decide(stop()) == Stop("only")


@pytest.mark.spec("D2.2")
def test_no_redial_comes_later_than_its_bound() -> None:
    """The draw or the most that is taken of a server's figure, the floor, and the gap."""
    assert retry(at_least=7.0).bound() == 600.0 + 7.0 + 1.0
    assert retry(Uniform(0.0, 900.0), at_least=7.0).bound() == 900.0 + 7.0 + 1.0
    assert retry(Uniform(0.0, 9.0)).bound() == 600.0 + 1.0


def test_an_unknown_time_or_number_fits_nothing() -> None:
    assert not holds(when(uptime=at_least(0.0)), broken(), after(1, phase=Phase.DIAL))
    assert not holds(when(sent_code=range(1000, 5000)), broken(), after(1))
    assert not holds(when(status=range(1000)), received(1000), after(1))
    assert holds(when(status=range(1000)), refused(503), after(1))


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 20)), min_size=1), st.integers(-60, 80)
)
def test_a_set_holds_what_its_ranges_hold(parts: list[tuple[int, int]], value: int) -> None:
    ranges = [range(low, low + size) for low, size in parts]
    found = numbers(ranges)
    assert (value in found) is any(value in each for each in ranges)
    assert found.covers(numbers(ranges[0]))
    assert found.meets(numbers(ranges[0]))
    assert found.covers(numbers(value)) is (value in found)
    assert all(
        one[1] < other[0] for one, other in zip(found.intervals, found.intervals[1:], strict=False)
    )


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: when(code=True), "expected an int or a range, not True"),
        (lambda: when(code="1000"), "expected an int or a range, not '1'"),  # type: ignore[arg-type] # bad input is the point
        (lambda: when(cause="eof"), "expected one or more of Cause"),  # type: ignore[arg-type] # bad input is the point
        (lambda: when(cause=[]), "expected one or more of Cause"),
        (lambda: rule("", when()), "a rule needs a name"),
        (lambda: Rule("a", {}, stop(), ""), "rule a: the condition is made by when"),  # type: ignore[arg-type] # bad input is the point
        (lambda: Rule("a", when(), Stop(), ""), "rule a: the action is made by retry"),  # type: ignore[arg-type] # bad input is the point
        (lambda: retry("soon"), "retry.. wants a Backoff"),  # type: ignore[arg-type] # bad input is the point
        (lambda: retry(session="new"), "session must be Session.RESUME, NEW or None"),  # type: ignore[arg-type] # bad input is the point
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(make: object, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        make()  # type: ignore[operator] # bad input is the point


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: when(code=[]), "at least one number"),
        (lambda: when(code=range(5, 5)), "a range must hold something"),
        (lambda: when(code=range(0, 9, 2)), "steps of 1"),
        (lambda: when(reason="("), "reason is no regular expression"),
        (lambda: when(status=401, refused=False), "leave one of them out"),
        (lambda: retry(at_least=-1), "at_least must be finite"),
        (lambda: retry(unless_told=True), "give at_least, too"),
        (lambda: RulePolicy("p", []), "policy p: end with a rule for when"),
        (lambda: RulePolicy("p", [rule("a", when(code=1))]), "end with a rule for when"),
        (lambda: RulePolicy("p", [rule("a", when())] * 2), "two rules named a"),
        (
            lambda: RulePolicy("p", [rule(name, when()) for name in ("a", "b", "b", "a")]),
            "two rules named a",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(make: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        make()  # type: ignore[operator] # bad input is the point


def test_unless_told_is_true_or_false() -> None:
    with pytest.raises(TypeError, match="unless_told must be True or False, not 1"):
        retry(at_least=1, unless_told=1)  # type: ignore[arg-type] # bad input is the point


def test_it_shows_what_it_is() -> None:
    assert repr(RulePolicy("mine", [rule("a", when())])) == "<policy mine: 1 rules>"
    assert isinstance(when(code=1).get("code"), IntervalSet)


@pytest.mark.parametrize(
    "make",
    [
        lambda: retry(Uniform(0, 5), 30),  # type: ignore[call-arg] # bad input is the point
        lambda: retry_after(2, Unsent.DROP),  # type: ignore[call-arg] # bad input is the point
        lambda: refresh_then_retry(3),  # type: ignore[call-arg] # bad input is the point
        lambda: hold(Unsent.DROP),  # type: ignore[call-arg] # bad input is the point
        lambda: stop(Unsent.DROP),  # type: ignore[call-arg] # bad input is the point
    ],
)
def test_what_an_action_is_told_besides_the_backoff_is_told_by_name(make: object) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        make()  # type: ignore[operator] # bad input is the point
