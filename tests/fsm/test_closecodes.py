"""Close codes, every number that a close frame can carry and some that it cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.fsm import closecodes
from recloser.fsm.closecodes import MAX_REASON_BYTES, NAMES, check_close, name, receivable, sendable

EVERY = range(-1, 70_001)


@pytest.mark.spec("B9.1")
def test_every_code_has_one_name() -> None:
    for code in EVERY:
        found = name(code)
        if code in NAMES:
            assert found == NAMES[code]
        elif code < 0 or code >= 5000:
            assert found == "Out of Range"
        elif code < 1000:
            assert found == "Unused"
        elif code < 3000:
            assert found == "Reserved for the Protocol"
        else:
            assert found == ("Registered Use" if code < 4000 else "Private Use")


@pytest.mark.spec("A6.3")
def test_every_code_is_sent_or_refused() -> None:
    """RFC 6455 section 7.4; 1012 to 1014 by the IANA registry."""
    allowed = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}
    assert {code for code in EVERY if sendable(code)} == allowed
    for code in (*range(-1, 6000), 65_535, 65_536, 70_000):
        if code in allowed:
            check_close(code, "")
        else:
            with pytest.raises(ValueError, match=f"close code {code} must not be sent"):
                check_close(code, "")


def test_names_are_registered_ones() -> None:
    assert set(NAMES) == {*range(1000, 1016), 3000, 3003, 3008}
    assert len(set(NAMES.values())) == len(NAMES)


def test_constants_bear_the_names_of_their_codes() -> None:
    texts = {
        "NORMAL": "Normal Closure",
        "GOING_AWAY": "Going Away",
        "PROTOCOL_ERROR": "Protocol Error",
        "UNSUPPORTED_DATA": "Unsupported Data",
        "NO_STATUS": "No Status Received",
        "ABNORMAL": "Abnormal Closure",
        "INVALID_PAYLOAD": "Invalid Payload Data",
        "POLICY_VIOLATION": "Policy Violation",
        "MESSAGE_TOO_BIG": "Message Too Big",
        "INTERNAL_ERROR": "Internal Error",
        "SERVICE_RESTART": "Service Restart",
        "TRY_LATER": "Try Again Later",
        "TLS_HANDSHAKE": "TLS Handshake",
        "TIMEOUT": "Timeout",
    }
    codes = {each: value for each, value in vars(closecodes).items() if isinstance(value, int)}
    del codes["MAX_REASON_BYTES"]
    assert {each: name(code) for each, code in codes.items()} == texts


def test_the_ranges_are_those_of_the_protocol() -> None:
    """RFC 6455 section 7.4.2: no code lies in two of them, or between them."""
    assert [codes for codes, _ in closecodes.RANGES] == [
        range(1000),
        range(1000, 3000),
        range(3000, 4000),
        range(4000, 5000),
    ]


@pytest.mark.spec("B9.3")
def test_every_code_arrives_or_is_refused() -> None:
    arriving = {1000, 1001, 1002, 1003, *range(1006, 1015), *range(3000, 70_001)}
    assert {code for code in EVERY if receivable(code)} == arriving


@pytest.mark.spec("A6.3")
@pytest.mark.parametrize("code", ["1000", True, None, 1000.0, b"1000"])
def test_what_is_no_integer_is_refused(code: object) -> None:
    with pytest.raises(TypeError, match="close code must be an int"):
        check_close(code, "")  # type: ignore[arg-type] # the point of the test


@pytest.mark.spec("A6.3")
@pytest.mark.parametrize("reason", [None, b"bye", 1])
def test_what_is_no_text_is_refused(reason: object) -> None:
    with pytest.raises(TypeError, match="close reason must be a str"):
        check_close(1000, reason)  # type: ignore[arg-type] # the point of the test


@pytest.mark.spec("A6.3")
@given(st.text(max_size=200))
def test_a_reason_is_measured_in_bytes(reason: str) -> None:
    if len(reason.encode()) <= MAX_REASON_BYTES:
        check_close(1000, reason)
    else:
        with pytest.raises(ValueError, match="shorten it to 123"):
            check_close(1000, reason)


@pytest.mark.spec("A6.3")
@pytest.mark.parametrize(("reason", "fits"), [("x" * 123, True), ("x" * 124, False)])
def test_the_limit_itself(reason: str, fits: bool) -> None:
    if fits:
        check_close(1000, reason)
    else:
        with pytest.raises(ValueError, match="takes 124 bytes"):
            check_close(1000, reason)


@pytest.mark.spec("A6.3")
def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="UTF-8 can encode"):
        check_close(1000, "\ud800")
