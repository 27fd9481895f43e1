"""A name that is nearly right: the message says which was meant."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

import recloser
from recloser import fsm, outbox, policies, testing
from recloser.cli import main
from recloser.fsm.spelling import hinting, suggestion
from recloser.policies import limit, per_phase, standard, stop, when

LATER: Any = standard
KNOWN = ("connect", "Context", "Outbox")


@pytest.mark.spec("L9")
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("conect", ": did you mean 'connect' or 'Context'?"),
        ("OUTBOX", ": did you mean 'Outbox'?"),
        ("nothing like it", ""),
        ("_connect", ""),
        ("", ""),
    ],
)
def test_the_nearest_names_are_named(name: str, hint: str) -> None:
    assert suggestion(name, KNOWN) == hint


@pytest.mark.spec("L9")
def test_two_names_are_told_at_most() -> None:
    assert suggestion("connect", ("connecta", "connectb", "connectc")).count("'connect") == 2


MODULES: list[tuple[Any, str, str]] = [
    (recloser, "Conect", "connect"),
    (recloser, "Supervizor", "Supervisor"),
    (fsm, "Stat", "State"),
    (policies, "standart", "standard"),
    (outbox, "Outbx", "Outbox"),
    (testing, "check_polcy", "check_policy"),
]


@pytest.mark.spec("L9")
@pytest.mark.parametrize(("module", "name", "meant"), MODULES)
def test_of_a_module(module: Any, name: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}': did you mean .*'{meant}'"):
        getattr(module, name)


@pytest.mark.spec("L9")
@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: recloser.connect("ws://a", hartbeat=5), "heartbeat"),  # type: ignore[call-arg] # the mistake
        (lambda: recloser.connect("ws://a", subprotocol=["a"]), "subprotocols"),  # type: ignore[call-arg] # the mistake
        (lambda: when(cod=1012), "code"),  # type: ignore[call-arg] # the mistake
    ],
)
def test_of_an_argument(call: Callable[[], Any], meant: str) -> None:
    with pytest.raises(TypeError, match=f"did you mean '{meant}'"):
        call()


@hinting
def greets(name: str, *, loudly: bool = False) -> str:
    """Say hello."""
    return name.upper() if loudly else name


@pytest.mark.spec("L9")
def test_a_function_with_hints_is_the_function() -> None:
    assert greets("a", loudly=True) == "A"
    assert (greets.__name__, greets.__doc__) == ("greets", "Say hello.")
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'zzz'$"):
        greets("a", zzz=1)  # type: ignore[call-arg] # the mistake


@pytest.mark.spec("L9")
@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: recloser.connect("ws://a", policy=LATER), r"call it: policy=standard\(\)"),
        (lambda: recloser.Supervisor(restart=LATER), r"call it: restart=standard\(\)"),
        (lambda: limit(LATER, attempts=1, then=stop()), r"call it: policy=standard\(\)"),
        (lambda: per_phase(dial=LATER, open=standard()), r"call it: dial=standard\(\)"),
        (lambda: per_phase(dial=standard(), open=LATER), r"call it: open=standard\(\)"),
        (lambda: limit("basic", attempts=1, then=stop()), "policies.for_service"),  # type: ignore[arg-type] # the mistake
        (lambda: limit(5, attempts=1, then=stop()), "not 5$"),  # type: ignore[arg-type] # the mistake
    ],
)
def test_of_what_is_no_policy_yet(call: Callable[[], Any], hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        call()


@pytest.mark.spec("L6", "L9")
@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("expain", "1000"), "explain"),
        (("explain", "1000", "-p", "standrd"), "standard"),
        (("explain", "1000", "-p", "krakn"), "kraken"),
        (("explain", "1000", "-p", "recloser.policies:basc"), "basic"),
        (("explain", "1000", "--polcy", "basic"), "--policy"),
        (("codes", "krakn"), "kraken"),
        (("simulate", "--engins", "3"), "--engines"),
    ],
)
def test_on_the_command_line(arguments: tuple[str, ...], meant: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    # click before 8.4 says "Possible options" where there are several.
    assert re.search("did you mean|possible options", result.output, re.IGNORECASE)
    assert meant in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("module", [recloser, fsm, outbox, policies, testing])
def test_a_hint_is_sought_when_the_error_is_shown(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`from package import module` asks for the attribute first, and drops the error."""
    sought: list[str] = []

    def seek(name: str, known: object) -> str:
        del known
        sought.append(name)
        return "?"

    monkeypatch.setattr("recloser.fsm.spelling.suggestion", seek)
    with pytest.raises(AttributeError) as unknown:
        module.conect  # noqa: B018 - that it fails is the test
    assert sought == []
    assert str(unknown.value) == f"module {module.__name__!r} has no attribute 'conect'?"
    assert sought == ["conect"]
