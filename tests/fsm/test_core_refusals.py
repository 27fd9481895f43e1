"""What the core remembers of refusals: those of ours (B16), and those of an address (B17)."""

from dataclasses import replace

import pytest

from recloser.fsm.decisions import Retry, Stop
from recloser.fsm.events import Reconnect
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import State
from tests.fsm.rig import CUT, LEFT, Rig

BIG = Close(code=1006, sent_code=1009, origin=Origin.ENGINE, cause=Cause.TOO_BIG)
BAD = Close(code=1006, sent_code=1002, origin=Origin.ENGINE, cause=Cause.PROTOCOL)
NO_TEXT = replace(BAD, sent_code=1007)


def refusals(*lives: tuple[Close, float | None]) -> list[int]:
    """What a policy is told when engines live like this; None: the dial fails."""
    rig = Rig(Retry(2.0))
    rig.connect()
    for close, uptime in lives:
        if uptime is not None:
            rig.opened()
            opened_at = rig.now
            if uptime >= 10.0:
                rig.expire()
            rig.now = opened_at + uptime
        rig.lost(close)
        rig.expire()
    return [context.refusals for _, context in rig.policy.asked]


@pytest.mark.spec("B16.1")
@pytest.mark.parametrize("close", [BIG, BAD, NO_TEXT], ids=["big", "bad", "text"])
@pytest.mark.parametrize("uptime", [0.0, 9.0, 60.0, 3599.0])
def test_refusals_of_ours_are_counted_stable_or_not(close: Close, uptime: float) -> None:
    assert refusals(*[(close, uptime)] * 4) == [1, 2, 3, 4]
    assert refusals((close, 60.0), (CUT, None), (CUT, None), (close, 0.5)) == [1, 1, 1, 2]


@pytest.mark.spec("B16.1")
def test_a_row_of_refusals_is_of_one_kind() -> None:
    assert refusals((BIG, 1.0), (BAD, 1.0), (NO_TEXT, 1.0), (NO_TEXT, 60.0)) == [1, 1, 1, 2]
    assert refusals((BIG, 1.0), (CUT, 1.0), (BIG, 1.0)) == [1, 0, 1]
    assert refusals((replace(BAD, sent_code=None), None)) == [0], "no frame was refused"


@pytest.mark.spec("B16.1")
def test_a_frame_that_was_refused_before_on_open_had_returned_counts() -> None:
    assert refusals(*[(BAD, None)] * 4) == [1, 2, 3, 4]
    assert refusals((BAD, 0.5), (CUT, None), (BAD, None), (BIG, None)) == [1, 1, 2, 1]


@pytest.mark.spec("B16.1")
def test_a_refusal_counts_although_the_peer_was_gone_before_it_could_be_told() -> None:
    """socket.io writes an HTTP answer into the WebSocket and hangs up: there is nobody to tell."""
    unheard = [(replace(each, sent_code=None), 1.0) for each in (BAD, BIG)]
    assert refusals(*[unheard[0]] * 3) == refusals(*[unheard[1]] * 3) == [1, 2, 3]
    assert refusals(unheard[0], (BAD, 1.0), unheard[0]) == [1, 2, 3]
    assert refusals(unheard[1], (BIG, 1.0)) == [1, 2]


@pytest.mark.spec("B16.2")
def test_an_hour_of_uptime_begins_a_new_row() -> None:
    assert refusals((BIG, 60.0), (BIG, 60.0), (BIG, 3600.0), (BIG, 60.0)) == [1, 2, 1, 2]
    assert refusals((BIG, 60.0), (BIG, 60.0), (BIG, 7200.0), (BIG, 60.0)) == [1, 2, 1, 2]


@pytest.mark.spec("B16.1", "D1.2")
@pytest.mark.parametrize("how", ["connect", "reconnect"])
def test_an_end_that_was_asked_for_ends_a_row_of_refusals(how: str) -> None:
    rig = Rig(Retry(2.0))
    rig.connect()
    for _ in range(2):
        rig.opened()
        rig.lost(BIG, after=1.0)
        rig.expire()
    assert rig.core.run.refusals == 2
    rig.opened()
    rig.policy.answer = Stop()
    if how == "connect":
        rig.close()
        rig.connect()
    else:
        rig.do(Reconnect(4000))
    rig.lost(LEFT, after=0.5)
    rig.policy.answer = Retry(2.0)
    rig.opened(after=2.0)
    rig.lost(BIG, after=0.5)
    assert rig.policy.asked[-1][1].refusals == 1


NOT_FOUND = Close(code=1006, origin=Origin.PEER, cause=Cause.REFUSED, status=404)
BUSY = replace(NOT_FOUND, status=503)


@pytest.mark.spec("B17.1", "B17.2")
def test_an_address_that_has_been_open_is_told_from_one_that_has_not() -> None:
    rig = Rig(Retry(2.0))
    told = []
    for address, opens in (("a", False), ("a", True), ("a", False), ("b", False), ("a", False)):
        if rig.state is State.CLOSED:
            rig.connect()
        rig.core.address = address
        if opens:
            rig.opened()
        rig.lost(NOT_FOUND if not opens else CUT)
        told.append(rig.policy.asked[-1][1].been_open)
        rig.expire()
    assert told == [False, True, True, False, True]


@pytest.mark.spec("B17.3")
def test_an_address_that_a_refusal_ended_is_forgotten() -> None:
    rig = Rig(Retry(2.0))
    rig.connect()
    rig.opened()
    rig.lost(CUT)
    rig.expire()
    rig.policy.answer = Stop()
    rig.lost(NOT_FOUND)
    assert rig.policy.asked[-1][1].been_open
    rig.connect()
    rig.lost(NOT_FOUND)
    assert not rig.policy.asked[-1][1].been_open
    rig.connect()
    rig.opened()
    rig.close()
    rig.lost(LEFT)
    rig.connect()
    rig.lost(NOT_FOUND)
    assert rig.policy.asked[-1][1].been_open, "closing is no reason to forget"


@pytest.mark.spec("B20.3")
def test_a_proxy_that_ends_an_engine_makes_no_address_forgotten() -> None:
    rig = Rig(Retry(2.0))
    rig.connect()
    rig.opened()
    rig.lost(CUT)
    rig.expire()
    rig.lost(NOT_FOUND)
    rig.expire()
    rig.policy.answer = Stop()
    rig.lost(Close.refused_by_proxy(407))
    assert rig.policy.asked[-1][1].denied_for == 0.0, "a row is unbroken, or it is none"
    rig.connect()
    rig.lost(NOT_FOUND)
    assert rig.policy.asked[-1][1].been_open


@pytest.mark.spec("B17.1")
def test_the_latest_addresses_are_remembered_and_no_more() -> None:
    rig = Rig(Retry(2.0))
    rig.connect()
    latest = (19, 18, 17, 16, 15, 14, 13, 12)
    for numbers, known in (
        (range(20), latest),
        ((19,), latest),
        ((15,), (15, 19, 18, 17, 16, 14, 13, 12)),
        ((20,), (20, 15, 19, 18, 17, 16, 14, 13)),
    ):
        for number in numbers:
            rig.core.address = f"wss://{number}"
            rig.opened()
            rig.lost(CUT)
            rig.expire()
        assert rig.core._known == tuple(f"wss://{number}" for number in known)


@pytest.mark.spec("B17.1")
def test_how_long_a_row_of_such_refusals_lasts() -> None:
    rig = Rig(Retry(2.0))
    rig.connect()
    for close, after in (
        (NOT_FOUND, 1.0),
        (replace(NOT_FOUND, status=200), 10.0),
        (NOT_FOUND, 5.0),
        (BUSY, 1.0),
        (NOT_FOUND, 7.0),
        (replace(NOT_FOUND, status=401), 1.0),
        (NOT_FOUND, 1.0),
        (NOT_FOUND, 1.0),
    ):
        rig.lost(close, after=after)
        rig.expire()
    found = [context.denied_for for _, context in rig.policy.asked]
    assert found == [0.0, 12.0, 19.0, 0.0, 0.0, 0.0, 0.0, 3.0]
    rig.lost(NOT_FOUND)
    rig.connect()
    assert rig.core.run.denied_since is None, "who asks again is answered at once"
