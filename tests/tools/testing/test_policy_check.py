"""`check_policy` as a user meets it: what it takes, what it raises, and laws of one's own."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from functools import partial

import pytest

from recloser import Close, Context, Hold, Retry, Stop, policies
from recloser.fsm import Decision
from recloser.testing import (
    LAWS,
    OPTIONAL_LAWS,
    BrokenLaw,
    Law,
    Lose,
    Story,
    assert_law,
    check_policy,
    examine,
)
from recloser.testing.evidence import cases
from recloser.testing.evidence.interview import Interview
from recloser.testing.evidence.literals import literals_of
from recloser.testing.laws.groups import choose


class Sleeper:
    """Rests whenever it can."""

    def decide(self, close: Close, context: Context) -> Decision:
        return Stop() if close.intentional else Hold("tired")


class Hopeful:
    def decide(self, close: Close, context: Context) -> Decision:
        return Retry(1.0 + context.roll, rule="hope")


def never_rests(ask: Interview, close: Close, context: Context) -> str | None:
    return "nobody will wake it" if isinstance(ask(close, context), Hold) else None


OWN = Law(name="never-rests", claim="It never rests.", decision=never_rests)


@pytest.mark.spec("K1.2")
def test_a_law_of_ones_own() -> None:
    with pytest.raises(BrokenLaw, match="nobody will wake it") as failure:
        check_policy(Sleeper, laws=[OWN, "total"], examples=0)
    [verdict] = failure.value.verdicts
    assert (verdict.law, verdict.word) == (OWN, "broken")
    assert "Hold() by rule 'tired'" in verdict.story


@pytest.mark.spec("K1.2")
def test_the_finite_part_asks_a_law_about_what_concerns_it() -> None:
    asked: list[tuple[Close, Context]] = []

    def never(ask: Interview, close: Close, context: Context) -> str | None:
        asked.append((close, context))
        return None

    law = Law(
        name="own",
        claim="It rests after 4321 alone.",
        decision=never,
        concerns=lambda _ask, close, _context, answer: (
            close.code == 4321 and isinstance(answer, Hold)
        ),
    )
    assert check_policy(Sleeper, laws=[law], examples=0).sound
    assert {close.code for close, _ in asked} == {4321}
    assert not any(close.intentional for close, _ in asked)


def test_a_law_needs_a_check() -> None:
    with pytest.raises(TypeError, match="give it a check"):
        Law(name="empty", claim="Nothing.")


@pytest.mark.parametrize("make", [Sleeper, Sleeper(), partial(Sleeper)])
def test_a_class_an_object_and_a_function_serve(make: Callable[[], Sleeper]) -> None:
    assert check_policy(make, laws=["eventually-settles"], examples=5).sound


@pytest.mark.spec("K1.1", "K1.2")
def test_the_report_tells_every_law_and_what_was_tried() -> None:
    report = examine(Hopeful, laws=["total", "intentional-stops"], examples=20)
    assert not report.sound
    assert [(each.law.name, each.word) for each in report.verdicts] == [
        ("total", "holds"),
        ("intentional-stops", "broken"),
    ]
    assert report.questions > 100_000
    [broken] = report.broken
    assert broken.figures()["verdict"] == "broken"
    assert report.verdicts[0].figures()["story"] is None
    assert str(report.verdicts[0]) == "total: holds"
    assert "Why:" in str(report)
    assert "Seen in:" in str(report)
    with pytest.raises(FrozenInstanceError):
        report.seed = 1  # type: ignore[misc] # the point of the test


@pytest.mark.spec("K1.4")
def test_the_story_is_short_and_has_a_path_over_the_states() -> None:
    report = examine(Hopeful, laws=["intentional-stops"])
    [verdict] = report.verdicts
    assert verdict.path == "closed -> connecting -> open -> closing -> closed"
    lines = verdict.story.splitlines()
    assert len(lines) == 4
    assert "the application calls close()" in lines[2]
    assert "POLICY ERROR: answered Retry although the application ended the connection" in lines[3]


@pytest.mark.spec("D8")
def test_the_same_seed_tells_the_same_story() -> None:
    one, two = (examine(Hopeful, laws=["drives-the-client"], seed=5, examples=80) for _ in "12")
    assert one == two


def test_progress_is_told_and_ends_with_all() -> None:
    told: list[tuple[str, float]] = []
    check_policy(
        Sleeper, laws=["total"], examples=5, progress=lambda what, share: told.append((what, share))
    )
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert told[-1] == ("done", 1.0)
    assert {"codes", "statuses", "attempts"} <= {what for what, _ in told}


def test_it_works_within_a_running_loop() -> None:
    async def story() -> None:
        assert check_policy(Sleeper, laws=["drives-the-client"], examples=20).sound

    asyncio.run(story())


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"laws": ["no-hot-lop"]}, ValueError, "did you mean no-hot-loop"),
        ({"laws": ["xyz"]}, ValueError, "one of total"),
        ({"laws": []}, ValueError, "no law to check"),
        ({"laws": [3]}, TypeError, "or the name of one, not 3"),
        ({"examples": -1}, ValueError, "at least 0"),
        ({"examples": 1.5}, ValueError, "whole number"),
        ({"max_delay": 0}, ValueError, "above 0"),
    ],
)
def test_bad_input_says_what_to_do(
    options: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        check_policy(Sleeper, **options)  # type: ignore[arg-type] # the point of the test


@pytest.mark.parametrize("make", [3, object(), object, lambda: None])
def test_what_makes_no_policy_is_refused(make: object) -> None:
    with pytest.raises(TypeError, match=r"expected a policy|has no decide"):
        check_policy(make)  # type: ignore[arg-type] # the point of the test


def test_names_of_groups() -> None:
    assert choose(None) == choose(["default"]) == LAWS
    assert choose(["all"]) == (*LAWS, *OPTIONAL_LAWS)
    assert choose(["total", "total"]) == LAWS[:1]


@pytest.mark.spec("K1.2")
@pytest.mark.parametrize("law", [*LAWS, *OPTIONAL_LAWS], ids=lambda law: law.name)
def test_every_law_says_why(law: Law) -> None:
    assert law.claim.endswith(".")
    assert law.why.endswith(".")
    assert law.optional is (law in OPTIONAL_LAWS)


@pytest.mark.spec("K1.1", "K1.2")
def test_max_delay_is_the_callers() -> None:
    check_policy(Hopeful, laws=["bounded"], examples=0, max_delay=2.0)
    with pytest.raises(BrokenLaw, match=r"more than the 1\.5 s allowed"):
        check_policy(Hopeful, laws=["bounded"], examples=0, max_delay=1.5)


@pytest.mark.spec("K1.1", "K1.2")
def test_assert_law_holds_one_story_against_one_law() -> None:
    story = Story((Lose(Close.frame(1012), 5.0, times=30),))
    assert_law("no-hot-loop", Hopeful, story)
    assert_law("comes-to-rest", Sleeper, story)
    with pytest.raises(BrokenLaw, match="it still retries"):
        assert_law("comes-to-rest", Hopeful, Story((Lose(Close.frame(1012), 5.0, times=50),)))


def test_it_needs_no_hypothesis() -> None:
    """Only the strategies do, for tests of one's own."""
    program = (
        "import sys\n"
        "sys.modules['hypothesis'] = None\n"
        "from recloser.policies import standard\n"
        "from recloser.testing import check_policy\n"
        "print(check_policy(standard, quick=True).sound)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True\n"


def test_it_needs_no_test_runner() -> None:
    program = (
        "import sys\n"
        "from recloser.testing import check_policy\n"
        "from recloser import Stop\n"
        "class Ends:\n"
        "    def decide(self, close, context):\n        return Stop()\n"
        "assert check_policy(Ends, laws=['eventually-settles'], examples=5).sound\n"
        "assert 'pytest' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=120)


@pytest.mark.spec("K1.2")
def test_what_a_policy_was_asked_before_changes_nothing_that_a_check_takes_from_it() -> None:
    """Its tables are made when they are first needed, and a check looks for numbers within it."""
    policy = policies.standard()
    before = literals_of(policy)
    for close, context in cases.causes():
        policy.decide(close, context)
    assert literals_of(policy) == before
