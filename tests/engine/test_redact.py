"""No secret survives in what is logged, and what is no secret stays readable."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import redact

pytestmark = pytest.mark.spec("I2.1")

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SECRETS = st.text(ALPHABET, min_size=6, max_size=40).map(lambda text: f"S3{text}")
LONG = st.text(ALPHABET + "-_", min_size=24, max_size=60).map(lambda text: f"S3{text}x")
AROUND = st.sampled_from(
    ["{}", "cannot reach {}", "GET {}: 503", "<{}>", '"{}"', "'{}',", "({})", "a {} b {} c"]
)
SCHEMES = st.sampled_from(["ws", "wss", "http", "https", "redis", "WSS", "socks5"])
PARTS = ["user", "password", "token only", "query", "second query", "bare query", "fragment"]


@st.composite
def urls_with(draw: st.DrawFn, secret: str) -> str:
    """A URL that holds the secret where URLs hold secrets."""
    place = draw(st.sampled_from([*PARTS, "path"]))
    user = {"user": f"{secret}@", "password": f"me:{secret}@", "token only": f":{secret}@"}
    query = {
        "query": f"?{draw(st.sampled_from(['token', 'v', 'x-y', 'k']))}={secret}",
        "second query": f"?v=1&z={secret}&t",
        "bare query": f"?{secret}",
    }
    host = draw(st.sampled_from(["feed.example", "127.0.0.1:8080", "[::1]:443", "[::1]"]))
    path = f"/v1/{secret}/feed" if place == "path" and len(secret) >= 24 else "/v1"
    fragment = f"#{secret}" if place in ("fragment", "path") and path == "/v1" else ""
    scheme = draw(SCHEMES)
    return f"{scheme}://{user.get(place, '')}{host}{path}{query.get(place, '')}{fragment}"


@given(st.data(), st.one_of(SECRETS, LONG), AROUND)
def test_no_secret_of_a_url_survives(data: st.DataObject, secret: str, around: str) -> None:
    url = data.draw(urls_with(secret))
    assert secret not in redact.url(url)
    shown = redact.text(around.replace("{}", url))
    assert secret not in shown
    assert redact.MASK in shown


WORDS = (
    "token access_token refreshToken X-Auth-Token secret client-secret password passwd pwd pw pass "
    "api_key api-key apikey key X-Api-Key auth Authorization credential credentials session "
    "sessionid session_id signature sig sid cookie ticket jwt listenKey TOKEN Password passphrase"
)
NAMES = st.sampled_from(WORDS.split())
SIGNS = st.sampled_from(["=", ": ", ":", " = ", "%3D"])


@given(NAMES, SIGNS, SECRETS, AROUND)
def test_no_named_value_survives(name: str, sign: str, secret: str, around: str) -> None:
    assert secret not in redact.text(around.replace("{}", f"{name}{sign}{secret}"))


@given(NAMES, st.lists(SECRETS, min_size=1, max_size=3), st.sampled_from(["'", '"']))
def test_no_quoted_value_survives(name: str, words: list[str], quote: str) -> None:
    pair = f"{{{quote}{name}{quote}: {quote}{' '.join(words)}{quote}, {quote}op{quote}: 2}}"
    shown = redact.text(f"refused: {pair}")
    assert not any(word in shown for word in words)
    assert shown.endswith(f"{quote}op{quote}: 2}}") or "ookie" in name or "uthor" in name


HEADERS = st.sampled_from(
    ["Authorization", "authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"]
)
VALUES = st.sampled_from(
    [
        "Bearer {}",
        "Basic {}",
        "token {}",
        'Digest username="u", response="{}"',
        "a=b; sid={}",
        "Unknown {}",
        "{}",
    ]
)


@given(HEADERS, VALUES, SECRETS)
def test_no_header_survives(name: str, value: str, secret: str) -> None:
    line = f"{name}: {value.format(secret)}"
    assert secret not in redact.text(f"sent {line}\r\nHost: feed.example")
    assert "Host: feed.example" in redact.text(f"sent {line}\r\nHost: feed.example")
    assert secret not in repr(redact.headers({name: value.format(secret)}))


@given(LONG, AROUND)
def test_nothing_that_looks_like_a_key_survives(secret: str, around: str) -> None:
    assert secret not in redact.text(around.replace("{}", secret))


@given(st.text())
def test_any_text_can_be_redacted(text: str) -> None:
    assert isinstance(redact.text(text), str)
    assert isinstance(redact.url(text), str)


@given(st.text(" ,.;!?()-éß語\nabcdefghijklmnopqrstuvwxyz", max_size=200))
def test_prose_stays_as_it_is(text: str) -> None:
    assert redact.text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Token expired",
        "token expired",
        "Invalid session",
        "session expired: reconnect",
        "Not authenticated.",
        "Service Restart",
        "KeyError: 'op'",
        "going away",
        "Cannot connect to host feed.example:443 ssl:default [Name or service not known]",
        "[Errno 111] Connect call failed ('127.0.0.1', 8080)",
        "heartbeat missed by 12.5 s, code 4401",
        "9f1b2c3d-0001",
        "ws://feed.example/v1/stream",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact.text(text) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "wss://me:pw@feed.example/v1?token=abc&v=2#x",
            "wss://***@feed.example/v1?token=***&v=***#***",
        ),
        ("ws://h", "ws://h"),
        ("ws://h:99999/", "***"),
        ("ws://[::1]:80/p", "ws://[::1]:80/p"),
        ("ws://[bad", "***"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert redact.url(url) == shown


def test_a_long_hostile_text_does_not_hold_up_the_event_loop() -> None:
    """Where matching takes quadratic time, this takes hours."""
    pieces = ["token", "a-", "x", "Bearer ", "a://", "key ", "eyJ", "a.b+", 'token"', "key= ", "0-"]
    for piece in chain.from_iterable((piece, f" {piece}=") for piece in pieces):
        assert len(redact.text(piece * 20_000)) <= 40_000 * len(piece)


@pytest.mark.spec("I2.2")
@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["", "\n\t"]))
def test_what_cannot_be_printed_is_escaped(text: str, keep: str) -> None:
    shown = redact.printable(text, keep)
    assert all(char.isprintable() or char in keep for char in shown)
    if text.isprintable():
        assert shown == text


@pytest.mark.spec("I2.2")
def test_a_reason_is_one_line_without_secrets_and_orders_to_a_terminal() -> None:
    assert redact.printable("plain ü\u4e2d") == "plain ü\u4e2d"
    assert redact.printable("\x1b[2J\u202e\n\t", keep="\n\t") == "\\x1b[2J\\u202e\n\t"
    assert redact.line("token=tiger\r\nopen\x9b2J") == "token=***\\r\\nopen\\x9b2J"
