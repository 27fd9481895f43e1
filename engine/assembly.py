"""`recloser.connect`: checks its arguments and assembles an engine from its parts."""

import random
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from importlib.util import find_spec
from inspect import iscoroutinefunction
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from aiohttp import ClientSession, Fingerprint
from yarl import URL

from recloser import log
from recloser.client import ReconnectingWebSocket
from recloser.clock import Clock
from recloser.closed import closed_error
from recloser.driver.driver import Driver
from recloser.driver.inbound import NO_WIRE, Inbound, Unread
from recloser.driver.inputs import Headers, Inputs, Subprotocols, Url
from recloser.driver.opening import OnOpen
from recloser.driver.sender import DirectSender
from recloser.driver.terms import FREE, Terms
from recloser.fsm.budget import unlimited
from recloser.fsm.change import StateChange
from recloser.fsm.core import Core
from recloser.fsm.decisions import Policy, check_decides
from recloser.fsm.numbers import check_count
from recloser.fsm.record import NO_HEADERS
from recloser.fsm.spelling import hinting
from recloser.fsm.timeouts import Timeouts
from recloser.transport import AiohttpTransport, Heartbeat, Transport
from recloser.transport.compatibility import check_handover
from recloser.transport.heartbeat import heartbeat_of
from recloser.transport.receive_buffer import LIMIT, Overflow

if TYPE_CHECKING:
    from recloser.budget import Budget
    from recloser.contract import Engine, Sender
    from recloser.credentials.store import Credentials, Provider
    from recloser.driver.limits import MaxAge
    from recloser.fleet.lease import Lease
    from recloser.governor.governor import Governor, Route
    from recloser.outbox.options import Outbox
    from recloser.outbox.store import Store

_TIMEOUTS: Final = Timeouts()
_HEARTBEAT: Final = Heartbeat()
_MESSAGE_SIZE: Final = 4 * 2**20
TransportName = Literal["aiohttp", "picows"]
"""The transports that come with recloser."""

_USUAL: Final = (None, None, None, "aiohttp")
"""What decides the way to a server and whom it trusts, where `connect` is told nothing."""
_LARGEST_BUFFER: Final = 2**30
_ROLL: Final = random.Random().random  # noqa: S311 - jitter, no secret; one for all: 2.5 KiB each


@hinting
def connect(
    url: Url,
    *,
    # Decisions: what follows the end of a connection
    policy: Policy | None = None,
    timeouts: Timeouts = _TIMEOUTS,
    budget: "Budget | None" = None,
    lease: "Lease | None" = None,
    governor: "Governor | Literal['shared'] | None" = "shared",
    # Each dial: asked for anew every time
    headers: Headers = NO_HEADERS,
    subprotocols: Subprotocols = (),
    credentials: "Credentials | Provider | None" = None,
    on_open: OnOpen | None = None,
    # Sending and receiving
    outbox: "Outbox | None" = None,
    unread: Unread = "keep",
    receive_buffer: int = LIMIT,
    when_full: Overflow = "pause",
    stale_after: float | None = None,
    max_age: "MaxAge | None" = None,
    gapless: bool = False,
    # Observation
    observers: Iterable[Callable[[StateChange], object]] = (),
    fields: Mapping[str, object] = log.NO_FIELDS,
    # The transports over aiohttp
    session: ClientSession | None = None,
    ssl: SSLContext | Fingerprint | bool = True,
    proxy: str | URL | None = None,
    heartbeat: Heartbeat | float | None = _HEARTBEAT,
    max_message_size: int = _MESSAGE_SIZE,
    compression: bool | int = False,
    follow_redirects: int = 0,
    # Another transport, and tests
    transport: Transport | TransportName | type[Transport] = "aiohttp",
    clock: Clock | None = None,
    seed: int | None = None,
) -> ReconnectingWebSocket:
    """Make an engine for one WebSocket; it does not dial yet.

    It dials when it is entered, `async with recloser.connect(url) as ws:`, or when `ws.connect()`
    is called.

    url, headers, subprotocols: values, or functions or coroutine functions that return them;
        functions are called before every dial.
    policy: an object with `decide(close, context)`; `policies.standard()` if None.
    timeouts: deadlines in seconds, see `Timeouts`.
    budget: the most dials in any span of time, over all lives of the engine; see `Budget`.
    lease: the right to be the one open connection of a key in a fleet; see `recloser.fleet.Lease`.
    governor: what says when the engine may dial, among all that share it; see `Governor`. "shared"
        is one for all engines of the event loop, unless they have a clock of their own. None:
        nothing.
    credentials: a token or headers; a function or coroutine function that returns them, called
        before every dial; or `Credentials`, which keeps, refreshes and shares them.
    on_open: a coroutine function or a plain function, called with an `Opening` on every open,
        before anything else is sent. If it raises, the dial has failed.
    outbox: keeps the messages that are sent while not open; None: `send` raises then.
    unread: what becomes of the messages that the consumer has not taken when the next connection
        opens. "keep" gives them first, in order. "discard" drops them, with a warning in the log;
        it is for feeds that begin with a snapshot.
    receive_buffer: bytes of messages that are read ahead for a consumer that is busy, over all
        connections; each message counts its length and 128.
    when_full: what gives way when the receive buffer is full. "pause" reads no more, so that the
        peer waits. "drop-oldest" reads on, and drops the oldest messages with a warning.
    stale_after: seconds without a message that end a connection, whatever pongs come: the feed has
        stalled. A message that answers a heartbeat's own counts. None: no limit.
    max_age: seconds after which a connection is left for a new one, before the service ends it; or
        (low, high), between which the age of each one is drawn, so that a fleet does not move at
        one time. Answers that are awaited are waited for, 30 s at most. None: no limit.
    gapless: at `max_age`, connect the next connection first and leave then, as `move` does.
    observers: functions that are called with every `StateChange`, as by `subscribe`.
    fields: names and values for every log line, such as a session id; read at each line.
    session: an aiohttp session to dial through, with its proxy, headers, middlewares, limits and
        so on. It stays the application's to close, and aiohttp may repeat a dial on it once by
        itself.
    ssl: as in aiohttp, for every dial; with a `ResumingContext` TLS sessions are resumed.
    proxy: the URL of an HTTP or SOCKS proxy; "env" asks the environment before every dial, as curl
        does. A SOCKS proxy needs aiohttp-socks.
    heartbeat: how silence is noticed; a number of seconds is used as interval and as time-out,
        None turns the heartbeat off.
    max_message_size: in bytes, 0 for no limit; a longer message ends the connection with 1009.
    compression: True asks the server to compress what it sends (permessage-deflate), with a window
        of 32 KiB; a number from 9 to 15 asks for a window of so many bits. What is sent is not
        compressed.
    follow_redirects: how many redirects a dial follows: never from wss to ws, and without
        headers, cookies and credentials to another origin. A redirect that is not followed is a
        refused upgrade.
    transport: what dials and carries the messages. "aiohttp"; or "picows", with the same options
        and the frames of picows, where that is installed; or an object of your own, whose
        options are given where it is made; or the class of one, which is called with ssl,
        heartbeat and max_message_size.
    clock: where the time comes from; the event loop if None.
    seed: an int that makes the jitter repeatable.

    Raises `TypeError` or `ValueError` for arguments that cannot work, and `SessionClosed`.
    """
    _check_policy(policy)
    if on_open is not None and not callable(on_open):
        raise TypeError(f"on_open must be a function of one Opening, not {on_open!r}")
    if not isinstance(timeouts, Timeouts):
        raise TypeError(f"timeouts must be a recloser.Timeouts, not {timeouts!r}")
    _check_budget(budget)
    _check_lease(lease)
    if not isinstance(fields, Mapping):
        raise TypeError(f"fields must be a mapping, not {fields!r}")
    if not all(isinstance(name, str) and name != "event" for name in fields):
        raise ValueError("fields must be named by str, and none by 'event': structlog needs it")
    _check_receiving(unread, receive_buffer, when_full)
    if clock is not None and not callable(getattr(clock, "call_at", None)):
        raise TypeError(f"clock must be an object like recloser.clock.Clock, not {clock!r}")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise TypeError(f"seed must be an int, not {seed!r}")
    roll = _ROLL if seed is None else random.Random(seed).random  # noqa: S311 - jitter
    limits = None
    if not (stale_after is None and max_age is None and gapless is False):
        from recloser.driver.limits import limits_of  # noqa: PLC0415 - most engines have none

        limits = limits_of(stale_after, max_age, roll, gapless=gapless)
    made = _transport(
        transport,
        session=session,
        ssl=ssl,
        proxy=proxy,
        heartbeat=heartbeat,
        max_message_size=max_message_size,
        compression=compression,
        follow_redirects=follow_redirects,
        fields=fields,
    )
    trust = None if ssl is True else ssl, proxy, session, transport
    usual = governor == "shared" and trust == _USUAL and clock is None
    route = None if usual else _route(governor, trust, clock)
    terms = _usual_terms() if usual else FREE if route is None else Terms(governor=route)
    if lease is not None or budget is not None:
        terms = terms._replace(lease=lease, budget=budget)
    inputs = Inputs(url, headers, subprotocols, _credentials(credentials))
    sender = _sender(outbox)
    core = Core(
        _standard() if policy is None else policy,
        timeouts=timeouts,
        roll=roll,
        can_refresh=inputs.can_refresh,
        budget=unlimited if budget is None else budget.wait,
    )
    driver = Driver(
        core,
        inputs=inputs,
        transport=made,
        on_open=on_open,
        fields=fields,
        close_timeout=timeouts.close,
        clock=clock,
        terms=terms,
        sender=sender,
        inbound=_inbound(unread, receive_buffer, when_full, fields),
        limits=limits,
    )
    if lease is not None:
        lease.attach(driver)
    for observer in observers:
        driver.observers.subscribe(observer)
    return ReconnectingWebSocket(driver)


@cache
def _standard() -> Policy:
    from recloser.policies import standard  # noqa: PLC0415 - not needed with another policy

    return standard()  # plain functions of their arguments: one serves all engines


def _check_policy(policy: object) -> None:
    if policy is None:
        return
    check_decides("policy", policy)
    if iscoroutinefunction(getattr(policy, "decide", None)):
        raise TypeError(
            "policy.decide must be a plain function: it is asked while the machine stands "
            "still; gather what it needs beforehand, or pass it on by advise()"
        )


def _credentials(given: "Credentials | Provider | None") -> "Credentials | None":
    if given is None:
        return None
    from recloser.credentials.store import credentials_of  # noqa: PLC0415 - many engines have none

    return credentials_of(given)


def _check_budget(budget: object) -> None:
    if budget is None:
        return
    from recloser.budget import Budget  # noqa: PLC0415 - loads SQLite, and most have none

    if not isinstance(budget, Budget):
        raise TypeError(f"budget must be a recloser.Budget, not {budget!r}")


def _check_lease(lease: object) -> None:
    if lease is None:
        return
    from recloser.fleet.lease import Lease  # noqa: PLC0415 - most engines have none

    if not isinstance(lease, Lease):
        raise TypeError(f"lease must be a recloser.fleet.Lease, not {lease!r}")


@cache
def _usual_terms() -> Terms:
    """Return the terms of most engines, which are one object."""
    return Terms(governor=_route("shared", _USUAL, None))


def _route(governor: object, route: object, clock: Clock | None) -> "Route | None":
    """Return the governor as engines of this route meet it."""
    if governor is None or (governor == "shared" and clock is not None):
        return None
    from recloser.governor.governor import SHARED, Governor  # noqa: PLC0415 - some have none

    if governor == "shared":
        governor = SHARED
    if not isinstance(governor, Governor):
        raise TypeError(f"governor must be a recloser.Governor, 'shared' or None, not {governor!r}")
    return governor.route(route)


def _inbound(
    unread: Unread, limit: int, when_full: Overflow, fields: Mapping[str, object]
) -> Inbound:
    drops = None if when_full == "pause" else partial(log.receive_buffer_full, fields, limit)
    return Inbound(NO_WIRE, partial(closed_error, None), unread=unread, limit=limit, drops=drops)


def _check_receiving(unread: object, receive_buffer: int, when_full: object) -> None:
    if unread not in get_args(Unread):
        raise ValueError(f"unread must be 'keep' or 'discard', not {unread!r}")
    if when_full not in get_args(Overflow):
        raise ValueError(f"when_full must be 'pause' or 'drop-oldest', not {when_full!r}")
    check_count("receive_buffer", receive_buffer)
    if receive_buffer > _LARGEST_BUFFER:
        raise ValueError(f"receive_buffer must be at most {_LARGEST_BUFFER} bytes (1 GiB)")


def _sender(outbox: object) -> "Callable[[Driver], Sender]":
    """Return the maker of the sender; an outbox and its file are loaded when needed."""
    if outbox is None:
        return DirectSender
    from recloser.outbox.options import Outbox  # noqa: PLC0415 - most engines have none

    if not isinstance(outbox, Outbox):
        raise TypeError(f"outbox must be a recloser.Outbox, not {outbox!r}")
    from recloser.outbox.sender import OutboxSender  # noqa: PLC0415 - as above

    return partial(OutboxSender, options=outbox, store=_store(outbox))


def _store(outbox: "Outbox") -> "Callable[[Engine], Store]":
    """Return the maker of the store: a file, or memory alone."""
    if outbox.path is None:
        from recloser.outbox.store import MemoryStore  # noqa: PLC0415 - as above

        return lambda _: MemoryStore()
    from recloser.outbox.file.writer import GroupCommitWriter  # noqa: PLC0415 - loads SQLite

    return partial(GroupCommitWriter, str(Path(outbox.path).absolute()), outbox)


def _transport(
    given: Transport | TransportName | type[Transport],
    *,
    session: ClientSession | None,
    ssl: SSLContext | Fingerprint | bool,
    proxy: str | URL | None,
    heartbeat: Heartbeat | float | None,
    max_message_size: int,
    compression: bool | int,
    follow_redirects: int,
    fields: Mapping[str, object],
) -> Transport:
    """Make the transport, or take the one that is given."""
    kind = _transport_class(given)
    over_aiohttp = (
        session is not None
        or proxy is not None
        or compression is not False
        or bool(follow_redirects)
    )
    if kind is None:
        if (
            over_aiohttp
            or ssl is not True
            or heartbeat is not _HEARTBEAT
            or max_message_size != _MESSAGE_SIZE
        ):
            raise TypeError(
                "session, ssl, proxy, heartbeat, max_message_size, compression and "
                "follow_redirects belong to the transports over aiohttp: give them to your own "
                "transport"
            )
        return cast("Transport", given)
    if not issubclass(kind, AiohttpTransport):
        if over_aiohttp:
            raise TypeError(
                "session, proxy, compression and follow_redirects belong to the transports over "
                "aiohttp: make your own transport with what it needs, and give that"
            )
        make = cast("Callable[..., Transport]", kind)
        return make(ssl=ssl, heartbeat=heartbeat_of(heartbeat), max_message_size=max_message_size)
    paused, missed = log.lines_of_transport(fields)
    return kind(
        session=session,
        ssl=ssl,
        proxy=proxy,
        max_message_size=max_message_size,
        compression=compression,
        heartbeat=heartbeat_of(heartbeat),
        follow_redirects=follow_redirects,
        backlogged=paused,
        pings_missed=missed,
    )


def _transport_class(given: object) -> type[Transport] | None:
    """Return the class of a transport that is to be made; None for one that was made."""
    if given == "aiohttp":
        return AiohttpTransport
    if given == "picows":
        if find_spec("picows") is None:
            raise ImportError("transport='picows' needs picows: pip install picows")
        check_handover()
        from recloser.transport.picows_transport import PicowsTransport  # noqa: PLC0415 - an extra

        return PicowsTransport
    if not callable(getattr(given, "dial", None)):
        raise TypeError(
            "transport must be 'aiohttp', 'picows', or an object with dial(request, ended), "
            f"not {given!r}"
        )
    return given if isinstance(given, type) else None
