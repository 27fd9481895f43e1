"""Where a credential is put, and that nothing but the wire gets to see it."""

import asyncio
import pickle
from dataclasses import replace
from typing import Any

import pytest
import structlog
import yarl
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from recloser import Credentials, State
from recloser.credentials import Place, Token, header, query, subprotocol
from recloser.credentials.token import issue
from recloser.fsm import Cause
from recloser.journal.lines import line_of
from recloser.testing import Plan
from recloser.transport import Request
from tests.engine.credentials.rig import NOT_LET_IN, HandClock
from tests.engine.rig import UP, URL, engine, opened, turns, virtual

SECRET = "tiger.9-lily"
GIVEN = Request(URL + "?v=2", {"X-Mine": "1", "authorization": "none"}, ("chat",))


def put(place: Place, token: str = SECRET, request: Request = GIVEN) -> Request:
    credentials = Credentials(token, place=place)
    return credentials.put(request, issue(token, 1, asked=(0.0, 0.0)))


@pytest.mark.spec("E1.4")
@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        (header(), "Authorization", f"Bearer {SECRET}"),
        (header(scheme="Bot"), "Authorization", f"Bot {SECRET}"),
        (header("X-Api-Key", scheme=""), "X-Api-Key", SECRET),
        (header("cookie", scheme=""), "Cookie", SECRET),
    ],
)
def test_a_header_takes_the_place_of_one_of_its_name(place: Place, name: str, value: str) -> None:
    request = put(place)
    assert request.headers[name] == value
    assert request.headers["x-mine"] == "1"
    assert len(request.headers) == (2 if name == "Authorization" else 3)
    assert (request.url, request.subprotocols) == (GIVEN.url, GIVEN.subprotocols)


@pytest.mark.spec("E1.4")
@given(st.text(min_size=1, max_size=20), st.sampled_from(["", "?v=2", "?token=old&v=%2B+2"]))
def test_a_query_carries_any_text_as_it_is(token: str, before: str) -> None:
    if any("\ud800" <= mark <= "\udfff" for mark in token) or set(token) & set("\r\n\0"):
        return
    url = yarl.URL(put(query(), token, Request(URL + before)).url)
    assert url.query.getall("token") == [token]
    assert url.with_query(None) == yarl.URL(URL)
    assert [(name, value) for name, value in url.query.items() if name != "token"] == [
        (name, value) for name, value in yarl.URL(URL + before).query.items() if name != "token"
    ]


@pytest.mark.spec("E1.4")
def test_a_subprotocol_is_offered_last() -> None:
    assert put(subprotocol()).subprotocols == ("chat", SECRET)
    assert put(subprotocol("bearer.")).subprotocols == ("chat", f"bearer.{SECRET}")


@pytest.mark.spec("E1.4")
@virtual
async def test_headers_go_where_headers_go() -> None:
    async def signed() -> dict[str, str]:
        return {"X-Key": "k", "x-signature": SECRET}

    ws, wire, _ = await opened(credentials=signed, headers={"X-Signature": "old", "A": "b"})
    assert sorted(wire.request.headers.items()) == [
        ("A", "b"), ("X-Key", "k"), ("x-signature", SECRET),
    ]  # fmt: skip
    await ws.close()


@pytest.mark.spec("E1.4", "E5.3")
@virtual
async def test_a_place_of_ones_own_edits_the_request() -> None:
    def place(request: Request, token: str) -> Request:
        url = request.url.replace("/v1", f"/v1/{token}")
        return replace(request, url=url, subprotocols=(token, *request.subprotocols))

    ws, wire, _ = await opened(credentials=Credentials("t1", place=place), subprotocols=["chat"])
    assert wire.request.url == "ws://feed.example/v1/t1"
    assert wire.request.subprotocols == ("t1", "chat")
    assert wire.request.private_subprotocols == {"t1"}
    await ws.close()


def crash(request: Request, token: str) -> Request:
    raise LookupError("no place")


async def late(request: Request, token: str) -> Request:
    return request


def hidden(request: Request, token: str) -> Any:
    return late(request, token)


PLACES: list[tuple[str, Any, str, Cause]] = [
    ("raises", crash, SECRET, Cause.CREDENTIALS),
    ("None", lambda request, token: None, SECRET, Cause.CREDENTIALS),
    ("coroutine", hidden, SECRET, Cause.CREDENTIALS),
    ("arguments", lambda request: request, SECRET, Cause.CREDENTIALS),
    ("http", lambda r, t: replace(r, url=f"http://h/?a={t}"), SECRET, Cause.CONFIGURATION),
    ("header", lambda r, t: replace(r, headers={t: "a\n"}), "name", Cause.CONFIGURATION),
    ("no word", subprotocol(), "not base64url=", Cause.CONFIGURATION),
    ("comma", subprotocol(), "a,b", Cause.CONFIGURATION),
]


@pytest.mark.spec("E2.1")
@pytest.mark.parametrize(
    ("place", "token", "cause"), [pytest.param(*each[1:], id=each[0]) for each in PLACES]
)
@virtual
async def test_a_place_that_fails_is_a_failed_dial(place: Any, token: str, cause: Cause) -> None:
    ws, transport = engine(UP, credentials=Credentials(token, place=place))
    ws.connect()
    await turns()
    assert ws.state is State.BACKOFF
    assert ws.last_close is not None
    assert ws.last_close.cause is cause
    assert transport.requests == []
    assert token == "name" or token not in str(ws.last_close.error)
    await ws.close()


@pytest.mark.parametrize(
    ("make", "arguments", "options"),
    [
        (header, ("",), {}),
        (header, ("a b",), {}),
        (header, (7,), {}),
        (header, (), {"scheme": "Bearer "}),
        (header, (), {"scheme": None}),
        (query, ("",), {}),
        (query, (None,), {}),
        (subprotocol, ("a b",), {}),
        (subprotocol, (b"x",), {}),
    ],
)
def test_a_place_that_cannot_be_is_refused(
    make: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, ValueError), match=r"name|scheme|prefix"):
        make(*arguments, **options)


# -- secrets ----------------------------------------------------------------------------------


@pytest.mark.spec("I2")
def test_no_repr_shows_a_secret() -> None:
    token = Token(SECRET, expires_in=60)
    kept = issue(token, 1, asked=(0.0, 0.0))
    credentials = Credentials(token)
    asyncio.run(credentials.ask(HandClock()))
    places = [header(), query(), subprotocol()]
    requests = [put(place, request=replace(GIVEN, url=f"ws://u:{SECRET}@h/")) for place in places]
    shown = "".join(map(repr, [token, kept, credentials, *places, *requests]))
    assert SECRET not in shown
    assert "ws://h/" in shown
    assert SECRET not in repr(Request(f"not a url {SECRET}"))
    assert pickle.loads(pickle.dumps(token)) == token


@pytest.mark.spec("I2")
@pytest.mark.parametrize("place", [header(), query(), subprotocol("auth.")])
@pytest.mark.parametrize("refused", [False, True])
@virtual
async def test_no_log_line_and_no_journal_shows_a_secret(place: Place, *, refused: bool) -> None:
    structlog.reset_defaults()
    changes: list[Any] = []
    plans = (Plan(refused=NOT_LET_IN), UP) if refused else (UP,)
    ws, _ = engine(*plans, credentials=Credentials(SECRET, place=place), observers=[changes.append])
    with capture_logs() as lines:
        ws.connect()
        await ws.wait_for(State.OPEN)
        await ws.close()
    journal = [line_of(change, wall=0.0, engine="e", own={}) for change in changes]
    assert len(lines) == len(changes) > 2
    assert SECRET not in f"{lines} {journal} {changes} {ws!r} {ws.last_close!r}"
