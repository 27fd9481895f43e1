"""The close record holds facts apart from each other, and nothing that leaks."""

import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import FrozenInstanceError, asdict, fields, replace
from typing import Any

import pytest

from recloser.fsm.record import (
    NO_HEADERS,
    Cause,
    Close,
    Origin,
    blames_request,
    varied,
)
from tests.fsm.rig import KICKED


def test_what_was_not_seen_is_empty() -> None:
    close = Close(code=1006, origin=Origin.NETWORK, cause=Cause.EOF)
    assert (close.reason, close.sent_code, close.status, close.advice) == ("", None, None, None)
    assert (close.intentional, close.wish, close.clean, close.unsent) == (False, None, False, 0)
    assert close.headers is NO_HEADERS
    assert (close.retry_after, close.spread, close.error) == (None, None, None)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Close.frame(1000, "bye", 1000),  # type: ignore[call-arg]  # the wrong call is tried
        lambda: Close.refused(503, NO_HEADERS),  # type: ignore[call-arg]  # as above
        lambda: Close.refused_by_proxy(503, NO_HEADERS),  # type: ignore[call-arg]  # as above
        lambda: Close.cut(Cause.EOF, 1000),  # type: ignore[call-arg]  # as above
        lambda: Close.by_engine(Cause.HOOK, 1011),  # type: ignore[call-arg]  # as above
        lambda: Close.declared(1000),  # type: ignore[call-arg]  # as above
    ],
)
def test_the_makers_of_records_take_what_could_be_confused_by_name(
    make: Callable[[], Close],
) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        make()


@pytest.mark.spec("B2.1")
def test_the_makers_of_records() -> None:
    frame = Close(
        code=4401, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, clean=True, reason="go", sent_code=1
    )
    assert Close.frame(4401, "go", sent_code=1) == frame
    assert Close.frame(4401, "go", sent_code=1, spread=5.0) == replace(frame, spread=5.0)
    refused = Close(
        code=1006,
        origin=Origin.PEER,
        cause=Cause.REFUSED,
        status=503,
        headers={"a": "b"},
        retry_after=3.0,
    )
    assert Close.refused(503, headers={"a": "b"}, retry_after=3.0) == refused
    cut = Close(code=1006, origin=Origin.NETWORK, cause=Cause.EOF)
    assert Close.cut() == cut
    assert Close.cut(Cause.TCP, sent_code=1000, spread=2.0) == replace(
        cut, cause=Cause.TCP, sent_code=1000, spread=2.0
    )
    ended = Close(code=1015, origin=Origin.ENGINE, cause=Cause.TLS, sent_code=1002, unsent=4)
    assert Close.by_engine(Cause.TLS, code=1015, sent_code=1002, unsent=4) == ended
    error = OSError()
    for close in (Close.refused(401, error=error), Close.cut(error=error)):
        assert close.error is error
    assert Close.by_engine(Cause.HOOK, error=error).error is error


@pytest.mark.spec("B9.1")
@pytest.mark.parametrize("code", [0, 999, 1004, 2999, 4999, 65535, 10**6])
def test_a_code_is_a_plain_number(code: int) -> None:
    close = Close(code=code, origin=Origin.PEER, cause=Cause.CLOSE_FRAME)
    assert type(close.code) is int
    assert close.code == code


@pytest.mark.spec("I2")
def test_headers_and_errors_stay_out_of_the_text() -> None:
    close = Close(
        code=1006,
        origin=Origin.PEER,
        cause=Cause.REFUSED,
        status=401,
        headers={"set-cookie": "s3cret"},
        error=ValueError("s3cret"),
    )
    assert "s3cret" not in repr(close)
    assert "401" in repr(close)


def test_a_record_is_a_value() -> None:
    again = Close(code=4401, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, clean=True, reason="go")
    assert again == KICKED
    assert hash(again) == hash(KICKED)
    with pytest.raises(AttributeError):
        again.code = 1  # type: ignore[misc] # the point of the test


def test_a_record_can_be_copied_sent_and_taken_apart() -> None:
    assert deepcopy(KICKED) == KICKED
    assert pickle.loads(pickle.dumps(KICKED)) == KICKED
    assert asdict(KICKED)["headers"] == {}


@pytest.mark.parametrize(
    ("code", "status", "busy"),
    [
        (1013, None, True),
        (1014, None, False),
        (1012, None, False),
        (1006, 429, True),
        (1006, 503, True),
        (1006, 500, False),
        (1013, 401, False),
        (1006, None, False),
    ],
)
def test_a_busy_server_says_so(code: int, status: int | None, busy: bool) -> None:
    close = Close(code=code, origin=Origin.PEER, cause=Cause.REFUSED, status=status)
    assert close.busy is busy


def test_which_answers_blame_the_address_or_the_request() -> None:
    """RFC 9110 section 15.5: the client erred, and no other credential or moment would help."""
    credential_or_moment = {401, 407, 408, 421, 425, 429}
    blaming = {*range(100, 500), 501, 505} - credential_or_moment
    assert {status for status in range(100, 1000) if blames_request(status)} == blaming


@pytest.mark.spec("B20.1", "B20.3")
def test_a_proxy_that_refuses_says_nothing_of_the_peer() -> None:
    proxy, peer = Close.refused_by_proxy(404, retry_after=3.0), Close.refused(404)
    assert (proxy.code, proxy.origin, proxy.cause) == (1006, Origin.NETWORK, Cause.PROXY)
    assert (proxy.status, proxy.retry_after) == (404, 3.0)
    assert (proxy.answered, proxy.denied) == (False, False)
    assert (peer.answered, peer.denied) == (True, True)


@pytest.mark.parametrize("name", [each.name for each in fields(Close)])
def test_a_varied_record_is_the_one_that_replace_makes(name: str) -> None:
    error = OSError(104, "gone")
    close = Close.refused(503, headers={"retry-after": "3"}, retry_after=3.0, error=error)
    changes: dict[str, Any] = {name: "another value"}
    made = varied(close, **changes)
    assert type(made) is Close
    values = [getattr(made, each.name) for each in fields(Close)]
    plain = replace(close, **changes)
    assert values == [getattr(plain, each.name) for each in fields(Close)]
    with pytest.raises(FrozenInstanceError):
        made.code = 1000  # type: ignore[misc] # frozen, as the checker knows


def test_a_record_cannot_be_varied_in_what_it_has_not() -> None:
    with pytest.raises(AttributeError, match="colour"):
        varied(Close.frame(1000), colour="blue")
