"""What curl takes from the environment: each line is what libcurl 8.23.0 did when run (N2.1)."""

from pathlib import Path

import pytest
from yarl import URL

import recloser
from recloser import ProxyUnusable
from recloser.transport.proxies import SocksProxy, excepted, proxy_of_environment, read_proxy

A, B = "http://127.0.0.1:1001", "http://127.0.0.1:1002"

FOUND = {
    "ws": ["ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"],
    "wss": ["wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
}
"""What finds a proxy, in the order of precedence."""

VARIABLES = sorted({*FOUND["ws"], *FOUND["wss"], "HTTP_PROXY"})


def asked(environment: dict[str, str], url: str = "ws://feed.example/") -> object:
    return proxy_of_environment(URL(url), environment)


@pytest.mark.spec("N2.1")
@pytest.mark.parametrize("scheme", FOUND)
@pytest.mark.parametrize("name", VARIABLES)
def test_which_variables_count(scheme: str, name: str) -> None:
    found = asked({name: A}, f"{scheme}://feed.example/")
    assert found == (URL(A) if name in FOUND[scheme] else None)


@pytest.mark.spec("N2.1")
@pytest.mark.parametrize("scheme", FOUND)
def test_the_order_of_variables(scheme: str) -> None:
    names = FOUND[scheme]
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            assert asked({first: A, second: B}, f"{scheme}://x/") == URL(A), (first, second)
            assert asked({first: "", second: B}, f"{scheme}://x/") == URL(B), "empty is not set"


@pytest.mark.spec("N2.1")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("127.0.0.1:3128", URL("http://127.0.0.1:3128")),
        ("HTTP://127.0.0.1:3128", URL("http://127.0.0.1:3128")),
        ("https://127.0.0.1:3128", URL("https://127.0.0.1:3128")),
        ("me:hush@127.0.0.1:3128", URL("http://me:hush@127.0.0.1:3128")),
        ("http://127.0.0.1", URL("http://127.0.0.1:1080")),
        ("127.0.0.1", URL("http://127.0.0.1:1080")),
        ("http://127.0.0.1:80/", URL("http://127.0.0.1:80/")),
        ("https://127.0.0.1", URL("https://127.0.0.1")),
        ("socks4://127.0.0.1:9050", SocksProxy("127.0.0.1", 9050, 4, remote_names=False)),
        ("socks://127.0.0.1:9050", SocksProxy("127.0.0.1", 9050, 4, remote_names=False)),
        ("socks4a://127.0.0.1:9050", SocksProxy("127.0.0.1", 9050, 4, remote_names=True)),
        ("socks5://127.0.0.1:9050", SocksProxy("127.0.0.1", 9050, 5, remote_names=False)),
        ("socks5h://127.0.0.1", SocksProxy("127.0.0.1", 1080, 5, remote_names=True)),
        (
            "socks5h://me:hu%3Ash@[::1]:9050",
            SocksProxy("::1", 9050, 5, remote_names=True, user="me", password="hu:sh"),
        ),
    ],
)
def test_how_a_value_is_read(value: str, expected: object) -> None:
    assert asked({"http_proxy": value}) == expected


@pytest.mark.spec("N2.4")
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("ftp://hush@127.0.0.1:21", "must start with http://"),
        ("ws://hush@127.0.0.1:21", "must start with http://"),
        ("//hush@127.0.0.1:21", "must name a host|cannot be read"),
        ("http://hush@127.0.0.1:many", "cannot be read"),
        ("http://hush[]@/", "cannot be read"),
        ("socks5://", "must name a host"),
    ],
)
def test_a_value_that_curl_refuses_is_refused(value: str, words: str) -> None:
    with pytest.raises(ProxyUnusable, match=words) as refused:
        asked({"all_proxy": value})
    assert str(refused.value).startswith("all_proxy ")
    assert "hush" not in str(refused.value)
    with pytest.raises(ProxyUnusable, match=r"^proxy "):
        recloser.connect("ws://feed.example/", proxy=value)


def test_a_proxy_that_is_given_has_the_port_of_its_scheme() -> None:
    for scheme, port in (("http", 80), ("https", 443)):
        found = read_proxy(f"{scheme}://proxy.example")
        assert isinstance(found, URL)
        assert found.port == port
    assert "hush" not in repr(read_proxy("socks5h://me:hush@proxy.example"))


NAMES = {
    "example.com": """
        direct: example.com | .example.com | EXAMPLE.com | example.com. | .example.com. | com
        direct: * | other.org,example.com | other.org, example.com | other.org  ,, example.com
        direct: example.com other.org | ,example.com
        proxy: *.example.com | example | ample.com | ** | example.* | example.com:80 | other.org
        proxy: other.org example.com | *,x | x,* | x * | * x | sub.example.com | . | ..example.com
        proxy: http://example.com | example.com/ | example.com;x
    """,
    "sub.example.com": """
        direct: example.com | .example.com | sub.example.com | example.com.
        proxy: *.example.com | b.example.com
    """,
    "sub.example.com.": "direct: example.com",
    "badexample.com": "proxy: example.com | .example.com",
    "EXAMPLE.COM": "direct: example.com",
    "127.0.0.1": """
        direct: 127.0.0.1 | 127.0.0.0/8 | 127.0.0.1/32 | 127.0.0.1/0 | 127.0.0.1/8 | 127.0.0.1 x
        direct: 127.0.0.0/08
        proxy: 127.0.0.1:80 | 127.0.0.1/33 | 10.0.0.0/0 | 0.0.0.0/0 | 127.0.0 | 127. | 0.0.1 | 127.1
        proxy: 127.0.0.0/8x | 127.0.0.2/31 | 2130706433 | localhost | *.0.0.1 | .0.0.1 | ::1
        proxy: 127.0.0.1/ | ::ffff:127.0.0.1 | 127.0.0.1/-1 | 127.0.0.1/ 8 | 127.0.0.1.
        proxy: 127.0.0.0/+8
    """,
    "::1": """
        direct: ::1 | ::1/128 | 0:0:0:0:0:0:0:1 | ::/127 | 0::1/64
        proxy: [::1] | ::/0 | [::1]:80 | [::1]/128 | ::2/127 | ::1/129 | fe80::/10 | 127.0.0.1
        proxy: ::1/
    """,
    "localhost": "direct: localhost\nproxy: 127.0.0.1 | 127.0.0.0/8",
}
"""Of a host: the values of no_proxy with which curl went there directly, and by the proxy."""

CASES = [
    (host, value, line.split(":", 1)[0].strip())
    for host, table in NAMES.items()
    for line in table.strip().splitlines()
    for value in line.split(": ", 1)[1].split(" | ")
]


@pytest.mark.spec("N2.1")
@pytest.mark.parametrize(("host", "value", "way"), CASES)
def test_what_no_proxy_excepts(host: str, value: str, way: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    found = asked({"http_proxy": A, "no_proxy": value}, f"ws://{shown}:80/")
    assert found == (None if way == "direct" else URL(A))
    assert excepted(host, value) is (way == "direct")


@pytest.mark.spec("N2.1")
@pytest.mark.parametrize("value", ["", " ", "* ", " *", "\n*", "example.com\n"])
def test_blanks_do_not_help(value: str) -> None:
    assert not excepted("example.com", value)


@pytest.mark.spec("N2.1")
def test_no_proxy_in_two_spellings() -> None:
    one, other = {"http_proxy": A, "NO_PROXY": "feed.example"}, {"no_proxy": "x.org"}
    assert asked(one) is None
    assert asked(one | other) == URL(A), "the lower case counts"
    assert asked(one | {"no_proxy": ""}) is None, "empty is not set"


def test_the_document_has_the_variables_in_their_order() -> None:
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
    for scheme, names in FOUND.items():
        assert f"| `{scheme}` | {', '.join(f'`{name}`' for name in names)} |" in page
