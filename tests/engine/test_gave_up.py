"""Whether an engine gave up is one fact: record, settled view, log, journal and iteration agree."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from recloser import Hold, PolicyError, Retry, State, StateChange, Stop, log
from recloser.clock import RUNNING
from recloser.fsm.errors import ConnectionClosed
from recloser.fsm.record import Close
from recloser.fsm.states import Trigger
from recloser.journal.lines import JournalEntry
from recloser.journal.totals import Totals
from recloser.settled import Status, status_after
from tests.engine.rig import DOWN, KICKED, UP, Answering, ended, engine, opened, turns, virtual


def counted(change: StateChange) -> int:
    """How often a journal of this one change says that an engine gave up."""
    totals = Totals()
    totals.add(JournalEntry(time=0.0, engine="", change=change, fields={}))
    return totals.gave_up


def agree(change: StateChange) -> None:
    with capture_logs() as logs:
        log.state_change(change, RUNNING, {})
    assert (logs[0]["log_level"] == "error") is change.gave_up
    assert counted(change) == int(change.gave_up)
    assert (status_after(change) is Status.GAVE_UP) is change.gave_up


@pytest.mark.spec("I4.2")
@pytest.mark.parametrize("trigger", Trigger)
@pytest.mark.parametrize("current", State)
@pytest.mark.parametrize("intentional", [None, False, True])
@pytest.mark.parametrize("failed", [False, True])
def test_all_read_every_change_alike(
    trigger: Trigger, current: State, intentional: bool | None, failed: bool
) -> None:
    agree(
        StateChange(
            previous=State.OPEN if current is not State.OPEN else State.CONNECTING,
            current=current,
            trigger=trigger,
            at=0.0,
            generation=1,
            attempt=0,
            close=None if intentional is None else close(intentional=intentional),
            error=ValueError() if failed and current is State.CLOSED else None,
        )
    )


def close(*, intentional: bool) -> Close:
    return Close(
        code=KICKED.code, origin=KICKED.origin, cause=KICKED.cause, intentional=intentional
    )


@pytest.mark.spec("I4.2", "B5")
@virtual
async def test_a_policy_that_answers_retry_to_an_own_close_has_failed_for_all() -> None:
    seen: list[StateChange] = []
    ws, _, _ = await opened(policy=Answering(Retry(1.0), always=True), observers=[seen.append])
    settled = ws.settled()
    with capture_logs() as logs:
        await ws.close()
    [last] = [change for change in seen if change.current is State.CLOSED]
    assert last.gave_up
    assert isinstance(last.error, PolicyError)
    assert settled.status is Status.GAVE_UP
    assert counted(last) == 1
    assert logs[-1]["log_level"] == "error"
    assert isinstance(await ended(anext(ws)), PolicyError)


@pytest.mark.spec("I4.2", "B4")
@pytest.mark.parametrize("answer", [Stop(), Hold(), Retry(1.0), KeyError(), None])
@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("plan", [UP, DOWN])
@virtual
async def test_engine_and_record_agree_on_every_way_to_closed(
    plan: Any, answer: Any, always: bool
) -> None:
    seen: list[StateChange] = []
    policy = Answering(answer, always=always)
    ws, transport = engine(plan, UP, policy=policy, observers=[seen.append])
    settled = ws.settled()
    with capture_logs() as logs:
        ws.connect()
        await turns()
        if plan is UP:
            transport.wires[-1].end(KICKED)
        await turns()
        await ws.close()
    last = seen[-1]
    assert last.current is State.CLOSED
    assert (settled.status is Status.GAVE_UP) is last.gave_up
    assert counted(last) == int(last.gave_up)
    assert (logs[-1]["log_level"] == "error") is last.gave_up
    error = await ended(anext(ws))
    assert isinstance(error, StopAsyncIteration) is last.deliberate
    assert isinstance(error, ConnectionClosed | PolicyError) is last.gave_up
