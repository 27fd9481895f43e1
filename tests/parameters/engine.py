"""The parameters of an engine: `connect`, the client, `Opening`, scopes and the settled view."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from structlog.testing import capture_logs

import recloser
from recloser import Close, Hold, MessageRecord, Opening, Retry, State, Stop, Timeouts
from recloser.client import ReconnectingWebSocket
from recloser.driver.scope import Scope
from recloser.driver.watchdog import Watchdog
from recloser.fsm import Cause, Unsent
from recloser.testing import HandClock, Plan, ScriptedTransport
from tests.engine.rig import (
    CUT,
    DEAF,
    DOWN,
    HANGS,
    KICKED,
    UP,
    Answering,
    engine,
    opened,
    pass_time,
    turns,
)
from tests.parameters.lives import life, loses, opens, tries
from tests.parameters.rows import Fresh, Probe, Table, kept, made_by, probes, shown

DICTATED = "engine/driver/test_session.py::test_the_server_dictates_the_heartbeat"
SAID = Plan(messages=("one", "two", "three"))
LATER = Plan(messages=("four",))


async def greets(opening: Opening) -> None:
    await opening.send("hello")


def raises(change: object) -> None:
    raise LookupError("seen")


async def hears_late(ws: ReconnectingWebSocket, transport: ScriptedTransport) -> list[object]:
    """Nobody consumes before the second connection is open."""
    await opens(ws, transport)
    transport.wires[-1].end(CUT)
    await ws.wait_for(State.OPEN)
    return [await ws.receive(), ws.statistics().undelivered]


async def fills_up(ws: ReconnectingWebSocket, transport: ScriptedTransport) -> object:
    """The peer says more than is read ahead; the first message is what the consumer gets."""
    await opens(ws, transport)
    return await ws.receive(), ws.statistics().undelivered


async def sends_while_lost(ws: ReconnectingWebSocket, transport: ScriptedTransport) -> object:
    await opens(ws, transport)
    transport.wires[-1].end(CUT)
    await turns()
    try:
        delivery = await ws.send("kept")
    except recloser.NotOpen:
        return "refused"
    await ws.wait_for(State.OPEN)
    await turns()
    return delivery


CONNECT: Table = {
    **probes("connect", life(), {
        "url": "ws://feed.example/other",
        "headers": {"X-A": "b"},
        "subprotocols": ("chat",),
        "credentials": "token",
        "on_open": greets,
        "observers": (raises,),
        "fields": {"mark": 7},
        "clock": Fresh(lambda: HandClock(monotonic=500.0)),
        "transport": Fresh(lambda: ScriptedTransport([DEAF])),
    }),
    **probes("connect", life(tries, *[DOWN] * 9), {
        "budget": Fresh(lambda: recloser.Budget((2, 30.0))),
    }),
    **probes("connect", life(loses, UP, UP), {"policy": Answering(Retry(9.0))}),
    **probes("connect", life(tries, UP, UP), {"stale_after": 9.0, "max_age": 9.0}),
    **probes("connect", life(tries, UP, Plan(takes=3.0), UP), {"gapless": True}, max_age=9.0),
    **probes("connect", life(tries, HANGS, HANGS), {"timeouts": Timeouts(connect=7.0)}),
    **probes("connect", life(sends_while_lost, UP, UP), {"outbox": recloser.Outbox()}),
    **probes("connect", life(hears_late, SAID, LATER), {"unread": "discard"}, policy=Answering()),
    **probes(
        "connect",
        life(fills_up, Plan(messages=("x" * 900, "y" * 900, "z" * 900))),
        {"receive_buffer": 1200},
        when_full="drop-oldest",
    ),
    **probes(
        "connect",
        life(fills_up, Plan(messages=("x" * 900, "y" * 900, "z" * 900))),
        {"when_full": "drop-oldest"},
        receive_buffer=1200,
    ),
    **probes("connect", life(tries, *[DOWN] * 9), {"seed": 2}, seed=1, policy=None),
    **shown(
        "connect",
        governor="engine/governor/test_governor.py::"
        "test_dials_begin_at_the_rate_and_the_wait_is_told",
        lease="engine/fleet/test_lease.py::test_one_is_open_and_the_others_rest",
        session="transport/test_lent_sessions.py::test_a_parameter_is_used_or_refused",
        ssl="transport/test_proxy.py::test_every_dial_goes_through_the_proxy_with_the_same_tls",
        proxy="parameters/test_aiohttp_options.py::test_a_proxy_is_asked",
        heartbeat="parameters/test_aiohttp_options.py::test_a_heartbeat_pings",
        compression="parameters/test_aiohttp_options.py::test_compression_is_offered",
        max_message_size="parameters/test_aiohttp_options.py::test_a_limit_of_size_refuses",
        follow_redirects="transport/test_exact_url.py::"
        "test_a_redirect_is_followed_to_its_location_as_given",
    ),
}  # fmt: skip


GOVERNOR: Table = {
    **shown(
        "Governor",
        rate="engine/governor/test_governor.py::test_dials_begin_at_the_rate_and_the_wait_is_told",
        at_once="engine/governor/test_governor.py::"
        "test_the_deadline_of_a_dial_begins_with_its_permit",
        by="engine/governor/test_governor.py::test_what_counts_as_one_host",
        store="engine/governor/test_sharing.py::"
        "test_the_rate_holds_for_all_processes_together",
        ramp="engine/governor/test_host.py::test_a_ramp_is_the_growth_of_a_second",
    ),
    **shown("Governor.key", address="engine/governor/test_governor.py::"
            "test_what_counts_as_one_host"),
    **shown("Governor.route", route="engine/governor/test_governor.py::"
            "test_who_trusts_otherwise_is_told_nothing"),
}  # fmt: skip


async def with_timeouts(**seconds: float) -> Any:
    """A dial that hangs, a connection of three seconds that is lost, a peer that is deaf."""
    return await life(loses, HANGS, UP, DEAF)(timeouts=Timeouts(**seconds))


TIMEOUTS: Table = probes("Timeouts", with_timeouts, {"connect": 7.0, "close": 2.0, "stable": 2.0})


# -- requests of the application -------------------------------------------------------------


def leaving(name: str) -> Callable[..., Any]:
    async def observe(**arguments: Any) -> object:
        ws, wire, transport = await opened(UP, UP)
        outcome = getattr(ws, name)(**arguments)
        if asyncio.iscoroutine(outcome):
            await outcome
        await pass_time(2)
        await ws.close()
        return wire.closed_with, len(transport.requests)

    return observe


async def rests(seconds: float = 5.0, **arguments: Any) -> object:
    ws, wire, _ = await opened(UP, UP)
    awaitable = pass_time(seconds)
    await ws.suspend_until(awaitable, **arguments)
    found = ws.state, asyncio.get_running_loop().time(), wire.closed_with
    await ws.close()
    return found


async def failing(**arguments: Any) -> object:
    policy = Answering()
    ws, wire, _ = await opened(UP, policy=policy)
    ws.fail(**arguments)
    await pass_time(1)
    closes = [(each.advice, each.retry_after, each.spread) for each, _ in policy.asked]
    await ws.close()
    return closes, wire.closed_with


async def advised(**arguments: Any) -> object:
    policy = Answering()
    ws, wire, _ = await opened(UP, policy=policy)
    ws.advise(**{"advice": "stop", **arguments})
    wire.end(KICKED)
    close = policy.asked[-1][0]
    await ws.close()
    return close.advice, close.retry_after, close.spread


async def subscribed(
    *, callback: Callable[[list[object]], Any] = lambda told: told.append
) -> object:
    told: list[object] = []
    ws, _ = engine(UP)
    ws.subscribe(callback(told))
    ws.connect()
    await ws.wait_for(State.OPEN)
    await ws.close()
    return len(told)


async def waited(state: State) -> object:
    ws, _ = engine(Plan(takes=3.0))
    ws.connect()
    await ws.wait_for(state)
    now = asyncio.get_running_loop().time()
    await ws.close()
    return now


async def sent(*, outbox: bool = True, ended: float | None = None, **arguments: Any) -> object:
    """What the peers read of a message that waits for the second connection."""
    box = recloser.Outbox(acknowledgements=recloser.Acknowledgements(numbered=False))
    ws, wire, transport = await opened(
        UP, HANGS, UP, outbox=box if outbox else None, policy=Answering(Retry(5.0))
    )
    wire.end(CUT)
    await pass_time(10)
    await ws.send("before", key="a")
    await ws.send(**{"message": "x", **arguments})
    await pass_time(60)
    found = [each.sent for each in transport.wires], len(ws.outbox), ws.outbox.ack("one")
    await ws.close()
    return found


async def sent_json(**arguments: Any) -> object:
    ws, wire, _ = await opened(
        UP, outbox=recloser.Outbox(acknowledgements=recloser.Acknowledgements())
    )
    await ws.send_json(**{"value": {"a": 1}, **arguments.pop("options", {}), **arguments})
    await turns()
    found = wire.sent, [each.id for each in ws.outbox.peek()]
    await ws.close()
    return found


async def settles(after: float = 2.0) -> object:
    ws, wire, _ = await opened(UP, HANGS, policy=Answering(Retry(9.0)))
    view = ws.settled(after=after)
    wire.end(CUT)
    await pass_time(5)
    status = view.status
    await ws.close()
    return status


async def settled_told(*, callback: Callable[[list[object]], Any]) -> object:
    ws, _, _ = await opened(UP)
    told: list[object] = []
    ws.settled(after=0).subscribe(callback(told))
    await ws.close()
    return told


def appends(told: list[object]) -> Callable[[object], object]:
    return told.append


def ignores(told: list[object]) -> Callable[[object], object]:
    return lambda status: None


LEFT = {"code": 4001, "reason": "bye"}
CLIENT: Table = {
    **probes("ReconnectingWebSocket.close", leaving("close"), LEFT),
    **probes("ReconnectingWebSocket.suspend", leaving("suspend"), LEFT),
    **probes("ReconnectingWebSocket.reconnect", leaving("reconnect"), {
        **LEFT, "generation": 7,
    }),
    **probes("ReconnectingWebSocket.move", leaving("move"), LEFT),
    **kept(recloser.MoveFailed, "close"),
    **probes("ReconnectingWebSocket.fail", failing, {
        **LEFT, "advice": "hold", "retry_after": 3.0, "spread": 4.0, "generation": 7,
    }),
    **probes("ReconnectingWebSocket.suspend_until", rests, LEFT),
    ("ReconnectingWebSocket.suspend_until", "awaitable"): Probe(rests, {}, {"seconds": 9.0}),
    **probes("ReconnectingWebSocket.advise", advised, {
        "advice": "hold", "retry_after": 3.0, "spread": 4.0, "generation": 7,
    }),
    **probes("ReconnectingWebSocket.subscribe", subscribed, {"callback": ignores}),
    **probes("ReconnectingWebSocket.wait_for", waited, {"state": State.CONNECTING},
             state=State.OPEN),
    **probes("ReconnectingWebSocket.send", sent, {
        "message": "y",
        "ttl": 5.0,
        "key": "a",
        "id": "one",
        "this_generation": True,
    }),
    **probes("ReconnectingWebSocket.send_json", sent_json, {
        "value": [1],
        "dumps": lambda value: json.dumps(value, indent=1),
        "options": {"id": "one"},
    }),
    **probes("ReconnectingWebSocket.settled", settles, {"after": 30.0}),
    **made_by("ReconnectingWebSocket.settled", "Settled", "driver", "after"),
    **made_by("ReconnectingWebSocket.settled", "Settled.update", "change"),
    **probes("Settled.subscribe", settled_told, {"callback": ignores}, callback=appends),
    **made_by("connect", "ReconnectingWebSocket", "driver"),
}  # fmt: skip


# -- on_open, and the scope of a generation --------------------------------------------------


def opening(act: Callable[..., Any]) -> Callable[..., Any]:
    """An observer: `act(opening, **arguments)` is what `on_open` does."""

    async def observe(**arguments: Any) -> Any:
        async def hook(opening: Opening) -> None:
            outcome = act(opening, **arguments)
            if asyncio.iscoroutine(outcome):
                await outcome

        async def hears(ws: ReconnectingWebSocket, transport: ScriptedTransport) -> object:
            ws.connect()
            await ws.wait_for(State.OPEN)
            return await ws.receive()

        return await life(hears, SAID)(on_open=hook)

    return observe


async def asking(
    *, answers: Callable[[str | bytes], object] = lambda said: said == "late", **given: Any
) -> object:
    """The peer says two things at once, and one after three seconds."""

    async def hook(opening: Opening) -> None:
        later = asyncio.get_running_loop().call_later(
            3, lambda: transport.wires[-1].deliver("late")
        )
        try:
            await opening.ask(**{"message": "a?", "answers": answers, **given})
        finally:
            later.cancel()

    transport = ScriptedTransport([SAID])
    found = await life(tries)(on_open=hook, policy=Answering(Stop()), transport=transport)
    return found, [wire.sent for wire in transport.wires]


async def advising(**given: Any) -> object:
    policy = Answering(Stop())

    async def hook(opening: Opening) -> None:
        opening.advise(**given)
        raise OSError("in vain")

    await life(tries)(on_open=hook, policy=policy)
    return [(each.advice, each.retry_after, each.spread) for each, _ in policy.asked]


def refuses(code: int = 4000, reason: str = "") -> None:
    raise recloser.OpeningFailed(code, reason)


async def opening_failed(**arguments: Any) -> object:
    async def hook(opening: Opening) -> None:
        refuses(**arguments)

    return await life(tries)(on_open=hook, policy=Answering(Stop()))


async def scoped(
    function: Callable[[list[object]], Any] = appends, args: tuple[object, ...] = ("end",)
) -> object:
    told: list[object] = []
    ws, _, _ = await opened(UP)
    ws.scope.callback(function(told), *args)
    await ws.close()
    return told


async def tasked(*, seconds: float = 5.0, name: str | None = None) -> object:
    ws, _, _ = await opened(UP)
    task = ws.scope.create_task(pass_time(seconds), name=name)
    await pass_time(7)
    found = task.done(), name is not None and task.get_name()
    await ws.close()
    return found


def unwatched(after: float, name: str) -> Watchdog:
    raise AssertionError(f"nobody asked to watch {name}")


async def watched(*, after: float, name: str = "") -> object:
    ws, _, _ = await opened(UP, HANGS)
    ws.scope.watchdog(after, name)
    await pass_time(7)
    found = ws.state, asyncio.get_running_loop().time()
    await pass_time(7)
    error = None if ws.last_close is None else repr(ws.last_close.error)
    await ws.close()
    return found, error


async def detached(*, detach: bool = False) -> object:
    scope = Scope({}, unwatched)
    task = scope.create_task(pass_time(1))
    scope.detach(task if detach else None)
    scope.end()
    await asyncio.wait((task,))
    return task.cancelled()


async def scope_fields(fields: dict[str, object]) -> object:
    with capture_logs() as logs:
        scope = Scope(fields, unwatched)
        scope.callback(raises, None)
        scope.end()
    return [each.get("mark") for each in logs]


OPENING: Table = {
    **made_by("connect", "Opening", "generation", "wire", "credential", "advise"),
    **probes(
        "Opening.ask",
        asking,
        {
            "message": "b?",
            "answers": lambda said: said == "two",
            "within": 1.0,
        },
    ),
    **probes(
        "Opening.advise",
        advising,
        {
            "advice": "hold",
            "retry_after": 3.0,
            "spread": 4.0,
        },
        advice="stop",
    ),
    **probes("Opening.send", opening(Opening.send), {"message": "y"}, message="x"),
    **probes("Opening.send_json", opening(Opening.send_json), {"value": [2]}, value=[1]),
    **probes("Opening.pass_on", opening(Opening.pass_on), {"message": "y"}, message="x"),
    **probes("OpeningFailed", opening_failed, {"code": 4123, "reason": "no"}),
    **shown(
        "Opening.receive_json",
        loads="engine/driver/test_message_records.py::test_json_is_read_as_it_is_told",
    ),
    **shown(
        "ReconnectingWebSocket.receive_json",
        loads="engine/driver/test_message_records.py::test_json_is_read_as_it_is_told",
    ),
    **made_by("connect", "Opening", "session"),
    **shown("Opening.set_heartbeat", heartbeat=DICTATED),
    **shown("ReconnectingWebSocket.set_heartbeat", heartbeat=DICTATED),
    **kept(MessageRecord),
    **made_by("connect", "Scope", "watch"),
    **made_by("Scope.watchdog", "Watchdog", "after", "clock", "excused", "bite"),
    **made_by("connect", "Watchdog.hear", "message"),
    **probes("Scope.watchdog", watched, {"after": 9.0, "name": "prices"}, after=5.0),
    **probes("Scope", scope_fields, {"fields": {"mark": 3}}, fields={}),
    **probes("Scope.callback", scoped, {"function": ignores, "args": ("other",)}),
    **probes("Scope.create_task", tasked, {"name": "poller"}),
    ("Scope.create_task", "coro"): Probe(tasked, {}, {"seconds": 9.0}),
    ("Scope.detach", "task"): Probe(detached, {}, {"detach": True}),
}

# -- decisions and records -------------------------------------------------------------------


def record(make: Callable[..., Close]) -> Callable[..., Any]:
    """An observer: every field of the record that is made so."""

    def observe(**facts: Any) -> object:
        close = make(**facts)
        return [getattr(close, name) for name in Close.__dataclass_fields__]

    return observe


BROKEN = OSError("broken")
ANSWER = {
    "status": 503,
    "headers": {"a": "b"},
    "body": "full",
    "retry_after": 3.0,
    "error": BROKEN,
}
DECISIONS: Table = {
    **probes("Close.frame", record(Close.frame), {
        "code": 1012, "reason": "restart", "sent_code": 1000, "spread": 9.0,
    }, code=1000),
    **probes("Close.refused", record(Close.refused), ANSWER, status=404),
    **probes("Close.refused_by_proxy", record(Close.refused_by_proxy), ANSWER, status=404),
    **probes("Close.cut", record(Close.cut), {
        "cause": Cause.RESET, "sent_code": 1000, "spread": 9.0, "error": BROKEN,
    }),
    **probes("Close.declared", record(Close.declared), {"sent_code": 1011, "unsent": 3}),
    **probes("Close.by_engine", record(Close.by_engine), {
        "cause": Cause.HOOK, "code": 1015, "sent_code": 1011, "unsent": 3, "error": BROKEN,
    }, cause=Cause.DEAF),
    **kept(recloser.ConnectionClosed),
    **kept(recloser.IllegalTrigger),
    **kept(recloser.NotOpen),
    **kept(recloser.PolicyError),
    **kept(recloser.StateChange),
    **kept(Close),
    **kept(recloser.Context),
    **kept(recloser.fsm.Ignored),
    **kept(recloser.fsm.Row),
}  # fmt: skip


async def decided(make: Callable[..., Any], **arguments: Any) -> Any:
    """What follows an end that is decided so; a message waits meanwhile."""
    asked: list[str] = []

    async def provider() -> str:
        asked.append("asked")
        return "token"

    refreshed: list[str] = []

    async def refresh() -> str:
        refreshed.append("asked")
        return "other"

    async def play(ws: ReconnectingWebSocket, transport: ScriptedTransport) -> object:
        await opens(ws, transport)
        await ws.send("left")
        transport.wires[-1].stall()
        waiting = asyncio.ensure_future(ws.send("waits"))
        await turns()
        transport.wires[-1].end(CUT)
        await pass_time(10)
        held = len(ws.outbox)
        await ws.close()
        await waiting
        return held, refreshed

    credentials = recloser.Credentials(provider, refresh=refresh)
    policy = Answering(make(**arguments))
    return await life(play, UP, HANGS)(
        policy=policy, outbox=recloser.Outbox(), credentials=credentials
    )


def deciding(make: Callable[..., Any]) -> Callable[..., Any]:
    async def observe(**arguments: Any) -> Any:
        return await decided(make, **arguments)

    return observe


DROP = {"rule": "mine", "unsent": Unsent.DROP}
DECISIONS |= {
    **probes("Retry", deciding(Retry), {"delay": 8.0, "refresh": True, **DROP}, delay=3.0),
    **shown(
        "Retry", session="engine/driver/test_session.py::test_on_open_knows_what_the_policy_said"
    ),
    **probes("Hold", deciding(Hold), DROP),
    **probes("Stop", deciding(Stop), DROP),
}
TABLE: Table = CONNECT | GOVERNOR | TIMEOUTS | CLIENT | OPENING | DECISIONS
