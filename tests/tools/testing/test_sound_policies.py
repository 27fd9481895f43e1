"""No sound policy is accused of anything (K2)."""

from pathlib import Path

import pytest

from recloser.testing import check_policy
from recloser.testing.sound_policies import SOUND, DecorrelatedJitter, FixedWait, SoundPolicy
from tests.tools.testing.gallery_page import sound_page

PAGE = Path(__file__).parents[3] / "docs" / "sound-policies.md"


def name_of(policy: SoundPolicy) -> str:
    return policy.name


@pytest.mark.slow
@pytest.mark.spec("K2")
@pytest.mark.parametrize("policy", SOUND, ids=name_of)
def test_it_keeps_every_law(policy: SoundPolicy) -> None:
    check_policy(policy.make)


@pytest.mark.spec("K2")
@pytest.mark.parametrize("make", [DecorrelatedJitter, FixedWait])
def test_those_that_were_accused_once_keep_every_law_quickly(make: type) -> None:
    """For the size of delays that were no moments, and for knocking "for ever" sixty times."""
    check_policy(make, quick=True)


def test_there_are_fifteen_at_least_and_each_has_a_source() -> None:
    assert len(SOUND) >= 15
    assert len({each.name for each in SOUND}) == len(SOUND)
    assert all(each.source and each.make.__doc__ for each in SOUND)


def test_the_page_shows_them() -> None:
    assert PAGE.read_text(encoding="utf-8") == sound_page(), "run `make docs`"
