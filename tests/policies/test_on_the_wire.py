"""Every shipped rule is taken by an end that a real wire brings; none promises in vain."""

import asyncio
from collections.abc import Iterator
from functools import cache

import pytest

from recloser.fsm import Close, Policy, Timeouts, Wish
from recloser.fsm.core import Core
from recloser.fsm.events import Advise, Ask, Expired, Lost, Opened
from recloser.fsm.record import Cause
from recloser.fsm.states import State
from recloser.policies.conditions import Like
from recloser.policies.intervals import IntervalSet
from recloser.policies.rules import Rule, rules_of
from tests.policies.rig import shipped
from tests.policies.wire import ends

TIMEOUTS = Timeouts()
UPTIMES = (0.5, 60.0)
DEPTH = 4
"""How often an end comes in a row: three times are what counts."""


def numbers(rule: Rule, fact: str) -> list[int]:
    """The first and the last number of each span that a rule wants."""
    wanted = rule.when.get(fact)
    if not isinstance(wanted, IntervalSet):
        return []
    spans = [(int(low), int(high) - 1) for low, high in wanted.intervals]
    return [number for span in spans for number in span]


def reasons(rule: Rule) -> list[str]:
    """A text for each pattern; the shipped ones are words with alternatives."""
    wanted = rule.when.get("reason")
    if not isinstance(wanted, Like):
        return [""]
    first = [each.split("|")[0] for each in wanted.patterns]
    return [" ".join(each.replace(r"\b", "").replace("[io]", "i").rstrip("?") for each in first)]


@cache
def on_the_wire() -> dict[str, Close]:
    """One real connection for each end that the shipped rules name, or that the wire knows."""
    codes: dict[tuple[int, str], None] = {}
    statuses: dict[int, None] = {}
    for policy in shipped().values():
        for rule in rules_of(policy):
            codes |= dict.fromkeys(
                (code, text) for code in numbers(rule, "code") for text in reasons(rule)
            )
            statuses |= dict.fromkeys(numbers(rule, "status"))
    spent = (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000, 125))
    codes |= dict.fromkeys((code, "expired token") for code in spent)
    codes |= dict.fromkeys((code, "") for code in (3001, 5000, 999, 1004, 1015, 2000))
    statuses |= dict.fromkeys((101, 600, 999))
    usable = [each for each in codes if 0 <= each[0] <= 65535]
    final = [each for each in statuses if 100 <= each <= 999 and (each >= 200 or each == 101)]
    return asyncio.run(ends(usable, final))


def lives(policy: Policy, close: Close) -> Iterator[str]:
    """The rules that decide when a core meets this end again and again, in all the usual ways."""
    dial = close.status is not None or close.cause in DIALS
    for can_refresh in (False, True):
        for known in (False, True) if dial else (True,):
            for uptime in UPTIMES if known else UPTIMES[:1]:  # what never opens has no uptime
                yield from _life(policy, close, can_refresh=can_refresh, known=known, uptime=uptime)


DIALS = frozenset(
    {
        Cause.HOOK,
        Cause.CREDENTIALS,
        Cause.DNS,
        Cause.TCP,
        Cause.TLS,
        Cause.VALIDITY,
        Cause.CONNECT_TIMEOUT,
        Cause.UNAUTHORIZED,
        Cause.REJECTED,
        Cause.CONFIGURATION,
    }
)


def _life(
    policy: Policy, close: Close, *, can_refresh: bool, known: bool, uptime: float
) -> Iterator[str]:
    core = Core(policy, timeouts=TIMEOUTS, roll=lambda: 0.5, can_refresh=can_refresh)
    now = 0.0
    core.handle(Ask(Wish.CONNECT), now)
    dial = close.status is not None or close.cause in DIALS
    for turn in range(DEPTH):
        if core.state is not State.CONNECTING:
            return
        if not dial or (known and turn == 0):
            core.handle(Opened(core.generation), now)
            if core.deadline is not None and uptime > TIMEOUTS.stable:
                core.handle(Expired(core.deadline), core.deadline)
            now += uptime
        if close.intentional:
            core.handle(Ask(Wish.CLOSE), now)
        if close.advice is not None:
            core.handle(Advise(close.advice), now)
        for effect in core.handle(Lost(core.generation, close), now):
            yield effect.change.rule  # type: ignore[union-attr] # the only effect of a loss
        if core.state is State.BACKOFF and core.deadline is not None:
            now = core.deadline
            core.handle(Expired(now), now)


@pytest.mark.spec("B18")
@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_rule_is_taken_by_an_end_on_the_wire(name: str) -> None:
    policy = shipped()[name]
    taken = {rule for close in on_the_wire().values() for rule in lives(policy, close)}
    named = {rule.name for rule in rules_of(policy)}
    assert taken <= named
    assert named - taken == set(), "no wire can take these: mend or remove them"


@pytest.mark.spec("B18", "B9.3")
def test_what_the_parser_refuses_arrives_as_our_refusal() -> None:
    found = on_the_wire()
    for code in (999, 1004, 1015, 2000):
        close = found[f"code {code} "]
        assert (close.code, close.cause, close.sent_code) == (1006, Cause.PROTOCOL, 1002)
    assert found["status 101"].status == 101
