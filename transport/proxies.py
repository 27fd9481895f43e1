"""Finds the proxy of a dial: the one given, or the one that curl takes from the environment. Pure.

What curl does was tried with libcurl 8.23.0; tests/transport/test_proxies.py has the table.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from yarl import URL

from recloser.fsm.named_tuple import NamedTuple
from recloser.transport.base import read_url
from recloser.transport.errors import ProxyUnusable

ENVIRONMENT: Final = "env"
"""The value of `proxy` that asks for the environment."""

_VARIABLES: Final = {
    "ws": ("ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"),
    "wss": ("wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
}
"""In the order of curl. A CGI server sets HTTP_PROXY from a header of the request, so it is left
out."""

_EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")

_WORDS: Final = r"[^ \t]+"

_PORT: Final = 1080
"""What curl takes for a proxy without a port, unless it is an https one."""


class SocksProxy(NamedTuple):
    """A SOCKS proxy: where it is, which version it speaks, who looks names up."""

    host: str
    port: int
    version: int
    """4 or 5."""
    remote_names: bool
    """The proxy looks up the server's name, and this machine does not."""
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        """Show no user and no password."""
        kind = type(self).__name__
        return f"<{kind} {self.host}:{self.port} version {self.version}>"


Proxy = URL | SocksProxy
"""An HTTP proxy is its URL."""

_SOCKS: Final = {
    "socks": (4, False),
    "socks4": (4, False),
    "socks4a": (4, True),
    "socks5": (5, False),
    "socks5h": (5, True),
}
"""Schemes of curl: the version, and whether the proxy looks names up."""


def read_proxy(given: str | URL, *, name: str = "proxy", port: int | None = None) -> Proxy:
    """Read a proxy; a text without a scheme is an HTTP proxy.

    `name` says where it was given, and `port` is that of an HTTP proxy without one; None is 80.
    Raises `TypeError`, and `ProxyUnusable`, whose text repeats nothing of the proxy: it may have
    a password.
    """
    if not isinstance(given, str | URL):
        raise TypeError(f"{name} must be a str or a yarl.URL, not {type(given).__name__}")
    text = str(given)
    try:
        url = read_url(text if "://" in text else f"http://{text}")
        host, explicit = url.host, url.explicit_port
    except ValueError:
        raise ProxyUnusable(f"{name} cannot be read as a URL") from None
    if not host:
        raise ProxyUnusable(f"{name} must name a host, as in http://proxy.example:3128")
    if url.scheme in _SOCKS:
        version, remote = _SOCKS[url.scheme]
        number = _PORT if explicit is None else explicit
        return SocksProxy(host, number, version, remote, url.user, url.password)
    if url.scheme not in ("http", "https"):
        raise ProxyUnusable(
            f"{name} must start with http://, https://, socks4://, socks4a://, socks5:// or "
            f"socks5h://, not {url.scheme}://"
        )
    if explicit is None and port is not None and url.scheme == "http":
        return url.with_port(port)
    return url


def proxy_of_environment(url: URL, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that curl would use for a ws or wss URL; None for none.

    Raises `ProxyUnusable` for a variable that curl would refuse.
    """
    exceptions = _first(_EXCEPTIONS, environment)
    if exceptions is not None and excepted(url.raw_host or "", environment[exceptions]):
        return None
    name = _first(_VARIABLES.get(url.scheme, ()), environment)
    return None if name is None else read_proxy(environment[name], name=name, port=_PORT)


def excepted(host: str, exceptions: str) -> bool:
    """Whether NO_PROXY has a host; both as curl reads them.

    Entries are divided by commas. A name stands for itself and what is beneath it, an address for
    itself, an address with a number of bits for its network. "*" stands for all hosts where it is
    the whole value. An entry with a port or with "*" in it stands for none.

    >>> excepted("feed.example.com", "other.org, .example.com")
    True
    >>> excepted("feed.example.com", "example.com:443, *.example.com")
    False
    >>> excepted("10.1.2.3", "10.0.0.0/8")
    True
    """
    if exceptions == "*":
        return True
    # The first word of each, and a line break is no blank.
    entries = [words[0] for each in exceptions.split(",") if (words := re.findall(_WORDS, each))]
    try:
        address = ip_address(host)
    except ValueError:
        name = host.lower().removesuffix(".")
        return any(_beneath(name, entry.lower()) for entry in entries)
    return any(_has(entry, address) for entry in entries)


def _first(names: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    """Return the first variable that is set and not empty."""
    return next((name for name in names if environment.get(name)), None)


def _beneath(name: str, entry: str) -> bool:
    domain = entry.removesuffix(".").removeprefix(".")
    return bool(domain) and (name == domain or name.endswith(f".{domain}"))


def _has(entry: str, address: IPv4Address | IPv6Address) -> bool:
    """Whether an entry is the address, or the network of it; curl takes 0 bits for all bits."""
    text, slash, bits = entry.partition("/")
    if slash and not (bits.isascii() and bits.isdigit()):
        return False
    try:
        start = type(address)(text)
        network = ip_network((start, int(bits or 0) or start.max_prefixlen), strict=False)
    except ValueError:  # another kind of address, a name, or too many bits
        return False
    return address in network
