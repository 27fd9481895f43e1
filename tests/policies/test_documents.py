"""docs/policies.md says what is true: its tables are live, and its code runs."""

import re

import pytest

from recloser.fsm import Hold, Policy, Retry, Stop, Unsent
from tests.policies.documents import DOCUMENT, GUIDE, filled
from tests.policies.rig import after, broken, received, refused

TEXT = DOCUMENT.read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.spec("L2")
def test_the_tables_are_those_of_the_live_policies() -> None:
    assert filled(TEXT) == TEXT, "run: python -m tests.policies.documents"
    assert TEXT.count("<!-- $ recloser") == 3
    assert "| restart | code 1012; attempt 1 |" in TEXT


@pytest.mark.spec("L10")
def test_the_field_guide_is_that_of_the_data() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert filled(text) == text, "run: python -m tests.policies.documents"
    assert "| uvicorn websockets |" in text


def test_the_code_of_the_field_guide_prints_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [block] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, str(GUIDE), "exec"), {})
    [said] = re.findall(r"# (.*)", block)
    assert capsys.readouterr().out == f"{said}\n"


def names(wanted: str) -> dict[str, object]:
    """Run the one block that defines `wanted`; its names."""
    (block,) = [each for each in CODE if re.search(rf"^(class )?{wanted}\b", each, re.MULTILINE)]
    found: dict[str, object] = {}
    exec(compile(block, str(DOCUMENT), "exec"), found)
    return found


def policy_of(wanted: str) -> Policy:
    policy = names(wanted)[wanted]
    assert isinstance(policy, Policy)
    return policy


def test_every_block_of_code_runs() -> None:
    for block in CODE:
        exec(compile(block, str(DOCUMENT), "exec"), {})


def test_the_policy_of_rules_does_what_is_said() -> None:
    policy = policy_of("policy")
    assert policy.decide(received(4003), after(2)) == Hold("kicked")
    assert policy.decide(refused(403), after(1)) == Stop("refused")
    assert policy.decide(broken(), after(1)) == Retry(1.0, rule="else")


def test_the_class_does_what_is_said() -> None:
    make = names("Feed")["Feed"]
    assert isinstance(make, type)
    policy = make()
    assert policy.decide(received(1000, intentional=True), after(1)) == Stop("final")
    assert policy.decide(broken(), after(1)) == Retry(2.5, rule="again")


@pytest.mark.spec("B14.3", "D6.1", "D6.3")
def test_the_changed_policies_do_what_is_said() -> None:
    mine = policy_of("mine")
    assert mine.decide(received(4900), after(1)) == Hold("night")
    assert mine.decide(received(4004), after(1)) == Retry(62.5, rule="pusher-4004")
    assert policy_of("patient").decide(broken(), after(101)) == Hold("attempts-used-up")
    assert policy_of("careful").decide(received(1002), after(1)) == Stop(
        "our-fault", Unsent.DROP_REFUSED
    )
