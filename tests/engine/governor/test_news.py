"""What a record says of a host, for every engine that dials it."""

import pytest

from recloser.fsm.record import Cause, Close, Origin
from recloser.governor.news import Reading, reading

UNREACHABLE = {
    *(Cause.DNS, Cause.TCP, Cause.TLS, Cause.EOF, Cause.RESET),
    *(Cause.CONNECT_TIMEOUT, Cause.HEARTBEAT, Cause.DEAF),
}


@pytest.mark.spec("M3.1")
def test_the_causes_that_speak_of_the_host() -> None:
    records = [Close(code=1006, origin=Origin.NETWORK, cause=cause) for cause in Cause]
    speaks = {close.cause: reading(close) for close in records}
    assert speaks == {
        cause: Reading.DOWN if cause in UNREACHABLE else Reading.NOTHING for cause in Cause
    }


@pytest.mark.spec("M3.1")
def test_the_close_codes_that_speak_of_the_host() -> None:
    readings = {code: reading(Close.frame(code)) for code in range(1000, 5000) if code != 1015}
    speaks = {code: each for code, each in readings.items() if each is not Reading.NOTHING}
    assert speaks == {1001: Reading.DOWN, 1012: Reading.DOWN, 1013: Reading.BUSY}


@pytest.mark.spec("M3.1")
def test_the_statuses_that_speak_of_the_host() -> None:
    readings = {status: reading(Close.refused(status)) for status in range(300, 600)}
    speaks = {status: each for status, each in readings.items() if each is not Reading.NOTHING}
    assert speaks == {
        429: Reading.BUSY,
        502: Reading.DOWN,
        503: Reading.BUSY,
        504: Reading.DOWN,
    }


@pytest.mark.spec("M3.6")
def test_a_certificate_and_a_dial_that_opened() -> None:
    refused = Close(code=1015, origin=Origin.NETWORK, cause=Cause.TLS)
    assert reading(refused) is Reading.CERTIFICATE
    assert reading(None) is Reading.UP


@pytest.mark.spec("M3.1")
def test_a_refusal_of_a_proxy_says_nothing_of_the_host() -> None:
    close = Close(code=1006, origin=Origin.NETWORK, cause=Cause.PROXY, status=503)
    assert reading(close) is Reading.NOTHING
