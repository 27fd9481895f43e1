"""What shows a host to be down, and down again."""

from math import inf

import pytest

from recloser.governor.evidence import Evidence


@pytest.mark.spec("M3.1")
@pytest.mark.parametrize(
    ("second", "later", "down"),
    [(2, 0.0, True), (2, 60.0, True), (2, 60.5, False), (1, 1.0, False)],
)
def test_two_engines_that_fail_within_a_minute_show_it(
    second: int, later: float, down: bool
) -> None:
    evidence = Evidence()
    assert not evidence.shown_by(1, 100.0, 100.0)
    assert evidence.shown_by(second, 100.0, 100.0 + later) == down


@pytest.mark.spec("M3.1")
@pytest.mark.parametrize("end", ["opened", "renew"])
def test_a_dial_that_opens_between_them_or_a_new_beginning_clears_it(end: str) -> None:
    evidence = Evidence()
    evidence.shown_by(1, 1.0, 1.0)
    if end == "opened":
        evidence.opened(2.0)
    else:
        evidence.renew()
    assert not evidence.shown_by(2, 3.0, 3.0)
    assert evidence.shown_by(3, 4.0, 4.0)


@pytest.mark.spec("M3.22")
@pytest.mark.parametrize(("since", "down"), [(-inf, False), (4.9, False), (5.0, True), (7.0, True)])
def test_who_has_failed_since_before_another_opened_shows_nothing(since: float, down: bool) -> None:
    evidence = Evidence()
    evidence.opened(5.0)
    evidence.shown_by(1, 8.0, 8.0)
    assert evidence.shown_by(2, since, 9.0) == down


@pytest.mark.spec("M3.8")
def test_five_dials_that_began_after_the_last_one_opened_and_found_no_server_show_it_again() -> (
    None
):
    evidence = Evidence()
    evidence.opened(5.0)
    assert not any(evidence.shown_again_by(began) for began in (1.0, 5.0, 6.0, 4.9, 7.0, 8.0))
    assert evidence.shown_again_by(9.0)
    for end in (evidence.renew, lambda: evidence.opened(9.0)):
        end()
        assert not any(evidence.shown_again_by(began) for began in (9.0, 10.0, 11.0, 12.0))
        assert evidence.shown_again_by(13.0)
