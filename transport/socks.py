"""Dials through a SOCKS proxy, with the library aiohttp-socks."""

import sys
from importlib.util import find_spec

from aiohttp import TCPConnector

from recloser.transport.errors import ProxyUnusable
from recloser.transport.proxies import SocksProxy


def check_socks() -> None:
    """Raise `ProxyUnusable` where the library is missing."""
    if find_spec("aiohttp_socks") is None:
        raise ProxyUnusable("a SOCKS proxy needs aiohttp-socks: pip install aiohttp-socks")


def socks_connector(proxy: SocksProxy) -> TCPConnector:
    """Make a connector without a limit or a pool; raises `ProxyUnusable` without the library."""
    check_socks()
    from aiohttp_socks import ProxyConnector, ProxyType  # noqa: PLC0415 - an extra

    return ProxyConnector(
        host=proxy.host,
        port=proxy.port,
        proxy_type=ProxyType.SOCKS5 if proxy.version == 5 else ProxyType.SOCKS4,  # noqa: PLR2004 - RFC 1928
        username=proxy.user,
        password=proxy.password,
        rdns=proxy.remote_names,
        limit=0,
        force_close=True,
    )


def refused(error: Exception) -> bool:
    """Whether a SOCKS proxy answered, and would or could not reach the server."""
    library = sys.modules.get("aiohttp_socks")  # not loaded: it raised nothing
    return library is not None and isinstance(error, library.ProxyError)


def unreachable(error: Exception) -> bool:
    """Whether no SOCKS proxy answered."""
    library = sys.modules.get("aiohttp_socks")
    return library is not None and isinstance(
        error, library.ProxyConnectionError | library.ProxyTimeoutError
    )
