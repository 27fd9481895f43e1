"""Changes as lines for people."""

from dataclasses import replace

import pytest

from recloser.cli.terminal.wording import (
    describe_change,
    describe_close,
    describe_decision,
    duration,
    moment,
    plain_words,
)
from recloser.fsm import Cause, Close, Hold, Retry, Stop
from recloser.journal import RecordedError
from tests.engine.journal.entries import BUSY, CUT, GONE, LEFT, Telling


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.004, "0 s"),
        (0.25, "0.25 s"),
        (59.99, "59.99 s"),
        (60, "1 min"),
        (62.4, "1 min 2 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86_400 * 3 + 3600, "3 d 1 h"),
        (86_400 * 400, "400 d"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, text):
    assert duration(seconds) == text


def test_a_moment_is_utc_to_the_millisecond():
    assert moment(1_700_000_000.1234) == "2023-11-14 22:13:20.123Z"


@pytest.mark.parametrize(
    ("close", "text"),
    [
        (GONE, "1000 Normal Closure (peer, close_frame)"),
        (LEFT, "1000 Normal Closure (application, close_frame, asked for)"),
        (replace(BUSY, retry_after=90), "HTTP 503, Retry-After 1 min 30 s (peer, refused)"),
        (
            replace(CUT, error=OSError("no route, token=tiger")),
            "1006 Abnormal Closure (network, eof): OSError: no route, token=***",
        ),
        (
            replace(CUT, error=RecordedError("OSError: no route")),
            "1006 Abnormal Closure (network, eof): OSError: no route",
        ),
        (
            replace(GONE, code=4000, reason="password: tiger\x07"),
            r'4000 Private Use "password: ***" (peer, close_frame)',
        ),
    ],
)
def test_an_end_is_told_by_what_came_and_from_whom(close, text):
    assert describe_close(close) == text


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (Retry(0), "dial at once"),
        (Retry(1.5), "dial in 1.5 s"),
        (Retry(0, refresh=True), "dial at once with a new credential"),
        (Hold(), "rest"),
        (Stop(), "stop"),
    ],
)
def test_a_decision_is_told(decision, text):
    assert describe_decision(decision) == text


def test_everything_that_a_change_knows_is_told():
    facts = {"unsent": 2, "undelivered": 3, "error": ValueError("secret=tiger")}
    [entry] = Telling().lost(CUT, Retry(5, rule="again"), 0, **facts).entries
    assert describe_change(entry.change) == (
        "1006 Abnormal Closure (network, eof); rule again; next dial in 5 s; 2 unsent; "
        "3 undelivered; secret=***"
    )


@pytest.mark.spec("L3.2")
@pytest.mark.parametrize(
    ("close", "words"),
    [
        (Close.cut(Cause.DNS), "no host of this name"),
        (Close.cut(Cause.TCP), "is the server running"),
        (Close.cut(Cause.TLS), "does not speak TLS here"),
        (Close.by_engine(Cause.TLS, code=1015), "--cacert FILE names its issuer"),
        (Close.by_engine(Cause.VALIDITY, code=1015), "has expired"),
        (Close.by_engine(Cause.CONNECT_TIMEOUT), "no answer in time"),
        (Close.by_engine(Cause.PROTOCOL), "no WebSocket server"),
        (Close.by_engine(Cause.TOO_BIG, sent_code=1009), "too large"),
        (Close.refused(401), "--token-command"),
        (Close.refused(404), "no WebSocket at this path"),
        (Close.refused_by_proxy(404), "the proxy would not"),
        (Close.refused(503), None),
        (Close.frame(1000), None),
        (Close.cut(Cause.EOF), None),
    ],
)
def test_what_may_help_is_said_in_plain_words(close, words):
    found = plain_words(close)
    assert found is None if words is None else words in found
