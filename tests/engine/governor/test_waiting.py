"""An engine that waits for its permit: it has no task, and all else is as while it dials."""

import asyncio
import gc
import weakref
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest

import recloser
from recloser import Governor, Retry, State, StateChange, Timeouts
from recloser.fsm import Cause, Close, Origin, Wish
from recloser.testing import Plan, ScriptedTransport, run
from tests.engine.rig import (
    CUT,
    HANGS,
    UP,
    URL,
    Answering,
    engine,
    now,
    opened,
    others,
    pass_time,
    turns,
    virtual,
)

SLOW = Plan(takes=9.0)
WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


async def busy(governor: Governor, *plans: Plan, **options: Any) -> recloser.ReconnectingWebSocket:
    """An engine that has the one permit, and dials for nine seconds."""
    ws, _ = engine(*(plans or (SLOW,)), governor=governor, **options)
    ws.connect()
    await turns()
    return ws


def nothing_is_left(governor: Governor) -> bool:
    """Whether the governor knows of no engine in this loop."""
    desk = governor.desk()
    return desk._core.hosts == 0 and not desk._core._homes and not desk._asking


@pytest.mark.spec("M1.8", "M1.3")
@virtual
async def test_who_waits_has_no_task_and_dials_in_its_turn() -> None:
    governor, order = Governor(at_once=1), []
    first = await busy(governor)
    [dial] = others()
    engines = [engine(SLOW, governor=governor)[0] for _ in range(3)]
    for number, ws in enumerate(engines):
        ws.subscribe(lambda change, number=number: order.append((number, change.current)))
        ws.connect()
        ws.connect()  # which changes nothing
    await turns()
    assert others() == {dial}
    assert [ws.state for ws in engines] == [State.CONNECTING] * 3
    for ws in engines:
        await ws.wait_for(State.OPEN)
    assert now() == pytest.approx(36.0)
    assert [number for number, current in order if current is State.OPEN] == [0, 1, 2]
    assert [ws.generation for ws in engines] == [1, 1, 1]
    for ws in (first, *engines):
        await ws.close()
    assert nothing_is_left(governor)


@pytest.mark.spec("M1.8", "M1.5", "A5.1")
@pytest.mark.parametrize("leave", ["close", "suspend"])
@virtual
async def test_who_leaves_is_told_so_and_asks_for_nothing_any_more(leave: str) -> None:
    governor, changes = Governor(at_once=1), list[StateChange]()
    first = await busy(governor)
    ws, transport = engine(UP, governor=governor, observers=[changes.append])
    ws.connect()
    await turns()
    await getattr(ws, leave)()
    assert len(governor.desk()._core._homes) == 1
    end = State.CLOSED if leave == "close" else State.PASSIVE
    assert [change.current for change in changes] == [State.CONNECTING, State.CLOSING, end]
    assert changes[-1].close == Close(
        code=1006,
        origin=Origin.APPLICATION,
        cause=Cause.CANCELLED,
        intentional=True,
        wish=Wish.CLOSE if leave == "close" else Wish.SUSPEND,
    )
    ws.connect()
    await ws.wait_for(State.OPEN)
    assert now() == pytest.approx(9.0)
    assert len(transport.requests) == 1
    await first.close()
    await ws.close()
    assert nothing_is_left(governor)


@pytest.mark.spec("M1.8", "M1.5")
@virtual
async def test_who_leaves_as_it_gets_its_permit_gives_it_to_the_next() -> None:
    """The permit is there, and the task that it begins has not run."""
    governor = Governor(at_once=1)
    first = await busy(governor, HANGS)
    second, transport = engine(UP, governor=governor)
    third, _ = engine(UP, governor=governor)
    second.connect()
    third.connect()
    await turns()
    first._driver.revoke(Close.by_engine(Cause.CONNECT_TIMEOUT), None)
    await second.close()
    await third.wait_for(State.OPEN)
    assert now() == 0.0
    assert transport.requests == []
    await first.close()
    await third.close()
    assert nothing_is_left(governor)


@pytest.mark.spec("M1.8", "M1.5")
@virtual
async def test_whose_dial_is_taken_from_it_asks_for_nothing_any_more() -> None:
    governor = Governor(at_once=1)
    second, _, transport = await opened(UP, governor=governor, policy=Answering(Retry(60.0)))
    await second.suspend()
    first = await busy(governor)
    third, _ = engine(UP, governor=governor)
    second.connect()
    third.connect()
    await turns()
    second._driver.revoke(Close.by_engine(Cause.CONNECT_TIMEOUT), None)
    assert second.state is State.BACKOFF
    await third.wait_for(State.OPEN)
    assert now() == pytest.approx(9.0)
    assert len(transport.requests) == 1
    for ws in (first, second, third):
        await ws.close()
    assert nothing_is_left(governor)


@pytest.mark.spec("M1.8", "M1.2")
@virtual
async def test_a_deadline_that_comes_with_the_permit_is_not_that_of_the_dial() -> None:
    """The dial has its task by then, and the task has not run."""
    governor = Governor(at_once=1)
    first = await busy(governor, HANGS, timeouts=Timeouts(connect=60.0))
    ws, _ = engine(UP, governor=governor, timeouts=Timeouts(connect=8.0))
    ws.connect()
    due = ws._driver.core.deadline
    assert due is not None
    await pass_time(7.0)
    first._driver.revoke(Close.by_engine(Cause.CONNECT_TIMEOUT), None)
    ws._driver._expired(due)
    assert ws.state is State.CONNECTING
    await ws.wait_for(State.OPEN)
    assert ws.attempt == 0
    assert now() == pytest.approx(7.0)
    await first.close()
    await ws.close()


@pytest.mark.spec("M1.8")
@virtual
async def test_the_context_of_a_dial_is_that_of_who_caused_it() -> None:
    """The permit comes out of the dial of another engine, which has a context of its own."""
    governor, seen = Governor(at_once=1), list[tuple[str, str]]()
    WHO.set("first")
    first = await busy(governor)
    ws, _ = engine(
        UP,
        governor=governor,
        on_open=lambda opening: seen.append(("hook", WHO.get())),
        observers=[lambda change: seen.append((change.current.value, WHO.get()))],
    )
    WHO.set("second")
    ws.connect()
    WHO.set("third")
    await ws.wait_for(State.OPEN)
    assert seen == [("connecting", "second"), ("hook", "second"), ("open", "second")]
    await first.close()
    await ws.close()


@pytest.mark.spec("M1.8", "M1.5", "J2.2")
@virtual
async def test_an_engine_that_is_forgotten_while_it_waits_leaves_its_place() -> None:
    governor = Governor(at_once=1)
    first = await busy(governor)
    ws, transport = engine(UP, governor=governor)
    ws.connect()
    third, _ = engine(UP, governor=governor)
    third.connect()
    await turns()
    driver = weakref.ref(ws._driver)
    forgotten = [ws]
    del ws
    with pytest.warns(ResourceWarning, match="never closed"):
        forgotten.clear()
    await turns()
    gc.collect()
    assert driver() is None
    await third.wait_for(State.OPEN)
    assert now() == pytest.approx(9.0)
    assert transport.requests == []
    await first.close()
    await third.close()
    assert nothing_is_left(governor)


@pytest.mark.spec("M1.8", "J2.2")
def test_a_loop_that_ends_meanwhile_has_nothing_to_cancel_and_the_next_one_is_free() -> None:
    governor = Governor(at_once=1)
    kept = []

    async def waiting() -> None:
        kept.append(await busy(governor))
        kept.append(engine(UP, governor=governor)[0])
        kept[1].connect()

    async def later() -> None:
        ws, _, _ = await opened(UP, governor=governor)
        await ws.close()
        assert nothing_is_left(governor)

    run(waiting())
    assert kept[1].state is State.CONNECTING
    run(later())
    with pytest.warns(ResourceWarning, match="never closed"):
        kept.clear()


@pytest.mark.spec("M1.8", "C1.2", "C3.12")
@virtual
async def test_a_successor_that_waits_has_no_task_and_is_given_up_without_one() -> None:
    governor = Governor(at_once=1)
    ws, _, transport = await opened(UP, UP, governor=governor, timeouts=Timeouts(stable=1.0))
    await pass_time(2.0)
    first = await busy(governor)
    before = others()
    moving = asyncio.create_task(ws.move())
    await turns()
    assert others() == before | {moving}
    ws.reconnect()
    await turns()
    assert len(governor.desk()._core._homes) == 1
    await ws.wait_for(State.OPEN)
    await moving
    assert now() == pytest.approx(11.0)
    assert len(transport.requests) == 2
    await first.close()
    await ws.close()
    assert nothing_is_left(governor)


@pytest.mark.spec("M1.8", "C3.10")
@virtual
async def test_a_successor_that_waits_is_the_redial_of_what_was_lost() -> None:
    governor = Governor(at_once=1)
    policy = Answering(Retry(60.0))
    options = {"timeouts": Timeouts(stable=1.0, connect=5.0), "policy": policy}
    ws, wire, transport = await opened(UP, UP, governor=governor, **options)
    await pass_time(2.0)
    first = await busy(governor)
    moving = asyncio.create_task(ws.move())
    await turns()
    wire.end(CUT)
    await turns()
    assert ws.state is State.CONNECTING
    assert len(transport.requests) == 1
    await moving
    assert now() == pytest.approx(11.0)
    assert ws.generation == 2
    await first.close()
    await ws.close()
    assert nothing_is_left(governor)


@pytest.mark.spec("M1.8", "M3.6")
@virtual
async def test_who_leaves_as_it_gets_the_record_of_another_dial_has_its_own_end() -> None:
    """The policy is asked about the end that the application caused."""
    refused = Plan(takes=1.0, refused=Close(code=1015, origin=Origin.NETWORK, cause=Cause.TLS))
    governor, policy = Governor(at_once=1), Answering(Retry(60.0))
    transport = ScriptedTransport([refused, UP])
    ws, _ = engine(transport=transport, governor=governor, policy=policy)
    leaving = []

    def leave(change: StateChange) -> None:
        if change.current is State.BACKOFF:
            leaving.append(asyncio.ensure_future(ws.close()))

    first = await busy(governor, transport=transport, policy=policy, observers=[leave])
    ws.connect()
    await pass_time(2.0)
    await asyncio.gather(*leaving)
    assert first.state is State.BACKOFF
    assert ws.state is State.CLOSED
    assert ws.last_close is not None
    assert ws.last_close.intentional
    assert len(transport.requests) == 1
    await first.close()
    assert nothing_is_left(governor)


@pytest.mark.spec("M1.8", "C1.1")
@virtual
async def test_an_eager_loop_begins_the_dial_within_the_grant() -> None:
    """As the eager tasks of Python 3.12: it runs while another engine gives its permit back."""

    def eagerly(loop: asyncio.AbstractEventLoop, dial: Any, **options: Any) -> Any:
        if getattr(dial, "__name__", "") != "dial":
            return asyncio.Task(dial, loop=loop, **options)
        with suppress(StopIteration):
            while True:
                assert dial.send(None) is None
        return asyncio.Task(asyncio.sleep(0), loop=loop, **options)

    governor, changes = Governor(at_once=1), list[StateChange]()
    first = await busy(governor)
    engines = [engine(UP, governor=governor, observers=[changes.append])[0] for _ in range(3)]
    for ws in engines:
        ws.connect()
    asyncio.get_running_loop().set_task_factory(eagerly)
    for ws in engines:
        await ws.wait_for(State.OPEN)
    asyncio.get_running_loop().set_task_factory(None)
    waits = [change.waited for change in changes if change.current is State.OPEN]
    assert waits == pytest.approx([9.0] * 3)
    for ws in (first, *engines):
        await ws.close()
    assert nothing_is_left(governor)


@pytest.mark.spec("M1.8")
@pytest.mark.parametrize("what", ["budget", "by", "url"])
@virtual
async def test_who_has_more_to_await_waits_in_its_task(what: str) -> None:
    """What may take time, or fail, is the dial's own, and its end is the record of it."""
    options: dict[str, Any] = {
        "budget": {"budget": recloser.Budget((9, 60.0))},
        "by": {"governor": Governor(at_once=1, by=lambda address: "all")},
        "url": {"url": lambda: URL},
    }[what]
    governor = options.setdefault("governor", Governor(at_once=1))
    first = await busy(governor)
    ws, _ = engine(UP, UP, **options, policy=Answering(Retry(1.0)))
    ws.connect()
    await turns()
    if what == "url":
        await ws.wait_for(State.OPEN)  # where the first dial goes is not known before
        ws.reconnect()
        first.reconnect()
    else:
        assert len(others()) == 2
    await ws.wait_for(State.OPEN)
    assert now() >= 9.0 or what == "url"
    await first.close()
    await ws.close()
    await pass_time(60.0)
    assert nothing_is_left(governor)
