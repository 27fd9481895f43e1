"""What a service says of its session: to resume it or to begin anew, and how to be pinged."""

from typing import Any

import pytest

import recloser
from recloser import Close, Heartbeat, NotOpen, Opening, RecloserError, Retry, Session, State
from recloser.testing import Plan
from recloser.transport import Wire
from tests.engine.rig import CUT, DOWN, UP, Answering, ended, engine, opened, virtual

RESUME, NEW = Session.RESUME, Session.NEW


@pytest.mark.spec("B22.2")
@pytest.mark.parametrize(
    ("plans", "answers", "seen"),
    [
        ([UP, UP], [RESUME], [None, RESUME]),
        ([UP, UP], [NEW], [None, NEW]),
        ([UP, UP], [None], [None, None]),
        ([UP, DOWN, DOWN, UP], [RESUME, None, None], [None, RESUME]),
        ([UP, DOWN, UP], [RESUME, NEW], [None, NEW]),
        ([UP, UP, UP], [RESUME, None], [None, RESUME, None]),
    ],
    ids=["resume", "new", "not said", "kept over dials", "the latest word", "one end"],
)
@virtual
async def test_on_open_knows_what_the_policy_said(
    plans: list[Plan], answers: list[Session | None], seen: list[Session | None]
) -> None:
    found: list[Session | None] = []
    policy = Answering(*[Retry(1.0, session=each) for each in answers])
    ws, transport = engine(*plans, policy=policy, on_open=lambda it: found.append(it.session))
    ws.connect()
    for number in range(len(seen)):
        if number:
            transport.wires[-1].end(CUT)
        await ws.wait_for(State.OPEN)
    assert found == seen
    await ws.close()


@pytest.mark.spec("B22.2")
@virtual
async def test_an_end_of_our_own_says_nothing_of_a_session() -> None:
    found: list[Session | None] = []
    ws, wire, _ = await opened(
        UP, UP, UP,
        policy=Answering(Retry(1.0, session=RESUME)),
        on_open=lambda it: found.append(it.session),
    )  # fmt: skip
    wire.end(CUT)
    await ws.wait_for(State.OPEN)
    await ws.close()
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert found == [None, RESUME, None]
    await ws.close()


@pytest.mark.spec("B22.1")
@virtual
async def test_the_decision_in_a_change_says_it() -> None:
    changes: list[recloser.StateChange] = []
    ws, wire, _ = await opened(
        UP,
        UP,
        policy=recloser.policies.for_service("discord-gateway"),
        observers=[changes.append],
    )
    wire.end(Close.frame(4009, "Session timed out"))
    decision = changes[-1].decision
    assert isinstance(decision, Retry)
    assert decision.session is Session.NEW
    await ws.close()


@pytest.mark.spec("F12.1", "F12.2")
@pytest.mark.parametrize("where", ["on_open", "open"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (41.25, Heartbeat(41.25, 41.25)),
        (Heartbeat(10.0, 5.0, "beat"), Heartbeat(10.0, 5.0, "beat")),
        (None, None),
    ],
)
@virtual
async def test_the_server_dictates_the_heartbeat(
    monkeypatch: pytest.MonkeyPatch, given: Any, expected: Heartbeat | None, where: str
) -> None:
    found: list[tuple[Wire, Heartbeat | None]] = []

    def keep(wire: Wire, heartbeat: Heartbeat | None) -> None:
        found.append((wire, heartbeat))

    monkeypatch.setattr(Wire, "set_heartbeat", keep)

    def greet(opening: Opening) -> None:
        opening.set_heartbeat(given)

    ws, wire, _ = await opened(UP, on_open=greet if where == "on_open" else None)
    if where == "open":
        ws.set_heartbeat(given)
    assert found == [(wire, expected)]
    await ws.close()


@pytest.mark.spec("F12.2")
@virtual
async def test_what_cannot_be_is_refused() -> None:
    ws, _ = engine(UP)
    assert isinstance(await ended(made(ws, 5.0)), NotOpen)
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert isinstance(await ended(made(ws, 0)), ValueError)
    assert isinstance(await ended(made(ws, "5")), TypeError)
    error = await ended(made(ws, 5.0))
    assert isinstance(error, RecloserError)
    assert "ScriptedWire sends no pings" in str(error)
    assert ws.state is State.OPEN
    await ws.close()


async def made(ws: recloser.ReconnectingWebSocket, heartbeat: Any) -> None:
    ws.set_heartbeat(heartbeat)


def test_a_session_is_one_of_two_words() -> None:
    with pytest.raises(TypeError, match="session must be"):
        Retry(1.0, session="resume")  # type: ignore[arg-type] # the point of the test
