"""The words of the machine."""

import pytest

from recloser.fsm.states import Guard, State, Trigger, Wish


def test_states_are_those_of_the_design() -> None:
    assert [state.value for state in State] == [
        "closed",
        "connecting",
        "open",
        "closing",
        "backoff",
        "passive",
    ]


@pytest.mark.parametrize("words", [State, Trigger, Guard, Wish])
def test_a_word_is_used_once(words: type[State | Trigger | Guard | Wish]) -> None:
    values = [word.value for word in words]
    assert len(set(values)) == len(values) == len(words)


@pytest.mark.parametrize("words", [State, Trigger, Wish])
def test_names_and_values_agree(words: type[State | Trigger | Wish]) -> None:
    assert all(word.value == word.name.lower() for word in words)


def test_every_wish_is_a_trigger_and_a_guard() -> None:
    for wish in Wish:
        assert wish.trigger.value == wish.value
        assert wish.guard.value == f"last wish is {wish.value}"


def test_guard_texts_fit_a_mermaid_label() -> None:
    assert not [guard for guard in Guard if set(guard.value) & set(":;,[]\n")]


def test_a_generation_lives_in_three_states() -> None:
    assert {state for state in State if state.live} == {
        State.CONNECTING,
        State.OPEN,
        State.CLOSING,
    }
