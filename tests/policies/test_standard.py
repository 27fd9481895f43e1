"""The standard policy: tables of what each code, status and cause comes to."""

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import policies
from recloser.fsm import Cause, Close, Context, Hold, Origin, Phase, Retry, State, Stop, Unsent
from recloser.policies import stop
from recloser.policies.codes import PeerNormal
from tests.policies.rig import ROLLS, Line, after, broken, received, refused

STANDARD = policies.standard()

STOP: dict[int, str] = {
    1002: "our-fault",
    1003: "our-fault",
    1007: "our-fault",
    1009: "too-big",
    1010: "extension",
    1015: "certificate",
    3003: "forbidden",
}
REFRESH = {
    1008: ("policy-refresh", "policy-violation"),
    3000: ("code-refresh", "code-unauthorized"),
}
FOREVER = {
    1001: ("going-away", 0.0, 5.0),
    1005: ("no-status", 0.0, 5.0),
    1011: ("server-failed", 0.0, 5.0),
    1012: ("restart", 1.0, 5.0),
    1013: ("try-later", 30.0, 35.0),
    1014: ("server-failed", 0.0, 5.0),
    3008: ("timeout", 0.0, 5.0),
}


def spread(close: Close, context: Context) -> tuple[str, float, float]:
    """The rule, and the delays at the lowest and, as a limit, the highest roll."""
    found = [STANDARD.decide(close, context._replace(roll=roll)) for roll in ROLLS]
    assert all(isinstance(each, Retry) for each in found), found[0]
    delays = [each.delay for each in found if isinstance(each, Retry)]
    assert delays == sorted(delays)
    return found[0].rule, delays[0], round(delays[-1], 9)


def expect(code: int) -> None:
    close = received(code)
    if code in STOP:
        fate = Unsent.DROP_REFUSED if STOP[code] in ("our-fault", "too-big") else Unsent.KEEP
        assert STANDARD.decide(close, after(1)) == Stop(STOP[code], fate)
    elif code in REFRESH:
        first, then = REFRESH[code]
        assert STANDARD.decide(close, after(1, can_refresh=True)) == Retry(0, True, first)
        assert STANDARD.decide(close, after(1)) == Stop(then)
        asked = after(2, can_refresh=True, refreshed=True)
        assert STANDARD.decide(close, asked) == Stop(then)
    elif code in FOREVER:
        assert spread(close, after(1)) == FOREVER[code]
        assert isinstance(STANDARD.decide(close, after(10**6)), Retry)
    elif code == 1000:
        assert spread(close, after(1)) == ("peer-normal", 0.5, 1.5)
    elif code == 1006:
        assert spread(close, after(1)) == ("abnormal", 0.0, 5.0)
        assert isinstance(STANDARD.decide(close, after(10**6)), Retry)
    else:
        rule = "private" if 4000 <= code < 5000 else "unknown"
        assert spread(close, after(1)) == (rule, 0.0, 5.0)
        assert spread(close, after(2, streak=2))[0] == rule
        assert STANDARD.decide(close, after(3)) == Stop("unknown-repeated")


@pytest.mark.spec("B13.3", "B13.5", "B13.6", "B9.2", "B6.3")
def test_each_code_that_was_received_has_its_answer() -> None:
    for code in (*range(-1, 5001), 65_535, 70_000):
        expect(code)


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


@pytest.mark.spec("B6.3", "B6.6")
def test_1000_again_and_again_is_answered_ever_more_slowly_and_never_ends_an_engine() -> None:
    """sanic says it at each restart, mitmproxy at each crash of the server behind."""
    line = Line(STANDARD, lambda _: received(1000), uptime=0.01).run(60)
    assert len(line.dials) == 60
    assert line.rules == ["peer-normal"] * 2 + ["peer-normal-again"] * 58
    gaps = list(line.gaps())
    assert max(gaps[:2]) < 2.5
    assert mean(gaps[2:5]) < mean(gaps[5:9]) < mean(gaps[9:])
    assert 60.0 < mean(gaps[20:]) < max(gaps) <= 600.0
    for attempt in (3, 1000, 10**9):
        assert isinstance(STANDARD.decide(received(1000), after(attempt)), Retry)


LOSSES = [
    "ping timed out",  # tornado
    "STOMP died",  # RabbitMQ, as the next
    "MQTT died",
    "keepalive ping timeout",
    "Idle Timeout",
    "no PONG received",
    "heartbeat missed",
    "connection lost",
    "Client is inactive",
]
NO_LOSSES = ["", "Server closed by client", "Normal closure", "Target closed", "hiding", "shipping"]


@pytest.mark.spec("B6.7", "B8.1")
@pytest.mark.parametrize("answer", ["retry", "hold", "stop"])
def test_a_1000_whose_reason_speaks_of_a_loss_is_one(answer: PeerNormal) -> None:
    policy = policies.standard(peer_normal=answer)
    for reason in LOSSES:
        well = [policy.decide(received(1000, reason), after(1, roll=roll)) for roll in ROLLS]
        assert [each.delay for each in well if isinstance(each, Retry)] == list(ROLLS)
        assert {each.rule for each in well} == {"peer-lost"}
        young = policy.decide(received(1000, reason), after(1, uptime=3.0))
        assert isinstance(young, Retry)
        assert young.rule == "peer-lost-again"
        assert policy.decide(received(1000, reason), after(10**6)).rule == "peer-lost-again"
    for reason in NO_LOSSES:
        assert policy.decide(received(1000, reason), after(1)).rule == "peer-normal", reason


@pytest.mark.spec("B13.7", "B8.1")
@pytest.mark.parametrize(
    "reason", ["Ping/Pong timeout", "timed out", "Keepalive failed", "idle for too long"]
)
def test_a_1008_whose_reason_speaks_of_a_loss_is_one(reason: str) -> None:
    policy = policies.standard()
    well = [policy.decide(received(1008, reason), after(1, roll=roll)) for roll in ROLLS]
    assert [each.delay for each in well if isinstance(each, Retry)] == list(ROLLS)
    assert {each.rule for each in well} == {"policy-lost"}
    assert policy.decide(received(1008, reason), after(2)).rule == "policy-lost-again"


@pytest.mark.spec("B13.7")
@pytest.mark.parametrize("reason", ["", "Authentication Timeout", "login timed out", "shipping"])
def test_a_1008_that_speaks_of_a_credential_is_none(reason: str) -> None:
    close = received(1008, reason)
    assert policies.standard().decide(close, after(1)).rule == "policy-violation"
    again = policies.standard().decide(close, after(1, can_refresh=True))
    assert again.rule == "policy-refresh"


@pytest.mark.spec("B6.2", "B6.5")
@pytest.mark.parametrize(("answer", "decision"), [("hold", Hold), ("stop", Stop)])
def test_the_other_answers_to_1000_are_one_argument(
    answer: PeerNormal, decision: type[Hold | Stop]
) -> None:
    policy = policies.standard(peer_normal=answer)
    assert policy.decide(received(1000), after(1)) == decision("peer-normal")


@pytest.mark.spec("B6.3", "D1.1")
def test_a_1000_between_other_failures_backs_off() -> None:
    assert STANDARD.decide(received(1000), after(5, streak=1)).rule == "peer-normal-again"


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


@pytest.mark.spec("D4.9")
def test_a_lone_client_is_back_soon_after_a_restart_and_a_fleet_spread() -> None:
    for engines, low, high in ((1, 1.0, 5.0), (500, 5.0, 30.0), (10**6, 5.0, 30.0)):
        assert spread(received(1012), after(1, engines=engines)) == ("restart", low, high)
    windows = [spread(received(1012), after(1, engines=n))[1:] for n in range(1, 502)]
    assert windows == sorted(windows)
    assert all(high - low >= 4.0 for low, high in windows)
    assert spread(received(1012), after(2, engines=1000))[0] == "restart-again"


@pytest.mark.spec("D4.10")
def test_what_the_last_restart_showed_is_remembered() -> None:
    def window(**facts: object) -> tuple[float, float]:
        return spread(received(1012), after(1, **facts))[1:]

    assert window(outage=0.0) == window(outage=0.5) == (1.0, 5.0)
    assert window(outage=3.0) == (3.0, 7.0)
    assert window(outage=600.0) == (30.0, 34.0)
    assert window(outage=0.0, crowded=True) == (5.0, 30.0)
    assert window(outage=12.0, crowded=True) == (12.0, 37.0)
    assert window(outage=12.0, engines=500) == (12.0, 37.0)


@pytest.mark.spec("D4.9", "D4.1")
def test_the_window_of_a_restart_is_an_argument_and_a_hint_outweighs_it() -> None:
    registry = policies.standard(restart=(5, 30))
    found = [registry.decide(received(1012), after(1, roll=roll)) for roll in ROLLS]
    assert [each.delay for each in found if isinstance(each, Retry)] == [
        5.0 + 25.0 * roll for roll in ROLLS
    ]
    service = policies.for_service("nats", restart=(2, 3))
    assert isinstance(service.decide(received(1012), after(1, roll=0.5)), Retry)
    for policy in (STANDARD, registry):
        hinted = policy.decide(received(1012, spread=60.0), after(1, roll=0.5, engines=9))
        assert isinstance(hinted, Retry)
        assert hinted.delay == 30.0
    with pytest.raises(ValueError, match="low must"):
        policies.standard(restart=(30, 5))


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


@pytest.mark.spec("D4.1")
def test_a_server_that_hears_nothing_is_left_spread_out() -> None:
    """It is most often about to go, and takes everybody's connection along."""
    deaf = Close.by_engine(Cause.DEAF)
    assert spread(deaf, after(1)) == ("deaf", 0.0, 5.0)
    assert isinstance(STANDARD.decide(deaf, after(10**6)), Retry)


@pytest.mark.spec("B13.6", "G8.5")
def test_code_of_the_application_that_fails_is_told_as_such() -> None:
    dial = after(1, phase=Phase.DIAL)
    for cause, rule in ((Cause.HOOK, "hook-failed"), (Cause.CREDENTIALS, "provider-failed")):
        decision = STANDARD.decide(Close.by_engine(cause), dial)
        assert isinstance(decision, Retry)
        assert decision.rule == rule
    assert STANDARD.decide(Close.by_engine(Cause.HOOK), after(1)).rule == "hook-failed"


@pytest.mark.spec("D4.2")
def test_only_a_connection_that_had_been_well_is_dialled_at_once() -> None:
    assert spread(broken(), after(1, uptime=10.0)) == ("alone", 0.0, 1.0)
    assert spread(broken(Cause.RESET), after(1)) == ("alone", 0.0, 1.0)
    assert spread(broken(Cause.HEARTBEAT), after(1, uptime=3.0)) == ("silent", 0.0, 1.0)
    assert STANDARD.decide(broken(), after(1, uptime=9.9)).rule == "abnormal"
    assert STANDARD.decide(broken(), after(2, uptime=99.0)).rule == "abnormal"
    assert STANDARD.decide(broken(Cause.PROTOCOL), after(1)).rule == "abnormal"
    assert STANDARD.decide(broken(Cause.TCP), after(1, phase=Phase.DIAL)).rule == "no-connection"


@pytest.mark.spec("D4.2")
@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_the_stable_period_is_that_of_the_engine(uptime: float, stable: float) -> None:
    context = after(1, uptime=uptime, stable_after=stable)
    rule = "alone" if uptime >= stable else "abnormal"
    assert STANDARD.decide(broken(), context).rule == rule


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


@pytest.mark.parametrize("answer", ["again", "maybe", "wait"])
def test_bad_arguments_are_refused(answer: str) -> None:
    with pytest.raises(ValueError, match="peer_normal must be 'retry', 'hold' or 'stop'"):
        policies.standard(peer_normal=answer)  # type: ignore[arg-type] # bad input is the point


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


def rule_of_code(code: int) -> str:
    own = {
        **dict.fromkeys((1002, 1003, 1007), "our-fault"),
        **dict.fromkeys((1011, 1014), "server-failed"),
        **dict.fromkeys(range(4000, 5000), "private"),
        1000: "peer-normal",
        1001: "going-away",
        1005: "no-status",
        1008: "policy-violation",
        1009: "too-big",
        1010: "extension",
        1012: "restart",
        1013: "try-later",
        1015: "certificate",
        3000: "code-unauthorized",
        3003: "forbidden",
        3008: "timeout",
    }
    return own.get(code, "unknown")


@pytest.mark.spec("B9.2")
def test_every_code_of_a_close_frame_has_its_rule() -> None:
    for code in (*range(1006), *range(1007, 5100)):
        assert STANDARD.decide(received(code), after(1)).rule == rule_of_code(code), code


@pytest.mark.spec("B9.2", "B13.6")
def test_every_cause_without_a_close_frame_has_its_rule() -> None:
    own = {
        Cause.PROXY: "proxy-refused",
        Cause.VALIDITY: "certificate-dates",
        Cause.DEAF: "deaf",
        Cause.STALE: "stale",
        Cause.DECLARED: "declared",
        Cause.HOOK: "hook-failed",
        Cause.CREDENTIALS: "provider-failed",
        Cause.UNAUTHORIZED: "no-credential",
        Cause.REJECTED: "rejected",
        Cause.SESSION_CLOSED: "session-closed",
        Cause.CONFIGURATION: "configuration",
    }
    for phase, other in ((Phase.DIAL, "no-connection"), (Phase.OPEN, "abnormal")):
        for cause in Cause:
            decision = STANDARD.decide(Close.by_engine(cause), after(2, phase=phase))
            assert decision.rule == own.get(cause, other), cause


@pytest.mark.spec("B6.3")
def test_the_gaps_after_1000_again_and_again_double_up_to_five_minutes() -> None:
    longest = (20.0, 40.0, 80.0, 160.0, 300.0, 300.0)
    for attempt, seconds in enumerate(longest, start=3):
        context = after(attempt, since_dial=60.0)
        assert spread(received(1000), context) == ("peer-normal-again", 0.0, seconds)


@pytest.mark.spec("B17.1")
def test_a_stop_is_doubted_for_five_minutes_and_nothing_else_is() -> None:
    rules = {each.name: each for each in STANDARD.rules}
    doubted = {name.removesuffix("-doubted") for name in rules if name.endswith("-doubted")}
    assert doubted
    assert all(rules[name].then == stop() for name in doubted)
    for lasted, rule in ((299.5, "refused-doubted"), (300.0, "refused")):
        context = after(2, phase=Phase.DIAL, been_open=True, denied_for=lasted)
        assert STANDARD.decide(refused(404), context).rule == rule
