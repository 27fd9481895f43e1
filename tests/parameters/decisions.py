"""The parameters of policies: rules, conditions, actions, backoffs, and what combines them."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

from recloser import policies
from recloser.fsm import Cause, Close, Context, Origin, Phase, Policy, Session, Unsent
from recloser.policies import (
    Rule,
    RulePolicy,
    Windows,
    at_least,
    below,
    field,
    hold,
    retry,
    stop,
    when,
)
from recloser.policies import backoff as backoffs
from tests.parameters.rows import Table, kept, made_by, probes
from tests.policies.rig import after, broken, received, refused

CLOSES = (
    received(1000),
    received(1000, "token expired"),
    received(1012),
    received(4004),
    received(4401, advice="hold"),
    refused(404),
    refused(503, retry_after=20.0),
    broken(Cause.EOF),
    Close.by_engine(Cause.TOO_BIG, sent_code=1009),
    Close(
        code=1000, origin=Origin.APPLICATION, cause=Cause.CLOSE_FRAME, intentional=True, clean=True
    ),
)
CONTEXTS = (
    after(1),
    after(4, refusals=3),
    after(9, phase=Phase.DIAL, been_open=True, denied_for=400.0),
    after(2, elapsed=500.0, refreshed=True, can_refresh=True, previous_immediate=True, engines=9),
    after(1, uptime=3.0, denied_for=20.0, been_open=True, can_refresh=True),
)


def panel(policy: Policy) -> list[object]:
    """What a policy decides for every end of the panel."""
    return [policy.decide(close, context) for close, context in product(CLOSES, CONTEXTS)]


def deciding(make: Callable[..., Any]) -> Callable[..., Any]:
    """An observer: what the policy that is made so decides."""
    return lambda **arguments: panel(make(**arguments))


ALWAYS = Rule("otherwise", when(), hold(), "The rest.")


def when_rule(**facts: Any) -> object:
    """For which ends of the panel a condition holds; there must be some."""
    rule = Rule("it", when(**facts), stop(), "It holds.")
    found = panel(RulePolicy("mine", (rule, ALWAYS)))
    assert any(each.rule == "it" for each in found), "it never holds"  # type: ignore[attr-defined] # each is a decision
    return found


def acting(make: Callable[..., Any]) -> Callable[..., Any]:
    """An observer: what a policy of this one action decides."""
    return lambda **arguments: panel(
        RulePolicy("mine", (Rule("it", when(), make(**arguments), "Always."),))
    )


def one_rule(**facts: Any) -> object:
    """What a policy with this rule decides, and what `recloser explain` tells of the rule."""
    policy = RulePolicy(
        "mine",
        (
            Rule(**{"name": "it", "when": when(code=1012), "then": stop(), "why": "So.", **facts}),
            ALWAYS,
        ),
    )
    return panel(policy), policy.rules[0].why, policy.rules[0].source


def policy_of(*, name: str = "mine", rules: Iterable[Rule] = (ALWAYS,)) -> object:
    policy = RulePolicy(name, rules)
    return repr(policy), panel(policy)


def asked(*, close: Close = CLOSES[0], context: Context = CONTEXTS[0]) -> object:
    return policies.standard().decide(close, context)


def delays(make: Callable[..., Any]) -> Callable[..., Any]:
    """An observer: the delays of a backoff at many attempts, and its bound."""

    def observe(**options: Any) -> object:
        made = make(**options)
        contexts = [
            after(attempt, busy=busy, roll=0.3, last_delay=7.0, since_dial=0.0)
            for attempt, busy in product((1, 2, 5, 40), (0, 1))
        ]
        return [made.delay(received(1012), each) for each in contexts], made.bound()

    return observe


def length(*, attempt: int = 1, busy: int = 0) -> object:
    return Windows().length(attempt, busy)


def ceiling(*, attempt: int = 1) -> object:
    return backoffs.Exponential().ceiling(attempt)


def in_set(number: float) -> Callable[..., Any]:
    return lambda **bound: number in (at_least(**bound) if "low" in bound else below(**bound))


def combined(*, parts: tuple[Any, ...], name: str = "mine") -> object:
    policy = policies.first_match(name, *parts)
    return repr(policy), panel(policy)


FIRST = policies.standard()
OWN = Rule("own", when(code=1012), hold(), "Ours.")


def overridden(
    *, policy: RulePolicy = FIRST, rules: tuple[Rule, ...] = (), name: str | None = None
) -> object:
    made = policies.override(policy, *rules, name=name)
    return repr(made), panel(made)


STANDARD: dict[str, Any] = {"peer_normal": "hold", "patience": 0.0, "restart": (5.0, 30.0)}
PANEL_OF_WHEN: dict[str, Any] = {
    "code": 1012,
    "status": 404,
    "refused": True,
    "intentional": True,
    "origin": Origin.NETWORK,
    "cause": Cause.EOF,
    "sent_code": 1009,
    "reason": "expired",
    "advice": "hold",
    "phase": Phase.DIAL,
    "streak": at_least(4),
    "refusals": 3,
    "attempt": 1,
    "uptime": at_least(30),
    "elapsed": at_least(300),
    "been_open": True,
    "denied_for": at_least(300),
    "can_refresh": True,
    "refreshed": True,
    "immediate": True,
    "stable": True,
}
DROP = {"unsent": Unsent.DROP}

TABLE: Table = {
    **probes("standard", deciding(policies.standard), STANDARD),
    **probes("for_service", deciding(policies.for_service), {"name": "cloudflare", **STANDARD},
             name="anycable"),
    **probes("service", lambda name: policies.service(name).title, {"name": "pusher"},
             name="anycable"),
    **probes("find", field.find, {"software": "nginx", "event": "stop"}),
    **kept(field.FieldRow),
    **probes("basic", deciding(policies.basic), {"base": 2.0, "cap": 9.0}),
    **probes("when", when_rule, PANEL_OF_WHEN),
    **probes("Rule", one_rule, {
        "name": "other",
        "when": when(code=1000),
        "then": hold(),
        "why": "Because.",
        "source": "RFC 6455",
    }),
    **probes("RulePolicy", policy_of, {"name": "other", "rules": (OWN, ALWAYS)}),
    **probes("RulePolicy.decide", asked, {"close": CLOSES[3], "context": CONTEXTS[2]}),
    **probes("hold", acting(hold), DROP),
    **probes("stop", acting(stop), DROP),
    **probes("retry", acting(retry), {
        "backoff": backoffs.Uniform(70, 80), "at_least": 9.0, **DROP,
    }),
    **probes("retry", acting(retry), {"unless_told": True}, at_least=60.0),
    **probes("retry", acting(retry), {"session": Session.NEW}),
    **probes("retry_after", acting(policies.retry_after), {"seconds": 9.0, **DROP}, seconds=8.0),
    **probes("refresh_then_retry", acting(policies.refresh_then_retry), {"at_least": 3.0, **DROP}),
    **probes("at_least", in_set(5), {"low": 6}, low=5),
    **probes("below", in_set(5), {"high": 6}, high=5),
    **probes("first_match", combined, {"name": "other", "parts": ((OWN,), FIRST)},
             parts=(FIRST,)),
    **probes("override", overridden, {
        "policy": policies.basic(), "rules": (OWN,), "name": "other",
    }),
    **probes("per_phase", deciding(policies.per_phase), {
        "dial": policies.basic(), "open": policies.basic(),
    }, dial=policies.standard(), open=policies.standard()),
    **probes("limit", deciding(policies.limit), {
        "policy": policies.basic(), "attempts": 1, "elapsed": 1.0, "then": hold(),
    }, policy=policies.standard(), attempts=3, then=stop()),
    **probes("Windows", delays(Windows), {
        "first": 7.0, "factor": 2.0, "longest": 40.0, "longest_busy": 200.0,
    }),
    **probes("Windows.length", length, {"attempt": 3, "busy": 4}),
    **probes("Uniform", delays(backoffs.Uniform), {"low": 2.0, "cap": 9.0}, low=1.0, cap=8.0),
    **probes("Steps", delays(backoffs.Steps), {"table": (4.0,), "jitter": 0.5}, table=(1.0, 2.0)),
    **probes("Exponential", delays(backoffs.Exponential), {
        "base": 2.0, "cap": 50.0, "factor": 3.0,
    }),
    **probes("FullJitter", delays(backoffs.FullJitter), {
        "base": 2.0, "cap": 50.0, "factor": 3.0,
    }),
    **probes("EqualJitter", delays(backoffs.EqualJitter), {
        "base": 2.0, "cap": 50.0, "factor": 3.0,
    }),
    **probes("Exponential.ceiling", ceiling, {"attempt": 3}),
    **probes("Decorrelated", delays(backoffs.Decorrelated), {"base": 2.0, "cap": 5.0}),
    **probes("rfc6455", delays(backoffs.rfc6455), {"cap": 50.0}),
    **dict(
        row
        for each in ("Backoff", "Windows", "Uniform", "Steps", "Exponential", "FullJitter",
                     "EqualJitter", "Decorrelated")
        for row in made_by("retry", f"{each}.delay", "close", "context").items()
    ),
}  # fmt: skip
