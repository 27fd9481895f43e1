"""Records, decisions, events and effects are values: frozen, small, plain where nothing is said."""

import ast
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass, replace
from importlib import import_module
from inspect import Parameter, isclass, signature
from pathlib import Path
from typing import Any

import pytest

import recloser.fsm
from recloser.fsm.change import StateChange
from recloser.fsm.core import Core
from recloser.fsm.decisions import ALONE, Context, Hold, Host, Retry, Stop, Unsent
from recloser.fsm.effects import Announce, Dial
from recloser.fsm.events import (
    Advise,
    Ask,
    Expired,
    Fail,
    Healthy,
    Hint,
    Lost,
    Move,
    Opened,
    Reconnect,
)
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.run import Run
from recloser.fsm.states import Wish
from recloser.fsm.timeouts import STABLE, Timeouts
from tests.fsm.rig import Scripted
from tests.signatures import nameless

ROOT = Path(__file__).parents[2]
MODULES = ("allowance", "change", "decisions", "effects", "events", "record", "timeouts")
VALUES = sorted(
    {
        value
        for module in MODULES
        for value in vars(import_module(f"recloser.fsm.{module}")).values()
        if isclass(value) and (is_dataclass(value) or hasattr(value, "_fields"))
        if not value.__name__.startswith("_")
    },
    key=lambda each: each.__name__,
)


def bare(kind: type) -> Any:
    """An instance whose fields nobody has set: what it can do is a matter of its class."""
    if issubclass(kind, tuple):
        return tuple.__new__(kind, [None] * len(names(kind)))
    return object.__new__(kind)


def names(kind: Any) -> tuple[str, ...]:
    return kind._fields if issubclass(kind, tuple) else tuple(each.name for each in fields(kind))


def plain(kind: Any) -> dict[str, object]:
    """What each field is that has a default."""
    if issubclass(kind, tuple):
        return dict(kind._field_defaults)
    if kind is Run:
        return {name: each.default for name, each in signature(Run).parameters.items()}
    return {each.name: each.default for each in fields(kind) if each.default is not MISSING}


@pytest.mark.parametrize("kind", VALUES)
def test_it_is_frozen_and_has_no_room_for_more(kind: type) -> None:
    one = bare(kind)
    assert not hasattr(one, "__dict__")
    for name in names(kind) or ["anything"]:
        with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
            setattr(one, name, 1)
        with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
            delattr(one, name)
    assert issubclass(kind, tuple) or kind.__dataclass_params__.frozen


def test_no_two_events_are_equal_because_they_carry_the_same() -> None:
    assert Hint() != Healthy()
    assert Hint()
    assert Hint() == Hint()


def test_the_walk_over_the_modules_finds_them() -> None:
    assert {Ask, Close, Context, Retry, Timeouts} <= set(VALUES)
    assert len(VALUES) > 15


@pytest.mark.parametrize("kind", [Close, Timeouts])
def test_a_record_of_many_facts_names_each_of_them(kind: Any) -> None:
    assert all(each.kw_only for each in fields(kind))


def test_a_tuple_of_many_facts_is_made_with_the_name_of_each() -> None:
    """Python would take them by their places as well, which change when a fact is added."""
    calls = [
        (path.name, call)
        for folder in ("engine", "fsm", "policies", "tools", "transport")
        for path in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in (Context.__name__, StateChange.__name__)
    ]
    assert {"core.py", "run.py"} <= {name for name, _ in calls}
    assert [(name, call.lineno) for name, call in calls if call.args] == []


PLAIN: dict[type, dict[str, object]] = {
    Run: {
        "since": None,
        "attempt": 0,
        "streak": 0,
        "alike": None,
        "refreshed": False,
        "refresh_next": False,
        "last_delay": None,
        "last_roll": None,
        "busy": 0,
        "spread": None,
        "immediate": False,
        "ended_at": None,
        "dialled_at": 0.0,
        "opened_at": None,
        "move_from": 0.0,
        "proven": False,
        "denied_since": None,
        "refusal": None,
        "waited": 0.0,
        "refusals": 0,
    },
    Close: {
        "reason": "",
        "sent_code": None,
        "intentional": False,
        "wish": None,
        "clean": False,
        "status": None,
        "body": "",
        "retry_after": None,
        "spread": None,
        "advice": None,
        "unsent": 0,
        "error": None,
    },
    Host: {"engines": 1, "outage": None, "crowded": False},
    Retry: {"refresh": False, "rule": "", "unsent": Unsent.KEEP, "session": None},
    Hold: {"rule": "", "unsent": Unsent.KEEP},
    Stop: {"rule": "", "unsent": Unsent.KEEP},
    Advise: {"retry_after": None, "spread": None, "generation": None},
    Fail: {"advice": None, "reason": "", "undelivered": 0},
    Move: {"code": 1000, "reason": "", "generation": None, "planned": False},
    Reconnect: {"code": 1000, "reason": "", "generation": None, "planned": False},
    Dial: {"intentional": False},
    Context: {
        "uptime": None,
        "elapsed": 0.0,
        "since_dial": 0.0,
        "last_delay": None,
        "last_roll": None,
        "previous_immediate": False,
        "busy": 0,
        "spread": None,
        "streak": 1,
        "refusals": 0,
        "been_open": False,
        "denied_for": 0.0,
        "engines": 1,
        "outage": None,
        "crowded": False,
        "budget_in": 0.0,
        "refreshed": False,
        "can_refresh": False,
        "roll": 0.5,
        "stable_after": 10.0,
    },
    StateChange: {
        "peer": "",
        "delay": None,
        "uptime": None,
        "unsent": 0,
        "waited": 0.0,
        "undelivered": 0,
        "close": None,
        "context": None,
        "decision": None,
        "rule": "",
        "error": None,
    },
    Timeouts: {"connect": 20.0, "close": 5.0, "stable": 10.0},
    Ask: {"code": 1000, "reason": "", "within": None},
    Opened: {"undelivered": 0},
    Lost: {"undelivered": 0},
    Expired: {"sent_code": None, "unsent": 0, "undelivered": 0},
}
"""What a record says where its maker said nothing."""


def test_the_table_of_what_is_plain_leaves_none_out() -> None:
    assert {each for each in VALUES if plain(each)} == PLAIN.keys() - {Run}


@pytest.mark.parametrize("kind", PLAIN)
def test_what_is_not_said_is_plain(kind: type) -> None:
    assert plain(kind) == PLAIN[kind]


def test_two_ends_with_the_same_facts_are_equal_whatever_was_raised() -> None:
    cut = Close(code=1006, origin=Origin.NETWORK, cause=Cause.RESET)
    assert replace(cut, error=OSError("a")) == replace(cut, error=OSError("b"))
    assert replace(cut, reason="a") != replace(cut, reason="b")


def test_a_core_that_is_not_told_of_a_provider_has_none() -> None:
    policy = Scripted(Retry(1.0))
    core = Core(policy, timeouts=Timeouts(), roll=lambda: 0.5)
    core.handle(Ask(Wish.CONNECT), 0.0)
    cut = Close(code=1006, origin=Origin.NETWORK, cause=Cause.EOF)
    core.handle(Lost(core.generation, cut), 1.0)
    assert [context.can_refresh for _, context in policy.asked] == [False]


@pytest.mark.spec("G4.2")
def test_what_the_outbox_holds_is_counted_with_what_the_wire_has() -> None:
    core = Core(Scripted(Retry(1.0)), timeouts=Timeouts(), roll=lambda: 0.5)
    core.handle(Ask(Wish.CONNECT), 0.0)
    core.held = 3
    lost = Close(code=1006, origin=Origin.NETWORK, cause=Cause.EOF, unsent=5)
    [effect] = core.handle(Lost(1, lost), 1.0)
    assert isinstance(effect, Announce)
    assert effect.change.close is not None
    assert (effect.change.unsent, effect.change.close.unsent) == (8, 8)


def test_arguments_have_names_but_where_an_application_implements() -> None:
    assert nameless(recloser.fsm) == {"decide"}


@pytest.mark.parametrize(
    "function",
    [Run.lost, Run.context, Close.by_engine, Close.declared],
    ids=lambda each: each.__name__,
)
def test_an_argument_that_is_left_out_says_nothing(function: Callable[..., object]) -> None:
    known = {"stable_after": STABLE, "host": ALONE, "code": 1006, "budget_in": 0.0, "unsent": 0}
    plain = {
        name: each.default
        for name, each in signature(function).parameters.items()
        if each.default is not Parameter.empty
    }
    assert plain
    for name, value in plain.items():
        assert value == known.get(name) or not (value or name in known), name


def test_a_run_is_itself_and_shows_nothing_of_what_a_peer_said() -> None:
    assert Run() != Run()
    run = Run()
    assert repr(run) == object.__repr__(run)
