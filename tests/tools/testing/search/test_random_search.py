"""The random part of the search: it repeats itself, and what it finds is made small."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import Close, Context, Retry, Stop, policies
from recloser.fsm import Decision, Policy
from recloser.testing import (
    Call,
    Invoke,
    Law,
    Lose,
    Question,
    Story,
    Tell,
    Wait,
    check_policy,
    examine,
)
from recloser.testing.evidence.draws import Dice, Draws
from recloser.testing.evidence.interview import Interview
from recloser.testing.evidence.literals import Literals
from recloser.testing.search.random_search import Sieve

KNOWN = Literals((4123, 0.375, 77.5), ("a word of mine",))


def questions(draws: Draws, seed: str, count: int = 60) -> list[Question]:
    dice = Dice(seed)
    return [draws.question(dice) for _ in range(count)]


@pytest.mark.spec("K1.4")
def test_a_seed_draws_the_same_again_and_another_one_something_else() -> None:
    draws = Draws(KNOWN)
    assert questions(draws, "1") == questions(draws, "1")
    assert questions(draws, "1") != questions(draws, "2")


def test_what_a_policy_names_is_drawn() -> None:
    drawn = questions(Draws(KNOWN), "own", 400)
    assert {4122, 4123, 4124} <= {each.close.code for each in drawn}
    assert {4122, 4123, 4124} <= {each.context.attempt for each in drawn}
    assert "a word of mine" in {each.close.reason for each in drawn}
    assert "a word of mine" in {each.close.advice for each in drawn}
    assert 0.375 in {each.context.roll for each in drawn}
    assert 77.5 in {each.context.since_dial for each in drawn}


@given(st.text(), st.integers(-5, 5), st.integers(0, 10**9))
def test_dice_stay_within_their_bounds(seed: str, low: int, room: int) -> None:
    dice = Dice(seed)
    for _ in range(20):
        assert low <= dice.whole(low, low + room) <= low + room
        assert low <= dice.number(low, low + room) <= low + room
        text = dice.text(7)
        assert len(text) <= 7
        assert text.encode().decode() == text


def test_dice_draw_each_small_number_and_large_ones() -> None:
    dice = Dice("faces")
    assert {dice.whole(1, 6) for _ in range(200)} == set(range(1, 7))
    many = [dice.whole(1, 10**9) for _ in range(200)]
    assert sum(each < 10**6 for each in many) > 40
    assert sum(each > 10**8 for each in many) > 40


class Raises:
    """Has an answer to everything but one question in a hundred thousand."""

    def decide(self, close: Close, context: Context) -> Decision:
        return Stop() if close.intentional else Retry(1.0 + context.roll)


def crowded(ask: Interview, close: Close, context: Context) -> str | None:
    """No question of the finite part has so many engines at a host that is crowded."""
    found = context.crowded and context.engines > 40_000 and close.advice is not None
    return f"{ask(close, context)} for a crowd" if found else None


@pytest.mark.spec("K1.2", "K1.4")
def test_a_question_drawn_at_random_is_made_small() -> None:
    law = Law(name="no-crowd", claim="No crowd is met.", decision=crowded)
    report = examine(Raises, laws=[law], examples=0)
    assert report.sound, "nothing but luck finds it"
    report = examine(Raises, laws=[law], examples=2000)
    [verdict] = report.broken
    assert verdict.problem.endswith("for a crowd")
    assert "decide() with roll 0.5" in verdict.story


def breaks(found: Callable[[Story], bool]) -> Law:
    def client(policy: Policy, story: Story) -> str | None:
        del policy
        return "it is there" if found(story) else None

    return Law(name="own", claim="It is not there.", client=client)


@pytest.mark.spec("K1.3", "K1.4")
def test_a_story_drawn_at_random_is_made_small() -> None:
    """Every act is needed, and none says more than it must."""

    def found(story: Story) -> bool:
        waits = any(isinstance(each, Wait) and each.seconds > 30 for each in story.acts)
        told = any(isinstance(each, Tell) for each in story.acts)
        lost = any(isinstance(each, Lose) and each.close.clean for each in story.acts)
        return waits and told and lost

    [verdict] = examine(policies.standard, laws=[breaks(found)], examples=1600).broken
    assert verdict.test.count("Wait(seconds=60.0)") == 1
    assert verdict.test.count("Tell(") == verdict.test.count("Lose(") == 1
    assert "Close(code=1000" in verdict.test
    assert verdict.test.count("roll=") == verdict.test.count("roll=0.5")
    for more in ("times=", "reason=", "can_refresh=", "Open()", "Invoke("):
        assert more not in verdict.test


def test_an_example_is_held_against_all_laws_that_hold_so_far() -> None:
    sieve = Sieve(policies.standard, 86400.0)
    waits = breaks(lambda story: any(isinstance(each, Wait) for each in story.acts))
    calls = breaks(lambda story: any(isinstance(each, Invoke) for each in story.acts))
    story = Story((Wait(1.0), Invoke(Call.WAKE)))
    assert [law for law, _ in sieve.broken([waits, calls], story)] == [waits, calls]
    assert sieve.stories == 1


def test_a_sound_policy_is_asked_as_much_as_is_wanted() -> None:
    asked = [
        check_policy(policies.standard, laws=["drives-the-client"], examples=each).stories
        for each in (80, 160)
    ]
    assert asked == [10, 20]
