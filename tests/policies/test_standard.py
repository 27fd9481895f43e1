"""The standard policy: what each refused upgrade comes to, advice, and what is doubted."""

import pytest

from recloser import policies
from recloser.fsm import Cause, Close, Hold, Origin, Phase, Retry, State, Stop, Unsent
from recloser.policies import stop
from tests.policies.rig import STANDARD, Line, after, broken, received, refused, spread

STATUSES = {
    **dict.fromkeys(range(100, 200), "bad-upgrade"),
    **dict.fromkeys(range(200, 300), "no-websocket"),
    **dict.fromkeys(range(300, 400), "redirect"),
    **dict.fromkeys(range(400, 500), "refused"),
    401: "unauthorized",
    407: "proxy-credential",
    501: "not-implemented",
    505: "not-implemented",
}
COME_BACK = {408: "transient", 421: "transient", 425: "transient", 429: "rate-limited"}


@pytest.mark.spec("B13.2", "B7")
def test_each_status_of_a_refused_upgrade_has_its_answer() -> None:
    dial = after(1, phase=Phase.DIAL)
    for status in range(100, 700):
        rule = COME_BACK.get(status)
        if status >= 500 and status not in STATUSES:
            rule = "odd-status" if status >= 600 else "server-error"
        if status == 503:
            rule = "no-room"
        if rule is None:
            assert STANDARD.decide(refused(status), dial) == Stop(STATUSES[status])
            continue
        floor = 5.0 if status == 429 else 0.0
        assert spread(refused(status), dial) == (rule, 1.0 + floor, 6.0 + floor)
        late = after(10**6, phase=Phase.DIAL)
        assert isinstance(STANDARD.decide(refused(status), late), Retry)


@pytest.mark.spec("E3.1", "E3.2", "E3.3", "B13.4")
def test_401_asks_once_for_a_new_credential() -> None:
    line = Line(STANDARD, lambda _: refused(401), uptime=None).run(9)
    assert line.dials == [0.0, 0.0]
    assert line.rules[-2:] == ["unauthorized-refresh", "unauthorized"]
    line = Line(STANDARD, lambda _: refused(401), uptime=None, can_refresh=False).run(9)
    assert line.dials == [0.0]


@pytest.mark.spec("E3.1", "E3.2", "B8.2")
@pytest.mark.parametrize("reason", ["Token expired", "your JWT has EXPIRED", "expired auth"])
def test_a_reason_may_hint_that_the_credential_is_spent(reason: str) -> None:
    fresh = after(1, can_refresh=True)
    assert STANDARD.decide(received(1000, reason), fresh) == Retry(0, True, "token-expired")
    asked = after(2, can_refresh=True, refreshed=True)
    assert STANDARD.decide(received(1000, reason), asked).rule == "peer-normal"
    assert STANDARD.decide(received(1000, reason), after(1)).rule == "peer-normal"
    assert STANDARD.decide(received(1000, "session over"), fresh).rule == "peer-normal"
    assert STANDARD.decide(received(3003, reason), after(1)) == Stop("forbidden")
    hinted = [STANDARD.decide(received(code, reason), fresh).rule for code in (999, 4999, 5000)]
    assert hinted == ["unknown", "token-expired", "unknown"]


@pytest.mark.spec("B13.6", "E2.2")
def test_a_failed_dial_never_ends_an_engine_by_count_alone() -> None:
    for cause in Cause:
        close = Close.by_engine(cause)
        for attempt in (1, 3, 1000, 10**9):
            decision = STANDARD.decide(close, after(attempt, phase=Phase.DIAL))
            hopeless = cause in (
                Cause.UNAUTHORIZED,
                Cause.REJECTED,
                Cause.SESSION_CLOSED,
                Cause.CONFIGURATION,
            )
            assert isinstance(decision, Stop if hopeless else Retry)


def blaming(status: int) -> bool:
    return (status < 500 and status not in (401, 407, 408, 421, 425, 429)) or status in (501, 505)


@pytest.mark.spec("B17.1", "B17.2")
def test_what_blames_the_address_is_doubted_where_it_has_been_open() -> None:
    for status in range(100, 600):
        first = after(1, phase=Phase.DIAL)
        assert refused(status).denied is blaming(status)
        known = first._replace(been_open=True)
        if not blaming(status):
            assert STANDARD.decide(refused(status), known) == STANDARD.decide(
                refused(status), first
            )
            continue
        assert isinstance(STANDARD.decide(refused(status), first), Stop)
        for seconds in (0.0, 60.0, 299.9):
            doubted = STANDARD.decide(refused(status), known._replace(denied_for=seconds))
            assert isinstance(doubted, Retry)
            assert doubted.rule == f"{STATUSES[status]}-doubted"
        believed = STANDARD.decide(refused(status), known._replace(denied_for=300.0))
        assert believed == STANDARD.decide(refused(status), first)


@pytest.mark.spec("B17.1", "B17.3")
@pytest.mark.parametrize("statuses", [[404], [200], [302], [403], [426], [404, 200], [101, 501]])
def test_a_restart_is_outlasted_and_a_removal_is_believed(statuses: list[int]) -> None:
    def answers(dial: int) -> Close:
        return broken() if dial == 1 else refused(statuses[dial % len(statuses)])

    line = Line(STANDARD, answers, uptime=None, opens=[1]).run(100)
    assert line.core.state is State.CLOSED
    assert all(rule.endswith("-doubted") for rule in line.rules[1:-1])
    assert 300.0 < line.dials[-1] - line.dials[1] < 300.0 + 61.0
    assert min(list(line.gaps())[1:]) >= 1.0


@pytest.mark.spec("B17.4")
def test_the_patience_is_an_argument() -> None:
    known = after(1, phase=Phase.DIAL, been_open=True)
    at_once = policies.standard(patience=0)
    assert at_once.decide(refused(404), known) == Stop("refused")
    assert not [rule.name for rule in at_once.rules if "doubted" in rule.name]
    long = policies.for_service("livekit", patience=3600.0)
    later = known._replace(denied_for=3599.0)
    assert long.decide(refused(404), later).rule == "livekit-404-doubted"
    assert long.decide(refused(405), later).rule == "refused-doubted"
    with pytest.raises(ValueError, match="patience must be"):
        policies.standard(patience=-1.0)


@pytest.mark.spec("B15")
def test_a_certificate_out_of_its_dates_is_looked_at_again_slowly() -> None:
    dates = Close(code=1015, origin=Origin.ENGINE, cause=Cause.VALIDITY)
    assert spread(dates, after(1, phase=Phase.DIAL)) == ("certificate-dates", 11.0, 41.0)
    for attempt in (2, 5, 10**6):
        rule, least, most = spread(dates, after(attempt, phase=Phase.DIAL))
        assert (rule, least) == ("certificate-dates", 11.0)
        assert most > 41.0
    assert most == 11.0 + 300.0
    refused = Close(code=1015, origin=Origin.ENGINE, cause=Cause.TLS)
    assert STANDARD.decide(refused, after(1, phase=Phase.DIAL)) == Stop("certificate")


@pytest.mark.spec("B11")
@pytest.mark.parametrize(
    ("advice", "answer"),
    [("stop", Stop("advised-stop")), ("Hold", Hold("advised-hold"))],
)
def test_what_the_server_said_in_band_outweighs_the_code(advice: str, answer: Stop | Hold) -> None:
    assert STANDARD.decide(received(1011, advice=advice), after(1)) == answer
    assert STANDARD.decide(received(1002, advice="retry"), after(1)).rule == "advised-retry"
    fresh = after(1, can_refresh=True)
    assert STANDARD.decide(received(1002, advice="refresh"), fresh).rule == "advised-refresh"
    refused = STANDARD.decide(received(1002, advice="refresh"), after(1))
    assert refused == Stop("our-fault", Unsent.DROP_REFUSED)
    assert STANDARD.decide(received(1011, advice="what?"), after(1)).rule == "server-failed"


def rule_of_status(status: int) -> str:
    """Each class has its rule, and a status that speaks of something else its own (RFC 9110)."""
    own = {
        **dict.fromkeys((408, 421, 425), "transient"),
        **dict.fromkeys((501, 505), "not-implemented"),
        401: "unauthorized",
        407: "proxy-credential",
        429: "rate-limited",
        503: "no-room",
    }
    classes = ("bad-upgrade", "no-websocket", "redirect", "refused", "server-error")
    if status in own:
        return own[status]
    return classes[status // 100 - 1] if 100 <= status < 600 else "odd-status"


@pytest.mark.spec("B7")
def test_every_status_has_its_rule() -> None:
    context = after(1, phase=Phase.DIAL)
    for status in range(1000):
        found = STANDARD.decide(refused(status), context)
        assert found.rule == rule_of_status(status), status


@pytest.mark.spec("B17.1")
def test_a_stop_is_doubted_for_five_minutes_and_nothing_else_is() -> None:
    rules = {each.name: each for each in STANDARD.rules}
    doubted = {name.removesuffix("-doubted") for name in rules if name.endswith("-doubted")}
    assert doubted
    assert all(rules[name].then == stop() for name in doubted)
    for lasted, rule in ((299.5, "refused-doubted"), (300.0, "refused")):
        context = after(2, phase=Phase.DIAL, been_open=True, denied_for=lasted)
        assert STANDARD.decide(refused(404), context).rule == rule
