"""Records made of what aiohttp shows, without a socket (B7, and the words of each record)."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from recloser.fsm.errors import bare
from recloser.fsm.record import Cause, Origin
from recloser.transport.classify import close_frame, lost, refused_frame
from recloser.transport.handshake import DialDropped, dial_failed, lowered, retry_after

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.spec("B7")
@given(st.integers(0, 10**14))
def test_seconds_are_seconds(seconds: int) -> None:
    assert retry_after({"retry-after": f" {seconds} "}, NOW) == seconds


@pytest.mark.spec("B7")
@given(st.integers(-(10**6), 10**6), st.booleans())
def test_a_date_is_the_seconds_until_then_and_never_negative(seconds: int, dated: bool) -> None:
    """Counted from the answer's own Date if it has one: our clock may be wrong."""
    base = NOW - timedelta(hours=7) if dated else NOW
    headers = {"retry-after": format_datetime(base + timedelta(seconds=seconds), usegmt=True)}
    if dated:
        headers["date"] = format_datetime(base, usegmt=True)
    assert retry_after(headers, NOW) == max(0, seconds)


@pytest.mark.spec("B7")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.65", 0.65),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("inf", None),
        ("nan", None),
        ("9" * 400, None),
        ("\u0663", None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_forms_of_retry_after(text: str, expected: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == expected


@pytest.mark.spec("B7")
@given(st.text(max_size=40), st.text(max_size=40))
def test_garbage_is_ignored(text: str, date: str) -> None:
    found = retry_after({"retry-after": text, "date": date}, NOW)
    assert found is None or 0 <= found < float("inf")


def test_headers_are_lowered_and_joined() -> None:
    headers = CIMultiDict([("X-A", "1"), ("x-a", "2"), ("Server", "s")])
    assert lowered(headers) == {"x-a": "1, 2", "server": "s"}
    assert lowered(None) == {}


@given(st.integers(0, 65535), st.text(max_size=20), st.none() | st.integers(1000, 4999))
def test_every_received_code_is_kept_as_a_number(code: int, reason: str, sent: int | None) -> None:
    close = close_frame(code, reason, sent)
    assert type(close.code) is int
    assert (close.code, close.reason, close.sent_code) == (code or 1005, reason, sent)
    assert close.clean


def raised() -> ConnectionResetError:
    """An exception with all that one can carry."""
    held = ValueError("held")
    try:
        try:
            raise held
        except ValueError as first:
            raise ConnectionResetError(104, first) from KeyError("cause")
    except ConnectionResetError as error:
        return error


def test_a_kept_exception_pins_no_frame() -> None:
    error = bare(raised())
    for each in (error, error.args[1]):
        assert each.__traceback__ is each.__context__ is each.__cause__ is None


def test_a_loss_keeps_the_error_of_the_operating_system() -> None:
    shown = ConnectionError("Connection lost")
    shown.__cause__ = raised()
    assert isinstance(lost(shown, None).error, ConnectionResetError)
    assert lost(raised(), None).cause is Cause.RESET
    assert lost(None, 1000).cause is Cause.EOF


def test_an_exception_that_aiohttp_never_meant_is_a_refusal_with_1002() -> None:
    close = refused_frame(RuntimeError("what?"), 1002)
    assert (close.code, close.cause, close.origin) == (1006, Cause.PROTOCOL, Origin.ENGINE)


def test_what_is_dropped_without_a_cause_is_a_reset() -> None:
    close = dial_failed(DialDropped("gone"), secure=False, now=NOW)
    assert (close.cause, close.origin) == (Cause.RESET, Origin.NETWORK)
