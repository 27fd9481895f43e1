"""Short lives of an engine in virtual time, and what can be seen of them."""

from collections.abc import Awaitable, Callable
from typing import Any

from structlog.testing import capture_logs

import recloser
from recloser import State, StateChange
from recloser.testing import Plan, ScriptedTransport
from tests.engine.rig import CUT, UP, URL, Answering, pass_time, turns

Play = Callable[[recloser.ReconnectingWebSocket, ScriptedTransport], Awaitable[object]]


def line(change: StateChange) -> tuple[object, ...]:
    """What is compared of one change."""
    close = change.close
    end = None if close is None else (close.code, close.cause.value, close.unsent)
    return (
        round(change.at, 6),
        change.current.value,
        change.attempt,
        change.rule,
        change.undelivered,
        end,
    )


async def opens(ws: recloser.ReconnectingWebSocket, transport: ScriptedTransport) -> None:
    """The first dial opens."""
    ws.connect()
    await ws.wait_for(State.OPEN)
    await turns()


async def tries(ws: recloser.ReconnectingWebSocket, transport: ScriptedTransport) -> None:
    """A minute of dials."""
    ws.connect()
    await pass_time(60)


async def loses(ws: recloser.ReconnectingWebSocket, transport: ScriptedTransport) -> None:
    """It is open for three seconds, and is lost."""
    await opens(ws, transport)
    await pass_time(3)
    transport.wires[-1].end(CUT)
    await pass_time(60)


def life(play: Play = opens, *plans: Plan) -> Callable[..., Awaitable[Any]]:
    """An observer: an engine with these options lives so, and is closed.

    It sees changes with their times, requests, what the peers read, and names of log lines.
    """

    async def observe(**options: Any) -> Any:
        transport = ScriptedTransport(plans or (UP,))
        options.setdefault("transport", transport)
        options.setdefault("policy", Answering())
        told: list[object] = []
        with capture_logs() as logs:
            ws = recloser.connect(options.pop("url", URL), **options)
            ws.subscribe(lambda change: told.append(line(change)))
            outcome = await play(ws, transport)
            await ws.close()
        requests = [
            (each.url, dict(each.headers), each.subprotocols) for each in transport.requests
        ]
        peers = [(wire.sent, wire.closed_with) for wire in transport.wires]
        return outcome, told, requests, peers, [(each["event"], each.get("mark")) for each in logs]

    return observe
