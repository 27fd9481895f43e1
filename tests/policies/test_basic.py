"""The plain policy, code by code."""

import pytest

from recloser import policies
from recloser.fsm import Close, Hold, Phase, Retry, Stop, Unsent, Wish
from tests.policies.rig import ROLLS, after, broken, received, refused

BASIC = policies.basic()


def delays(close: Close, attempt: int) -> list[float]:
    found = [BASIC.decide(close, after(attempt, roll=roll)) for roll in ROLLS]
    assert all(isinstance(each, Retry) and not each.refresh for each in found)
    return [each.delay for each in found if isinstance(each, Retry)]


@pytest.mark.spec("B12")
def test_the_peers_1000_is_answered_after_about_a_second_the_first_time() -> None:
    first = delays(received(1000), 1)
    assert first[0] == 0.5
    assert first[2] == 1.0
    assert first[-1] == pytest.approx(1.5)
    assert delays(received(1000), 5) == delays(received(1001), 5)


@pytest.mark.spec("B12", "D2.1", "D2.2")
def test_codes_1001_to_1015_back_off_exponentially() -> None:
    for code in range(1001, 1016):
        for attempt in range(2, 40):
            top = min(60.0, 2.0 ** (attempt - 1))
            found = delays(received(code), attempt)
            assert found[0] == top / 2
            assert found[2] == top * 0.75
            assert found[-1] == pytest.approx(top)


@pytest.mark.spec("B12", "B9.2")
@pytest.mark.parametrize("code", [-1, 0, 999, 1016, 2999, 3000, 4000, 4999, 5000, 70_000])
def test_any_other_code_is_answered_at_once_the_first_time(code: int) -> None:
    assert delays(received(code), 1) == [0.0] * 5
    assert delays(received(code), 4) == delays(received(1001), 4)


@pytest.mark.spec("B12")
def test_each_code_has_its_rule() -> None:
    for code in range(-1, 1030):
        first, again = (BASIC.decide(received(code), after(attempt)).rule for attempt in (1, 2))
        if code == 1000:
            assert (first, again) == ("peer-normal-first", "peer-normal-again")
        elif 1001 <= code <= 1015:
            assert first == again == "unexpected"
        else:
            assert (first, again) == ("other-first", "other-again")


@pytest.mark.spec("B12")
def test_an_own_close_stops_and_keeps_what_was_not_sent() -> None:
    asked = received(1000, intentional=True, wish=Wish.CLOSE)
    assert BASIC.decide(asked, after(1)) == Stop("asked", Unsent.KEEP)


@pytest.mark.spec("B12")
def test_it_never_gives_up_by_itself() -> None:
    for close in (received(1008), refused(403), broken(), received(4999)):
        for attempt in (1, 10, 10**9):
            assert not isinstance(BASIC.decide(close, after(attempt)), Stop | Hold)


@pytest.mark.spec("D1.1", "D4.4")
def test_at_once_is_still_a_second_after_the_dial_before() -> None:
    flash = after(1, uptime=0.25, since_dial=0.25)
    assert BASIC.decide(received(4000), flash) == Retry(0.75, rule="other-first")
    dial = after(1, phase=Phase.DIAL, since_dial=0.0)
    assert BASIC.decide(refused(503), dial).rule == "unexpected"


@pytest.mark.parametrize(("base", "cap"), [(0, 60), (-1, 60), (2, 1), (float("nan"), 60)])
def test_bad_numbers_are_refused(base: float, cap: float) -> None:
    with pytest.raises(ValueError, match=r"^(base|cap) must"):
        policies.basic(base=base, cap=cap)
