"""Policies made from policies."""

import pytest

from recloser import policies
from recloser.fsm import Cause, Close, Context, Hold, Phase, Policy, Retry, Stop, Unsent
from recloser.policies import Rule, hold, limit, override, per_phase, retry, stop, when
from recloser.policies.combine import ATTEMPTS, TIME
from recloser.policies.rules import rules_of
from tests.policies.rig import Line, after, broken, received

MINE = Rule("mine", when(code=range(4000, 4100)), stop(), "We know that these are final.")


class Stubborn:
    """A class of one's own, without rules."""

    def decide(self, close: Close, context: Context, /) -> Retry | Stop:
        return Stop() if close.intentional else Retry(2.0, rule="again")


@pytest.mark.spec("B14.3")
def test_a_row_can_be_overridden() -> None:
    policy = override(policies.standard(), MINE)
    assert policy.decide(received(4001), after(1)) == Stop("mine")
    assert policy.decide(received(4100), after(1)).rule == "private"
    assert policy.name == "standard"
    assert override(policies.standard(), MINE, name="ours").name == "ours"


@pytest.mark.spec("B14.3")
def test_a_rule_of_the_same_name_takes_the_place_of_the_row() -> None:
    pusher = policies.for_service("pusher")
    softer = Rule("pusher-4004", when(code=4004), retry(at_least=60), "We bought a larger plan.")
    policy = override(pusher, softer)
    names = [rule.name for rule in policy.rules]
    assert names == [rule.name for rule in pusher.rules]
    assert policy.decide(received(4004), after(1)).rule == "pusher-4004"
    assert isinstance(policy.decide(received(4004), after(1)), Retry)


@pytest.mark.spec("A1", "E2.2")
def test_an_override_stands_behind_the_guards_unless_it_names_one() -> None:
    wide = Rule("wide", when(), retry(), "Always.")
    policy = override(policies.standard(), wide)
    asked = received(1000, intentional=True)
    assert policy.decide(asked, after(1)) == Stop("asked")
    assert policy.decide(broken(Cause.UNAUTHORIZED), after(1)) == Stop("no-credential")
    assert policy.decide(received(1002), after(1)).rule == "wide"
    patient = Rule("no-credential", when(cause=Cause.UNAUTHORIZED), hold(), "Somebody signs in.")
    policy = override(policies.standard(), patient)
    assert policy.decide(broken(Cause.UNAUTHORIZED), after(1)) == Hold("no-credential")


def test_two_overrides_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two rules of one name"):
        override(policies.standard(), MINE, MINE)


def test_first_match_puts_tables_one_after_the_other() -> None:
    policy = policies.first_match("ours", [MINE], policies.basic())
    assert policy.decide(received(4001), after(1)) == Stop("mine")
    assert policy.decide(received(4101), after(1)).rule == "other-first"
    assert policy.rules[0] is MINE


def test_each_phase_can_have_its_policy() -> None:
    policy = per_phase(dial=policies.basic(), open=policies.standard())
    assert policy.decide(received(1002), after(1, phase=Phase.DIAL)).rule == "unexpected"
    assert policy.decide(received(1002), after(1)).rule == "our-fault"
    assert policy.rules == policies.basic().rules + policies.standard().rules
    assert isinstance(policy, Policy)


@pytest.mark.spec("D6.1", "D6.3")
@pytest.mark.parametrize("attempts", [0, 1, 5])
def test_a_limit_on_attempts_allows_so_many_retries(attempts: int) -> None:
    policy = limit(policies.basic(), attempts=attempts, then=stop(unsent=Unsent.DROP))
    line = Line(policy, lambda _: broken(Cause.TCP), uptime=None).run(20)
    assert len(line.dials) == 1 + attempts
    assert line.rules[-1] == ATTEMPTS
    end = policy.decide(broken(), after(attempts + 1))
    assert end == Stop(ATTEMPTS, Unsent.DROP)


@pytest.mark.spec("D6.2", "D6.3")
def test_a_limit_on_time_gives_up_when_the_delay_is_set() -> None:
    policy = limit(Stubborn(), elapsed=10.0, then=hold())
    assert policy.decide(broken(), after(1, elapsed=8.0)) == Retry(2.0, rule="again")
    assert policy.decide(broken(), after(1, elapsed=8.1)) == Hold(TIME)
    line = Line(policy, lambda _: broken(Cause.TCP), uptime=None).run(20)
    assert line.dials == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]


@pytest.mark.spec("D6.1", "B5")
def test_a_limit_leaves_every_other_decision_as_it_is() -> None:
    policy = limit(policies.standard(), attempts=0, elapsed=0.0, then=hold())
    assert policy.decide(received(1000, intentional=True), after(9)) == Stop("asked")
    assert policy.decide(received(1002), after(9)) == Stop("our-fault", Unsent.DROP_REFUSED)


def test_limits_can_be_read_as_rules() -> None:
    policy = limit(policies.basic(), attempts=3, elapsed=60, then=stop())
    assert [rule.name for rule in policy.rules[:2]] == [ATTEMPTS, TIME]
    assert str(policy.rules[0].when) == "attempt at least 4"
    assert rules_of(limit(Stubborn(), attempts=1, then=stop()))[1:] == ()
    assert rules_of(Stubborn()) == ()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "wants attempts, elapsed or both"),
        ({"attempts": -1}, "attempts must be at least 0"),
        ({"elapsed": float("inf")}, "elapsed must be finite"),
    ],
)
def test_a_limit_that_is_none_is_refused(arguments: dict[str, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        limit(policies.basic(), **arguments, then=stop())  # type: ignore[arg-type] # bad input is the point


def test_a_limit_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="attempts must be an int"):
        limit(policies.basic(), attempts=1.5, then=stop())  # type: ignore[arg-type] # bad input is the point
    with pytest.raises(TypeError, match=r"then must be hold\(\) or stop\(\)"):
        limit(policies.basic(), attempts=1, then=Stop())  # type: ignore[arg-type] # bad input is the point


def test_only_the_limits_that_are_set_are_rules() -> None:
    of_attempts = limit(policies.basic(), attempts=3, then=stop())
    of_time = limit(policies.basic(), elapsed=60, then=stop())
    assert [rule.name for rule in rules_of(of_attempts)][:1] == [ATTEMPTS]
    assert TIME not in [rule.name for rule in rules_of(of_attempts)]
    assert [rule.name for rule in rules_of(of_time)][:1] == [TIME]
    assert ATTEMPTS not in [rule.name for rule in rules_of(of_time)]
