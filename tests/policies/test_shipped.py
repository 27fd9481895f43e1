"""Laws that hold for every policy that is shipped, whatever happens."""

from collections import defaultdict
from dataclasses import replace
from functools import cache
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import policies
from recloser.fsm import Cause, Close, Context, Hold, Phase, Policy, Retry, Stop, Wish
from recloser.policies import RulePolicy
from recloser.policies.actions import Redial
from recloser.policies.overlaps import find
from tests.policies.rig import (
    ALMOST_ONE,
    CLOSES,
    CONTEXTS,
    ROLLS,
    Line,
    after,
    broken,
    makers,
    received,
    refused,
    shipped,
)

NAMES = st.sampled_from(sorted(shipped()))
BOUND = 1 + 600 + 600 + 600
"""A gap, a floor of ten minutes, and the longest windows or what a server may ask for."""


def rules_of(policy: Policy) -> list[str]:
    assert isinstance(policy, RulePolicy)
    return [rule.name for rule in policy.rules]


@pytest.mark.spec("B9.2", "B10", "D2.2", "D3.2")
@given(NAMES, CLOSES, CONTEXTS)
def test_every_end_gets_a_bounded_decision_by_a_rule_of_its_own(
    name: str, close: Close, context: Context
) -> None:
    policy = shipped()[name]
    decision = policy.decide(close, context)
    assert isinstance(decision, Retry | Hold | Stop)
    assert decision.rule in rules_of(policy)
    if isinstance(decision, Retry):
        assert decision.delay <= BOUND


@pytest.mark.spec("B9.2")
@pytest.mark.parametrize("context", [after(1), after(3), after(1, phase=Phase.DIAL)], ids=str)
def test_every_code_there_can_be_is_decided(context: Context) -> None:
    for policy in shipped().values():
        for code in range(-1, 70_001, 1 if policy is shipped()["standard"] else 97):
            policy.decide(received(code), context)


@pytest.mark.spec("D8")
@given(NAMES, CLOSES, CONTEXTS)
def test_a_policy_is_a_plain_function_of_its_arguments(
    name: str, close: Close, context: Context
) -> None:
    policy = shipped()[name]
    first = policy.decide(close, context)
    policy.decide(received(4321), after(7))
    assert policy.decide(close, context) == first
    assert twins()[name].decide(close, context) == first


@cache
def twins() -> dict[str, Policy]:
    return {name: make() for name, make in makers().items()}


@pytest.mark.spec("A1", "B5")
@given(NAMES, CLOSES, CONTEXTS)
def test_an_end_that_was_asked_for_is_always_a_stop(
    name: str, close: Close, context: Context
) -> None:
    asked = replace(close, intentional=True, wish=Wish.CLOSE)
    assert shipped()[name].decide(asked, context) == Stop("asked")


@pytest.mark.spec("B8.1")
@given(NAMES, CLOSES, CONTEXTS)
def test_without_its_reason_an_end_falls_to_the_rule_of_its_code(
    name: str, close: Close, context: Context
) -> None:
    policy = shipped()[name]
    assert isinstance(policy, RulePolicy)
    decision = policy.decide(replace(close, reason=""), context)
    rule = next(rule for rule in policy.rules if rule.name == decision.rule)
    assert rule.when.get("reason") is None


@pytest.mark.spec("B8.2")
@given(NAMES, CLOSES, CONTEXTS)
def test_the_case_of_reason_and_advice_does_not_matter(
    name: str, close: Close, context: Context
) -> None:
    plain = replace(close, reason="TOKEN Expired", advice=close.advice and close.advice.upper())
    lower = replace(close, reason="token expired", advice=close.advice and close.advice.lower())
    policy = shipped()[name]
    assert policy.decide(plain, context) == policy.decide(lower, context)


@pytest.mark.spec("E2.2", "J4")
@pytest.mark.parametrize(
    "cause",
    [Cause.UNAUTHORIZED, Cause.REJECTED, Cause.SESSION_CLOSED, Cause.CONFIGURATION],
    ids=str,
)
@given(NAMES, CLOSES, CONTEXTS)
def test_what_dialling_cannot_help_stops(
    cause: Cause, name: str, close: Close, context: Context
) -> None:
    if cause is Cause.REJECTED:
        context = context._replace(can_refresh=False)
    decision = shipped()[name].decide(replace(close, cause=cause), context)
    assert isinstance(decision, Stop)


@pytest.mark.spec("B20.2")
@given(
    NAMES, st.integers(200, 599), st.integers(1, 40), st.booleans(), st.none() | st.floats(0, 99)
)
def test_a_proxy_that_refuses_is_dialled_again_unless_it_wants_a_credential(
    name: str, status: int, attempt: int, been_open: bool, wanted: float | None
) -> None:
    close = Close.refused_by_proxy(status, retry_after=wanted)
    context = after(attempt, phase=Phase.DIAL, streak=attempt, been_open=been_open)
    decision = shipped()[name].decide(close, context)
    if status == 407:
        assert decision == Stop("proxy-credential")
    else:
        assert isinstance(decision, Retry)
        assert decision.delay >= (wanted or 0.0)


@pytest.mark.parametrize("name", sorted(set(shipped()) - set(policies.SHIPPED) | {"standard"}))
def test_a_refused_certificate_stops(name: str) -> None:
    close = Close(code=1015, origin=broken().origin, cause=Cause.TLS)
    assert shipped()[name].decide(close, after(phase=Phase.DIAL)) == Stop("certificate")


ENDS = {
    "1000": (received(1000), 0.01),
    "1001": (received(1001), 0.01),
    "1006": (broken(), 0.01),
    "1011": (received(1011), 0.01),
    "4000": (received(4000), 0.01),
    "4200": (received(4200), 0.01),
    "4205": (received(4205), 0.5),
    "heartbeat": (broken(Cause.HEARTBEAT), 2.0),
    "tcp": (broken(Cause.TCP), None),
    "timeout": (broken(Cause.CONNECT_TIMEOUT), None),
    "401": (refused(401), None),
    "429": (refused(429), None),
    "503": (refused(503), None),
    "503 hint": (refused(503, retry_after=0.01, spread=0.01), None),
    "1012 hint": (received(1012, spread=0.01), 0.01),
}


@pytest.mark.spec("D1.1", "D4.3", "D4.4")
@pytest.mark.parametrize("end", sorted(ENDS))
def test_no_hot_loop(end: str) -> None:
    """At most two dials in any second, and gaps that grow, against a server that never helps."""
    close, uptime = ENDS[end]
    for name, policy in shipped().items():
        line = Line(policy, lambda _, close=close: close, uptime=uptime).run(24)  # type: ignore[misc] # a default binds the loop variable
        dials = line.dials
        crowded = [
            at for at, third in zip(dials, dials[2:], strict=False) if third - at < 1.0 - 1e-9
        ]
        assert not crowded, f"{name}: three dials in the second after {crowded[0]}"
        if len(dials) == 24:
            gaps = list(line.gaps())
            slow = mean(gaps[:2]) > 20.0
            assert mean(gaps[-8:]) > (1.0 if slow else 1.5) * mean(gaps[:2]), f"{name}: {gaps}"


@pytest.mark.spec("D4.3", "D4.4", "E3.1")
@given(NAMES, st.lists(CLOSES, min_size=3, max_size=8), st.integers(0, 100))
def test_no_mixture_of_ends_makes_a_hot_loop(name: str, ends: list[Close], seed: int) -> None:
    closes = [replace(close, intentional=False, retry_after=None) for close in ends]
    line = Line(
        shipped()[name], lambda dial: closes[dial % len(closes)], uptime=0.01, seed=seed
    ).run(30)
    dials = line.dials
    assert all(third - at >= 0.999 for at, third in zip(dials, dials[2:], strict=False))


@pytest.mark.spec("D4.1", "D5")
@pytest.mark.parametrize("code", [1001, 1012, 1013])
def test_a_fleet_that_moves_comes_back_spread(code: int) -> None:
    for name, policy in shipped().items():
        answers = [policy.decide(received(code), after(1, roll=roll)) for roll in ROLLS]
        delays = [each.delay for each in answers if isinstance(each, Retry)]
        least = 0.45 if name == "basic" else 3.99
        assert not delays or delays[-1] - delays[0] > least, name


@pytest.mark.spec("D2.3")
def test_nothing_overflows_at_attempt_ten_to_the_nine() -> None:
    far = after(10**9, busy=10**9, elapsed=1e9, last_delay=1e9, roll=ALMOST_ONE, streak=1)
    for policy in shipped().values():
        for close in (received(1001), broken(Cause.TCP), refused(503), received(4999)):
            decision = policy.decide(close, far)
            assert not isinstance(decision, Retry) or decision.delay <= BOUND


@pytest.mark.spec("D8")
def test_the_same_seed_gives_the_same_delays() -> None:
    ends = [received(1001), refused(503), broken(Cause.TCP)]
    for policy in shipped().values():
        runs = [
            Line(policy, lambda dial: ends[dial % 3], uptime=None, seed=seed).run(12).dials
            for seed in (5, 5, 6)
        ]
        assert runs[0] == runs[1]
        assert len(runs[0]) < 3 or runs[0] != runs[2]


def test_the_rules_of_no_policy_are_in_each_others_way() -> None:
    """A service's own rows may cut across the general ones: they are meant to win."""
    for name, policy in shipped().items():
        assert isinstance(policy, RulePolicy)
        for finding in find(policy.rules):
            assert finding.kind == "overlap", f"{name}: {finding}"
            (earlier,) = finding.earlier
            assert earlier.startswith(name), f"{name}: {finding}"
            assert not finding.rule.startswith(name), f"{name}: {finding}"


def test_every_rule_says_why_and_where_from() -> None:
    for name, policy in shipped().items():
        assert isinstance(policy, RulePolicy)
        for rule in policy.rules:
            assert rule.why.endswith("."), f"{name}: {rule.name}"
            assert rule.source, f"{name}: {rule.name}"


def test_no_draw_exceeds_the_bound_of_its_backoff() -> None:
    """The bound that an action gives is kept, so that a table may print it."""
    seen: defaultdict[str, float] = defaultdict(float)
    for name, policy in shipped().items():
        assert isinstance(policy, RulePolicy)
        bounds = {
            rule.name: rule.then.bound() for rule in policy.rules if isinstance(rule.then, Redial)
        }
        for close in (received(1001), received(1013), refused(503, retry_after=1e5), broken()):
            context = after(30, busy=20, last_roll=0.0, roll=ALMOST_ONE, since_dial=0.0, streak=1)
            decision = policy.decide(close, context)
            if isinstance(decision, Retry):
                seen[name] = max(seen[name], decision.delay)
                assert decision.delay <= bounds[decision.rule]
    assert seen["standard"] > 300
