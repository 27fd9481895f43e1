"""The simulated server: what it lets in, and what it answers otherwise."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm.record import Cause, Origin
from recloser.simulate.scenario import Down, Refusal, RetryAfter, Scenario
from recloser.simulate.server import Gate, Server, parting

gaps = st.lists(st.floats(0.0, 3.0), max_size=200)


@given(gaps, st.floats(0.3, 50.0), st.floats(0.0, 0.9))
def test_the_gate_never_admits_more_than_its_capacity(waits, capacity, cost):
    gate, now, admitted = Gate(capacity, cost=cost, opens=5.0), 5.0, 0
    for wait in waits:
        now += wait
        admitted += gate.admit(now) is not None
        assert admitted <= (now - 5.0) * capacity + 1e-6


@given(gaps, st.floats(0.3, 50.0), st.floats(0.0, 0.9))
def test_a_gate_with_a_queue_opens_one_dial_after_the_other(waits, capacity, cost):
    gate, now, turns = Gate(capacity, cost=cost, opens=5.0, queue=True), 5.0, [5.0]
    for wait in waits:
        now += wait
        turn = gate.admit(now)
        if turn is not None:
            assert 1 / capacity - 1e-9 <= turn <= max(1.0, 1 / capacity) + 1e-9
            assert now + turn - turns[-1] >= 1 / capacity - 1e-9
            turns.append(now + turn)


def test_a_gate_with_a_queue_works_without_a_pause():
    # The hundred of a second fill the queue; one more has room when the first is done.
    gate = Gate(100.0, opens=5.0, queue=True)
    turns = [gate.admit(5.0) for _ in range(101)]
    assert turns[:100] == pytest.approx([number / 100 for number in range(1, 101)])
    assert turns[100] is None
    assert gate.admit(5.01) == pytest.approx(1.0)
    assert gate.admit(9.0) == pytest.approx(0.01)


@given(gaps, st.floats(1.0, 50.0))
def test_the_backlog_is_one_second(waits, capacity):
    gate = Gate(capacity)
    now = sum(waits) + 100.0
    admitted = sum(gate.admit(now) is not None for _ in range(200))
    assert admitted == min(200, int(capacity + 1e-6))


def test_refusals_cost_their_share():
    # In balance: admitted + cost * refused = capacity.
    gate = Gate(100.0, cost=0.1)
    admitted = sum(gate.admit(number / 500) is not None for number in range(500 * 60))
    assert admitted / 60 == pytest.approx((100 - 0.1 * 500) / 0.9, rel=0.01)


def test_a_flood_of_refusals_lets_nobody_in():
    gate = Gate(100.0, cost=0.1)
    assert all(gate.admit(number / 1100) is None for number in range(1100 * 60))
    assert gate.admit(63.1) == 0.0


def answers(count=2000, **what):
    scenario = Scenario(engines=100_000, **what)
    server = Server(scenario, Random(3))
    found = [server.answer(scenario.outage + 0.001) for _ in range(count)]
    return server, [each for each in found if not isinstance(each, float)]


@pytest.mark.parametrize("retry_after", [None, *RetryAfter])
def test_a_refusal_is_a_503(retry_after):
    server, found = answers(refusal=Refusal.REFUSE, retry_after=retry_after)
    record = found[-1]
    assert (record.code, record.origin, record.cause) == (1006, Origin.PEER, Cause.REFUSED)
    assert record.status == 503
    assert record.busy
    assert (server.accepted, server.refused, server.hung) == (1, 1999, 0)
    waits = {each.retry_after for each in found}
    if retry_after is None:
        assert waits == {None}
        assert dict(record.headers) == {}
    else:
        assert dict(record.headers) == {"retry-after": f"{record.retry_after:.0f}"}
        # 100,000 at 1000 a second, one accepted already: 100 s.
        whole = set(range(1, 101)) if retry_after is RetryAfter.SHARE else {100}
        assert waits == whole


def test_silence_and_half_of_each():
    server, found = answers(refusal=Refusal.TIMEOUT)
    assert found == [None] * 1999
    server, found = answers(refusal=Refusal.MIXED)
    assert server.hung + server.refused == 1999
    assert found.count(None) == server.hung == pytest.approx(1000, abs=100)


@pytest.mark.parametrize("down", Down)
def test_the_outage(down):
    server = Server(Scenario(down=down), Random(3))
    record = server.answer(29.999)
    assert server.unheard == 1
    match down:
        case Down.REFUSE:
            assert (record.origin, record.cause) == (Origin.NETWORK, Cause.TCP)
        case Down.TIMEOUT:
            assert record is None
        case Down.BUSY:
            assert record.status == 503


@pytest.mark.parametrize(
    ("code", "origin", "cause", "clean"),
    [
        (1006, Origin.NETWORK, Cause.EOF, False),
        (1001, Origin.PEER, Cause.CLOSE_FRAME, True),
        (1012, Origin.PEER, Cause.CLOSE_FRAME, True),
    ],
)
def test_how_the_connections_end(code, origin, cause, clean):
    record = parting(Scenario(close=code, spread=40.0))
    assert (record.code, record.origin, record.cause) == (code, origin, cause)
    assert (record.clean, record.spread) == (clean, 40.0)


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("what", "text"),
    [
        ({"engines": 0}, "engines must be 1 to"),
        ({"engines": 10**9}, "engines must be 1 to"),
        ({"outage": -1.0}, "outage must be at least 0"),
        ({"outage": float("nan")}, "outage must be a finite number"),
        ({"capacity": 0.0}, "capacity must be above 0"),
        ({"capacity": float("inf")}, "capacity must be a finite number"),
        ({"refusal_cost": -0.1}, "refusal_cost must be at least 0"),
        ({"refusal_cost": 1.0}, "refusal_cost must be below 1"),
        ({"spread": 0.0}, "spread must be above 0"),
        ({"connect_timeout": 0.0}, "connect_timeout must be above 0"),
        ({"round_trip": 0.0}, "round_trip must be above 0"),
        ({"connect_timeout": 0.05}, r"connect_timeout must be above 0\.05, the seconds until"),
        ({"connect_timeout": 1.05, "queue": True}, r"connect_timeout must be above 1\.05, the"),
        (
            {"capacity": 0.5, "connect_timeout": 2.0, "queue": True},
            r"connect_timeout must be above 2\.05, the",
        ),
        (
            {"engines": 50, "capacity": 0.9, "queue": True, "regions": 3, "connect_timeout": 3.5},
            r"connect_timeout must be above 3\.52222, the",
        ),
        ({"alone": 1.0}, "alone must be at least 0 and below 1"),
        ({"engines": 1, "alone": 0.9}, "leaves no engine in the fleet"),
        ({"horizon": 30.0}, "horizon must lie after the return"),
    ],
)
def test_what_cannot_be_simulated(what, text):
    with pytest.raises(ValueError, match=text) as caught:
        Scenario(**what)
    assert "\n" not in str(caught.value)
