"""The parameters of what a service has beside the engine: credentials, supervisor, journal."""

import asyncio
import io
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

import recloser
from recloser import Credentials, Retry, State, Supervisor, hints
from recloser.client import ReconnectingWebSocket
from recloser.credentials import Token, header, query, subprotocol
from recloser.credentials.token import issue
from recloser.fsm import Close, Trigger
from recloser.journal import Journal, JournalEntry, Reader
from recloser.testing import HandClock
from recloser.transport import Request
from tests.engine.rig import REFUSED, UP, Answering, Plan, engine, pass_time, turns
from tests.parameters.lives import life, loses, tries
from tests.parameters.rows import Fresh, Probe, Table, kept, probes, shown

ASKED = Close.refused(401)


def counting(name: str = "token", *, takes: float = 0.0) -> Fresh:
    """A provider that numbers its tokens."""

    def make() -> Callable[[], Any]:
        given: list[str] = []

        async def provide() -> str:
            await pass_time(takes)
            given.append(f"{name}{len(given)}")
            return given[-1]

        return provide

    return Fresh(make)


def ending(seconds: float) -> Callable[[], Token]:
    return lambda: Token("short", expires_in=seconds)


async def signed(*, refresh_at_end: bool = True, **options: Any) -> object:
    """Three dials, five seconds apart; the second is refused with 401 and refreshes."""
    answers = [Retry(5.0, refresh=True), Retry(5.0)]
    credentials = Credentials(**options)
    plans = (UP, Plan(refused=ASKED), UP, UP)
    return await life(loses, *plans)(credentials=credentials, policy=Answering(*answers))


async def waits(**options: Any) -> object:
    """A provider is slower than it may be."""
    return await life(tries)(credentials=Credentials(**options))


async def ended_soon(**options: Any) -> object:
    """Dials every twenty seconds with tokens that last half a minute."""
    asked: list[int] = []

    def provide() -> Token:
        asked.append(1)
        return Token(f"token{len(asked)}", expires_in=30.0)

    policy = Answering(Retry(20.0))
    credentials = Credentials(provide, **options)
    return await life(loses, UP, Plan(refused=REFUSED), UP)(credentials=credentials, policy=policy)


def moved_to_query(request: Request, token: str) -> Request:
    return query()(request, token)


async def given(**times: Any) -> object:
    """How often a provider is asked in three dials, when its token has this end."""
    asked: list[int] = []

    def provide() -> Token:
        asked.append(1)
        return Token(times.pop("value", "token"), **times)

    clock = HandClock(monotonic=0.0, wall=1000.0)
    credentials = Credentials(provide, ahead=0.0)
    for _ in range(3):
        found = await credentials.ask(clock)
        clock.advance(20.0)
    return len(asked), found.value


async def asked_again(*, wall: float = 0.0, refused: int | None = None) -> object:
    """A second call, when the clock shows this, for a credential that ends after a minute."""
    asked: list[int] = []

    def provide() -> Token:
        asked.append(1)
        return Token(f"token{len(asked)}", expires_in=60.0)

    credentials = Credentials(provide)
    await credentials.ask(HandClock())
    await credentials.ask(HandClock(monotonic=wall, wall=wall), refused=refused)
    return len(asked)


def put(*, url: str = "ws://feed.example/", token: str = "x", place: Any = None) -> object:
    place = header() if place is None else place
    credential = issue(token, 1, asked=(0.0, 0.0))
    request = Credentials("y", place=place).put(Request(url), credential)
    return request.url, dict(request.headers), request.subprotocols


CREDENTIALS: Table = {
    **probes("Credentials", signed, {
        "provider": counting("other"),
        "refresh": counting("fresh"),
        "place": query(),
        "cache": False,
    }, provider=counting()),
    **probes("Credentials", waits, {"timeout": 5.0}, provider=counting(takes=30.0)),
    **probes("Credentials", ended_soon, {"ahead": 1.0}),
    **probes("Credentials.ask", asked_again, {"refused": 1}),
    ("Credentials.ask", "clock"): Probe(asked_again, {}, {"wall": 90.0}),
    ("Credentials.put", "request"): Probe(put, {}, {"url": "ws://feed.example/b"}),
    ("Credentials.put", "credential"): Probe(put, {}, {"token": "z"}),
    **probes("Token", given, {"value": "other", "expires_in": 10.0, "expires_at": 1010.0}),
    ("header", "name"): Probe(put, {}, {"place": header("X-Token")}),
    ("header", "scheme"): Probe(put, {}, {"place": header(scheme="")}),
    ("query", "name"): Probe(put, {"place": query()}, {"place": query("key")}),
    ("subprotocol", "prefix"): Probe(
        put, {"place": subprotocol()}, {"place": subprotocol("auth.")}
    ),
}  # fmt: skip


# -- supervisor and hints ---------------------------------------------------------------------


async def stubborn(ws: ReconnectingWebSocket) -> None:
    """Works on for a minute after its engine has ended."""
    await pass_time(60)


async def supervised(
    *, handler: Any = stubborn, ws: str = "one", name: str | None = None, **options: Any
) -> object:
    engines = {each: engine(UP) for each in ("one", "two")}
    async with Supervisor(**options) as supervisor:
        supervisor.add(engines[ws][0], handler, name=name)
        await engines[ws][0].wait_for(State.OPEN)
        names = list(supervisor.engines)
    wires = [[wire.closed_with for wire in each[1].wires] for each in engines.values()]
    return wires, asyncio.get_running_loop().time(), names


async def failing_handler(ws: ReconnectingWebSocket) -> None:
    await pass_time(5)
    raise LookupError("handled badly")


async def supervised_failure(*, within: str = "add", **options: Any) -> object:
    """A handler that fails after five seconds; twelve seconds are watched."""
    made = {"supervisor": {}, within: options}
    ws, _ = engine(UP, UP, UP)
    told: list[str] = []
    if made["supervisor"].pop("on_failure", None):
        made["supervisor"]["on_failure"] = lambda name, error: told.append(name)
    async with Supervisor(**made["supervisor"]) as supervisor:
        supervisor.add(ws, failing_handler, name="one", **made.get("add", {}))
        await pass_time(12)
        found = list(supervisor.engines), list(supervisor.failures)
    return found, told


async def replaced(
    *, name: str = "one", new: str = "third", handler: Any = stubborn, restart: Any = None
) -> object:
    """Two engines are supervised; the one of this name is replaced."""
    engines = {each: engine(UP, UP)[0] for each in ("one", "two", "third", "fourth")}
    async with Supervisor() as supervisor:
        for each in ("one", "two"):
            supervisor.add(engines[each], stubborn, name=each)
        await pass_time(1)
        await supervisor.replace(name, engines[new], handler, restart=restart)
        await pass_time(12)
        found = [ws.state for ws in engines.values()], sorted(supervisor.engines)
    return found, sorted(supervisor.failures)


async def discarded(*, name: str) -> object:
    async with Supervisor() as supervisor:
        for each in ("one", "two"):
            supervisor.add(engine(UP)[0], stubborn, name=each)
        await pass_time(1)
        await supervisor.discard(name)
        return list(supervisor.engines)


async def ends_at_once(ws: ReconnectingWebSocket) -> None:
    await ws.wait_for(State.OPEN)


async def heard(
    *, signum: signal.Signals, wake: Callable[[list[str]], Callable[[], object]]
) -> object:
    told: list[str] = []
    with hints.signalled(wake(told), signum):
        before = signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL
        if before:
            os.kill(os.getpid(), signal.SIGUSR1)
            await turns()
    return told


def says_woken(told: list[str]) -> Callable[[], object]:
    return lambda: told.append("woken")


def says_again(told: list[str]) -> Callable[[], object]:
    return lambda: told.append("again")


SERVICES: Table = {
    **probes("Supervisor", supervised, {"code": 1001, "reason": "restart", "deadline": 3.0}),
    **shown("Supervisor", signals="engine/test_supervisor.py::"
            "test_a_signal_ends_the_wait_and_a_second_one_the_draining"),
    **probes("Supervisor.add", supervised, {"ws": "two", "handler": ends_at_once, "name": "feed"}),
    **probes("Supervisor", supervised_failure, {
        "restart": Answering(Retry(1.0)), "on_failure": True,
    }, within="supervisor"),
    **probes("Supervisor.add", supervised_failure, {"restart": Answering(Retry(1.0))}),
    **probes("Supervisor.replace", replaced, {"name": "two"}),
    ("Supervisor.replace", "ws"): Probe(replaced, {}, {"new": "fourth"}),
    **probes("Supervisor.replace", replaced, {"handler": ends_at_once}),
    **probes("Supervisor.replace", replaced, {"restart": Answering(Retry(1.0))},
             handler=failing_handler),
    **probes("Supervisor.discard", discarded, {"name": "two"}, name="one"),
    **probes("signalled", heard, {"wake": says_again, "signum": signal.SIGUSR2},
             wake=says_woken, signum=signal.SIGUSR1),
    **shown(
        "network",
        wake="engine/hints/test_hints.py::test_a_real_interface_comes_up",
        debounce="engine/hints/test_hints.py::"
        "test_news_make_one_hint_for_all_that_come_together",
    ),
}  # fmt: skip


# -- journal ----------------------------------------------------------------------------------


CHANGE = recloser.StateChange(
    previous=State.CLOSED,
    current=State.CONNECTING,
    trigger=Trigger.CONNECT,
    at=1.0,
    generation=1,
    attempt=0,
)


def written(
    *, name: str = "first", bind: Mapping[str, Any] | None = None, **options: Any
) -> object:
    """What two streams have after one change."""
    files = {"first": io.StringIO(), "second": io.StringIO()}
    options = {"wall": lambda: 0.0, "engine": "a", **options}
    with Journal(files[name], **options) as journal:
        observer = journal if bind is None else journal.bind(**{"engine": "a", **bind})
        observer(CHANGE)
    return [file.getvalue() for file in files.values()]


def read(*, content: bytes, by: str | None = None) -> object:
    return [entry.engine for entry in Reader(io.BytesIO(content), by=by)]


LOG = (
    b'{"event": "websocket.state_changed", "from": "closed", "to": "connecting", "trigger": '
    b'"connect", "generation": 1, "attempt": 0, "session": "s7", '
    b'"timestamp": "2026-01-01T00:00:00Z"}\n'
)

JOURNAL: Table = {
    **kept(JournalEntry),
    ("Journal", "file"): Probe(written, {}, {"name": "second"}),
    **probes("Journal", written, {
        "engine": "feed", "fields": {"session": 7}, "wall": lambda: 60.0,
    }),
    ("Journal.bind", "engine"): Probe(written, {"bind": {}}, {"bind": {"engine": "b"}}),
    ("Journal.bind", "fields"): Probe(written, {"bind": {}}, {"bind": {"fields": {"session": 7}}}),
    ("Reader", "file"): Probe(read, {"content": b""}, {"content": LOG}),
    ("Reader", "by"): Probe(read, {"content": LOG}, {"by": "session"}),
}  # fmt: skip

# -- budget -----------------------------------------------------------------------------------


async def spent(
    *,
    allowances: tuple[tuple[int, float], ...] = ((2, 30.0),),
    now: float = 9.0,
    start: float = 0.0,
) -> object:
    budget = recloser.Budget(*allowances)
    clock = HandClock(monotonic=start)
    for _ in range(2):
        await budget.spend(clock, {})
    return budget.wait(now)


BUDGET: Table = {
    **probes("Budget", spent, {"allowances": ((1000, 60.0), (2, 20.0))}),
    **probes("Budget.wait", spent, {"now": 12.0}),
    ("Budget.spend", "clock"): Probe(spent, {}, {"start": 5.0}),
    **shown("Budget", path="engine/test_budget.py::"
            "test_the_dials_of_other_budgets_of_the_file_count",
            store="engine/test_budget.py::test_a_store_of_ones_own_takes_the_place_of_the_file"),
    **shown("Budget.spend", fields="engine/test_budget.py::"
            "test_a_file_that_cannot_be_written_is_told_of_and_memory_counts_on"),
}  # fmt: skip

# -- leases -----------------------------------------------------------------------------------

_LEASE = "engine/fleet/test_lease.py::"
_MEMORY = "engine/fleet/test_memory.py::test_it_keeps_to_the_contract"
_REDIS = "engine/fleet/test_redis_store.py::test_it_keeps_to_the_contract"
_STORE = {
    "acquire": ("key", "owner", "ttl", "floor"),
    "renew": ("key", "owner", "token", "ttl"),
    "release": ("key", "owner"),
    "watch": ("key", "callback"),
    "beat": ("group", "member", "ttl"),
    "leave": ("group", "member"),
    "credential": ("name",),
    "begin_refresh": ("name", "owner", "ttl"),
    "end_refresh": ("name", "owner", "sealed", "ttl"),
}
_SHARED = "engine/fleet/test_shared_provider.py::"
_WORKERS = "engine/fleet/test_workers.py::test_shares_follow_who_joins_leaves_and_dies"
LEASES: Table = {
    **shown("Lease", store=_LEASE + "test_one_is_open_and_the_others_rest",
            key=_LEASE + "test_other_keys_are_other_connections",
            ttl="engine/fleet/test_core.py::test_a_lease_counts_from_before_the_request",
            margin="engine/fleet/test_core.py::test_a_lease_counts_from_before_the_request"),
    **shown("Lease.attach", engine=_LEASE + "test_a_lease_belongs_to_one_engine"),
    **shown("Lease.changed",
            change=_LEASE + "test_who_leaves_for_good_lets_the_next_one_in_at_once"),
    **{key: row for method, names in _STORE.items()
       for key, row in shown(f"MemoryStore.{method}", **dict.fromkeys(names, _MEMORY)).items()},
    **{key: row for method, names in _STORE.items()
       for key, row in shown(f"RedisStore.{method}", **dict.fromkeys(names, _REDIS)).items()},
    **shown("SharedProvider", store=_SHARED + "test_one_asks_for_all_and_once_for_the_successor",
            provider=_SHARED + "test_one_asks_for_all_and_once_for_the_successor",
            refresh=_SHARED + "test_one_asks_for_all_and_once_for_the_successor",
            name=_SHARED + "test_what_leaves_the_process_is_sealed",
            secret=_SHARED + "test_what_leaves_the_process_is_sealed",
            within=_SHARED + "test_who_fails_or_dies_lets_the_next_one_ask"),
    **shown("Workers", store=_WORKERS, name=_WORKERS, ttl=_WORKERS,
            group="engine/fleet/test_workers.py::test_what_cannot_be_a_worker_is_refused"),
    **shown("Workers.has", key=_WORKERS),
    **shown("Workers.shares", keys=_WORKERS),
    **shown("rendezvous", key="engine/fleet/test_rendezvous.py::"
            "test_an_assignment_is_what_each_finds_by_itself",
            members="engine/fleet/test_rendezvous.py::"
            "test_an_assignment_is_what_each_finds_by_itself"),
    **shown("RedisStore.budget", name="engine/fleet/test_redis_budget.py::"
            "test_dials_of_all_owners_count"),
    **shown("RedisStore",
            server="engine/fleet/test_redis_store.py::test_a_client_of_your_own_stays_yours",
            prefix="engine/fleet/test_redis_store.py::test_a_client_of_your_own_stays_yours",
            replicas="engine/fleet/test_redis_store.py::"
            "test_a_grant_counts_when_the_replicas_have_it"),
}  # fmt: skip

_ADMISSION = "engine/admission/test_admission.py::"
_DRAINED = _ADMISSION + "test_a_drain_tells_how_many_are_left"
ADMISSION: Table = {
    **shown("Admission",
            capacity="engine/admission/test_turns.py::"
            "test_no_more_than_the_capacity_is_ever_admitted",
            longest="engine/admission/test_turns.py::"
            "test_a_turn_far_away_is_drawn_from_the_upper_half_of_the_longest",
            window=_ADMISSION + "test_who_comes_during_a_drain_is_told_a_moment_of_the_window",
            roll=_ADMISSION + "test_who_comes_during_a_drain_is_told_a_moment_of_the_window",
            clock="engine/admission/test_aiohttp_admission.py::"
            "test_who_comes_too_many_is_told_a_turn"),
    **shown("Admission.enter", connection=_DRAINED, close=_DRAINED),
    **shown("Admission.leave", connection="engine/admission/test_aiohttp_admission.py::"
            "test_who_comes_too_many_is_told_a_turn"),
    **shown("Admission.drain", within=_DRAINED,
            over=_ADMISSION + "test_close_frames_are_sent_over_a_time"),
    **shown("aiohttp_admission",
            app="engine/admission/test_aiohttp_admission.py::test_a_shutdown_drains",
            admission="engine/admission/test_aiohttp_admission.py::test_a_shutdown_drains"),
    **shown("asgi_admission",
            app="engine/admission/test_asgi_admission.py::test_behind_a_real_server",
            admission="engine/admission/test_asgi_admission.py::test_behind_a_real_server"),
}  # fmt: skip

TABLE: Table = ADMISSION | BUDGET | CREDENTIALS | LEASES | SERVICES | JOURNAL
