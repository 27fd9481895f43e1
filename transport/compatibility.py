"""Looks before the first dial for what the transport stands on in the installed aiohttp.

pyproject.toml admits all releases of aiohttp below the next major one, also those that are not
written yet. One that lacks a name fails the dial with an error that says which, in the place of
an `AttributeError` out of the middle of a dial.
"""

import inspect
from functools import cache
from typing import Final

import aiohttp
from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse, TCPConnector
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import WebSocketWriter

from recloser.transport.errors import UnsupportedAiohttp

POSITIONAL: Final[tuple[tuple[type, str, tuple[str, ...]], ...]] = (
    (ClientWebSocketResponse, "__init__", ("self", "reader", "writer", "protocol", "response")),
    (WebSocketWriter, "send_frame", ("self", "message", "opcode")),
    (WebSocketWriter, "close", ("self", "code", "message")),
    (ClientResponse, "start", ("self", "connection")),
    (ClientResponse, "close", ("self",)),
    (Connection, "close", ("self",)),
    (ClientSession, "detach", ("self",)),
    (BaseProtocol, "_drain_helper", ("self",)),
    (ResponseHandler, "connection_lost", ("self", "exc")),
    (ResponseHandler, "data_received", ("self", "data")),
    (ResponseHandler, "set_parser", ("self", "parser", "payload")),
)
"""Methods, and the first of their parameters in order."""

OPTIONS: Final[tuple[tuple[type, str, set[str]], ...]] = (
    (
        ClientSession,
        "__init__",
        {
            "connector", "cookie_jar", "response_class", "timeout", "trust_env",
            "ws_response_class",
        },
    ),
    (
        ClientSession,
        "ws_connect",
        {"compress", "headers", "max_msg_size", "protocols", "proxy", "ssl"},
    ),
    (TCPConnector, "__init__", {"force_close", "limit"}),
)  # fmt: skip
"""Methods, and parameters that are given to them by name."""

ATTRIBUTES: Final[tuple[tuple[type, set[str]], ...]] = (
    (ClientResponse, {"_closed", "_connection", "connection", "request_info"}),
    (ClientSession, {"auth", "closed", "connector", "headers", "raise_for_status", "timeout"}),
    (Connection, {"protocol", "transport"}),
    (ResponseHandler, {"closed", "writing_paused"}),
)
"""Classes, and properties that they or their bases have."""

SESSION: Final = {
    "_connector_owner", "_default_headers", "_default_proxy", "_middlewares",
    "_raise_for_status", "_response_class", "_retry_connection", "_timeout", "_ws_response_class",
}  # fmt: skip
"""Attributes of each session, which a copy of a lent one changes (E1.6), or a session of ours."""


def missing() -> list[str]:
    """Name what the installed aiohttp lacks: methods with their parameters, and attributes."""
    found = [
        f"{owner.__name__}.{name}({', '.join(expected)})"
        for owner, name, expected in POSITIONAL
        if _parameters(owner, name)[: len(expected)] != expected
    ]
    for owner, name, options in OPTIONS:
        absent = options.difference(_parameters(owner, name))
        found += [f"{owner.__name__}.{name}({each}=...)" for each in sorted(absent)]
    for owner, names in ATTRIBUTES:
        found += [f"{owner.__name__}.{name}" for name in sorted(names) if not hasattr(owner, name)]
    found += [f"ClientSession.{name}" for name in sorted(SESSION - set(ClientSession.ATTRS))]
    return found


def _parameters(owner: type, name: str) -> tuple[str, ...]:
    method = getattr(owner, name, None)
    return () if method is None else tuple(inspect.signature(method).parameters)


@cache
def check_aiohttp() -> None:
    """Raise `UnsupportedAiohttp` if the installed release lacks something."""
    absent = missing()
    if absent:
        raise UnsupportedAiohttp(aiohttp.__version__, absent)


def check_handover() -> None:
    """Raise `UnsupportedAiohttp` if the installed release does not hand its parser over.

    A transport that reads the frames itself needs that; it came with 3.14.4.
    """
    if "_parser" not in ClientWebSocketResponse.__init__.__code__.co_names:
        raise UnsupportedAiohttp(aiohttp.__version__, ["ClientWebSocketResponse._parser"])
