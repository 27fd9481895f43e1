"""Every bad policy of the gallery is caught by the law it breaks, and its story stands (K2)."""

import re
from pathlib import Path

import pytest

from recloser.testing import BrokenLaw, Verdict, check_policy
from recloser.testing import gallery as bad_policies
from recloser.testing.gallery import GALLERY, Exhibit

PAGE = (Path(__file__).parents[3] / "docs" / "gallery.md").read_text(encoding="utf-8")


def name_of(exhibit: Exhibit) -> str:
    return getattr(exhibit.make, "__name__", "")


@pytest.fixture(scope="module", params=GALLERY, ids=name_of)
def caught(request: pytest.FixtureRequest) -> tuple[Exhibit, Verdict]:
    exhibit: Exhibit = request.param
    with pytest.raises(BrokenLaw) as failure:
        check_policy(exhibit.make, laws=[exhibit.law])
    [verdict] = failure.value.verdicts
    return exhibit, verdict


@pytest.mark.spec("K2")
def test_it_is_caught_by_the_law_that_it_breaks(caught: tuple[Exhibit, Verdict]) -> None:
    exhibit, verdict = caught
    assert verdict.law.name == exhibit.law
    assert verdict.word == "broken"


@pytest.mark.spec("K1.4")
def test_its_story_is_a_numbered_list(caught: tuple[Exhibit, Verdict]) -> None:
    _, verdict = caught
    numbers = [int(each) for each in re.findall(r"^ *(\d+)\. ", verdict.story, re.MULTILINE)]
    assert numbers[0] == 1
    assert numbers == sorted(numbers)
    assert len(verdict.story.splitlines()) <= 14, "a story is short"


@pytest.mark.spec("K1.4")
def test_the_test_to_paste_runs_and_fails(caught: tuple[Exhibit, Verdict]) -> None:
    exhibit, verdict = caught
    space: dict[str, object] = {}
    exec(compile(verdict.test, "pasted.py", "exec"), space)
    assert name_of(exhibit) in space, "it imports the policy"
    [test] = [value for name, value in space.items() if name.startswith("test_")]
    with pytest.raises(BrokenLaw) as failure:
        test()  # type: ignore[operator] # the pasted test function
    assert failure.value.verdicts[0].law.name == exhibit.law


@pytest.mark.spec("K2")
def test_the_page_shows_its_story(caught: tuple[Exhibit, Verdict]) -> None:
    """As written by `python -m tests.tools.testing.gallery_page > docs/gallery.md`."""
    exhibit, verdict = caught
    _, _, section = PAGE.partition(f"## {name_of(exhibit)}\n")
    section, _, _ = section.partition("\n## ")
    assert f"Breaks `{exhibit.law}`" in section
    if exhibit.make is bad_policies.DrawsItsOwn:
        return  # it draws its own numbers, so no two stories of it are the same
    # Python 3.14 says so in other words than those before it.
    story = verdict.story.replace("expected a positive input, got 0.0", "math domain error")
    assert story in section


def test_there_are_at_least_fifteen_and_each_says_who_shipped_it() -> None:
    assert len(GALLERY) >= 15
    assert len({each.make for each in GALLERY}) == len(GALLERY)
    assert all(each.seen and each.make.__doc__ for each in GALLERY)


@pytest.mark.spec("K2")
@pytest.mark.parametrize("exhibit", GALLERY, ids=name_of)
def test_a_quick_check_catches_it_too(exhibit: Exhibit) -> None:
    """The whole space is large: what is caught by a sixth of it must not change unseen."""
    with pytest.raises(BrokenLaw):
        check_policy(exhibit.make, laws=[exhibit.law], quick=True)
