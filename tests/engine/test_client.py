"""Every public call in every state: where it leads, and what it answers."""

import asyncio
from collections.abc import Callable

import pytest

from recloser import ConnectionClosed, Delivery, NotOpen, State
from recloser.client import ReconnectingWebSocket
from recloser.driver.scope import Scope
from recloser.driver.statistics import Statistics
from tests.engine.rig import STATES, Rig, ended, now, pass_time, turns, virtual

C, G, O, X, B, P = (  # noqa: E741 - the columns of the table below
    State.CLOSED,
    State.CONNECTING,
    State.OPEN,
    State.CLOSING,
    State.BACKOFF,
    State.PASSIVE,
)
UP = [G, O]

# What each plain call leads to without time passing, by the place it is made in.
# In `closing` the wishes are remembered; test_closing shows where they lead.
PATHS: dict[str, dict[str, list[State]]] = {
    "connect": {"fresh": UP, "closed": UP, "backoff": UP, "held": UP, "asked": UP},
    "reconnect": {"open": [X, G, O], "closing": UP, "backoff": UP, "held": UP, "asked": UP},
    "wake": {"backoff": [G], "held": [G]},
    "mark_healthy": {},
    "fail": {"open": [B]},
    "advise": {},
    "close": {
        "connecting": [X, C],
        "on_open": [X, C],
        "open": [X, C],
        "backoff": [C],
        "held": [C],
        "asked": [C],
    },
    "suspend": {"connecting": [X, P], "on_open": [X, P], "open": [X, P], "backoff": [P]},
}

PLAIN: dict[str, Callable[[ReconnectingWebSocket], object]] = {
    "connect": lambda ws: ws.connect(),
    "reconnect": lambda ws: ws.reconnect(4000, "again"),
    "wake": lambda ws: ws.wake(),
    "mark_healthy": lambda ws: ws.mark_healthy(),
    "fail": lambda ws: ws.fail("gone", code=4000, reason="x", retry_after=3),
    "advise": lambda ws: ws.advise("maintenance", retry_after=3, spread=1.5),
}


@pytest.mark.spec("A3.1", "A9", "A13", "C1", "C4")
@pytest.mark.parametrize("place", STATES)
@pytest.mark.parametrize("call", sorted(PLAIN))
@virtual
async def test_plain_calls(call: str, place: str) -> None:
    async with Rig(place) as rig:
        if call == "reconnect" and rig.expected is C:
            with pytest.raises(ConnectionClosed, match=r"connect\(\)"):
                PLAIN[call](rig.ws)
        else:
            assert PLAIN[call](rig.ws) is None
        if call == "reconnect":
            await pass_time(1.0)  # the gap between two dials
        await turns()
        assert rig.path == PATHS[call].get(place, [])
        assert rig.transport.dialling + len(rig.transport.live) <= 1


@pytest.mark.spec("A1", "A3.1", "A5.1", "H2")
@pytest.mark.parametrize("place", [place for place in STATES if place != "closing"])
@pytest.mark.parametrize("call", ["close", "suspend"])
@virtual
async def test_leaving(call: str, place: str) -> None:
    async with Rig(place) as rig:
        dials = len(rig.transport.requests)
        started = now()
        await (rig.ws.close(3001, "bye") if call == "close" else rig.ws.suspend(3001, "bye"))
        assert now() == started
        assert rig.path == PATHS[call].get(place, [])
        if place in ("open", "on_open"):
            assert rig.transport.wires[-1].closed_with == (3001, "bye")
        rig.ws.wake()
        await pass_time(10_000)
        assert len(rig.transport.requests) == dials


@pytest.mark.spec("A13")
@virtual
async def test_suspend_confirms_a_rest_that_a_policy_chose() -> None:
    async with Rig("held") as rig:
        await rig.ws.suspend()
        rig.ws.wake()
        await turns()
        assert rig.path == []


@pytest.mark.spec("G1.1", "G9.1", "G9.2", "G9.3", "H3.2")
@pytest.mark.parametrize("place", STATES)
@virtual
async def test_send(place: str) -> None:
    async with Rig(place) as rig:
        results = [
            await ended(rig.ws.send("text")),
            await ended(rig.ws.send(b"bytes")),
            await ended(rig.ws.send_json({"a": [1]})),
        ]
        sent = [message for wire in rig.transport.wires for message in wire.sent]
        if place == "open":
            assert results == [Delivery.SENT] * 3
            assert sent == ["text", b"bytes", '{"a": [1]}']
            return
        assert sent == []
        for error in results:
            if rig.expected is C:
                assert isinstance(error, ConnectionClosed)
            else:
                assert isinstance(error, NotOpen)
                assert error.state is rig.expected
                assert "wait_for" in str(error)
        assert rig.path == []


@pytest.mark.spec("H3.1", "H3.2", "H3.3", "A11.2")
@pytest.mark.parametrize("place", STATES)
@virtual
async def test_receive_waits_or_raises_and_a_close_settles_it(place: str) -> None:
    async with Rig(place) as rig:
        task = asyncio.ensure_future(ended(rig.ws.receive()))
        await pass_time(1)
        assert task.done() is (rig.expected is C)
        await rig.ws.close()
        error = await task
        assert isinstance(error, ConnectionClosed)
        assert (error.change is None) is (place == "fresh")
        assert error.change is None or error.change.current is C
        assert not rig.changes or error.change is rig.changes[-1]


@pytest.mark.spec("H3.2")
@pytest.mark.parametrize("place", STATES)
@virtual
async def test_iteration_ends_quietly_after_close_alone(place: str) -> None:
    async with Rig(place) as rig:

        async def consume() -> list[str | bytes]:
            return [message async for message in rig.ws]

        task = asyncio.ensure_future(ended(consume()))
        await turns()
        await rig.ws.close()
        result = await task
        if place == "fresh":  # nothing was ever closed
            assert isinstance(result, ConnectionClosed)
        else:
            assert result == []


@pytest.mark.spec("A11.2")
@pytest.mark.parametrize("place", STATES)
@pytest.mark.parametrize("state", list(State))
@virtual
async def test_wait_for(state: State, place: str) -> None:
    async with Rig(place) as rig:
        task = asyncio.ensure_future(ended(rig.ws.wait_for(state)))
        await turns()
        at_once = state is rig.expected or rig.expected is C
        assert task.done() is at_once
        await rig.ws.close()
        outcome = await task
        passes = state in (rig.expected, C, *rig.path)
        assert isinstance(outcome, ConnectionClosed) is not passes
        assert (outcome is None) is passes


@pytest.mark.spec("I3.1")
@pytest.mark.parametrize("place", STATES)
@virtual
async def test_watching(place: str) -> None:
    async with Rig(place) as rig:
        seen: list[State] = []
        watch = rig.ws.changes()
        unsubscribe = rig.ws.subscribe(lambda change: seen.append(change.current))
        await rig.ws.close()
        assert seen == rig.path
        if rig.expected is not C:
            assert [change.current async for change in watch] == rig.path
        unsubscribe()
        unsubscribe()
        rig.ws.connect()
        await turns()
        assert len(seen) < len(rig.path)


@pytest.mark.parametrize("place", STATES)
@virtual
async def test_readings(place: str) -> None:
    async with Rig(place) as rig:
        ws = rig.ws
        assert ws.retry_in == (50.0 if place == "backoff" else None)
        assert ws.attempt == (1 if place in ("backoff", "held") else 0)
        assert ws.generation == (0 if place == "fresh" else 1)
        assert (ws.last_close is not None) is (place in ("closed", "backoff", "held", "asked"))
        assert ws.subprotocol is None
        assert isinstance(ws.statistics(), Statistics)
        assert ws.statistics().dials == ws.generation
        assert (
            repr(ws) == f"<ReconnectingWebSocket {rig.expected.value} generation {ws.generation}>"
        )
        if place == "open":
            assert isinstance(ws.scope, Scope)
        else:
            with pytest.raises(NotOpen):
                _ = ws.scope
        assert rig.path == []


@pytest.mark.parametrize("place", STATES)
@virtual
async def test_async_with_opens_from_everywhere_and_closes(place: str) -> None:
    rig = Rig(place)
    async with rig, rig.ws as ws:
        assert ws is rig.ws
        assert ws.state is O
        waited = {"closing": 0.5, "connecting": 70.0, "on_open": 70.0}
        assert now() == waited.get(place, 0.0)
    assert rig.ws.state is C
    assert rig.path[-2:] == [X, C]


@pytest.mark.parametrize("place", STATES)
@virtual
async def test_a_mark_of_health_forgets_failures_in_open_alone(place: str) -> None:
    async with Rig(place) as rig:
        before = rig.ws.attempt
        rig.ws.mark_healthy()
        assert rig.ws.attempt == before
        assert rig.path == []


@pytest.mark.spec("D1.2")
@virtual
async def test_a_mark_of_health_while_open() -> None:
    async with Rig("backoff") as rig:
        await rig.ws.wait_for(O)
        assert rig.ws.attempt == 1
        rig.ws.mark_healthy()
        assert rig.ws.attempt == 0
        rig.ws.mark_healthy()
        assert rig.path == [G, O]


@pytest.mark.spec("D4.7")
@pytest.mark.parametrize("place", ["backoff", "held"])
@virtual
async def test_a_wake_keeps_the_gap_and_the_count(place: str) -> None:
    async with Rig(place) as rig:
        rig.ws.wake()
        await pass_time(0.9)
        assert rig.path == [G]
        assert len(rig.transport.requests) == 1
        await pass_time(0.2)
        assert rig.path == [G, O]
        assert rig.ws.attempt == 1


@virtual
async def test_a_wake_probes_an_open_connection_alone() -> None:
    for place in STATES:
        async with Rig(place) as rig:
            rig.ws.wake()
            probes = sum(wire.probes for wire in rig.transport.wires)
            assert probes == (1 if place == "open" else 0)
