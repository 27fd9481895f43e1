"""Who owns an engine: `async with`, cancellation in any state, forgetting it."""

import asyncio
import gc
import re
import sys
import warnings
import weakref
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import recloser
from recloser import (
    ConnectionClosed,
    PolicyError,
    ReconnectingWebSocket,
    Retry,
    State,
    Stop,
)
from recloser.testing import Plan, run
from tests.engine.rig import (
    DEAF,
    DOWN,
    HANGS,
    UP,
    Answering,
    engine,
    now,
    opened,
    others,
    pass_time,
    timers,
    turns,
    virtual,
)
from tests.engine.served import echo, serving


@pytest.mark.spec("A11.4", "J1.2")
@virtual
async def test_async_with_opens_and_closes() -> None:
    ws, transport = engine(DOWN, UP, policy=Answering(Retry(1.0)))
    async with ws as same:
        assert same is ws
        assert ws.state is State.OPEN
        assert now() == 1.0
    assert ws.state is State.CLOSED
    assert transport.wires[-1].closed_with == (1000, "")
    assert transport.released == 1


@pytest.mark.parametrize("answer", [Stop("refused"), ValueError("bad")])
@virtual
async def test_async_with_raises_if_the_first_dials_end_in_closed(answer: Any) -> None:
    ws, transport = engine(DOWN, DOWN, policy=Answering(Retry(1.0), answer))
    with pytest.raises((ConnectionClosed, PolicyError)) as caught:
        async with ws:
            raise AssertionError("not reached")
    assert isinstance(caught.value, PolicyError if isinstance(answer, Exception) else Exception)
    if isinstance(caught.value, ConnectionClosed):
        assert caught.value.change is not None
        assert caught.value.change.rule == "refused"
    assert ws.state is State.CLOSED
    assert transport.released == 1


@virtual
async def test_async_with_goes_on_resting() -> None:
    ws, _ = engine(DOWN, policy=Answering(recloser.Hold()))
    async with ws:
        assert ws.state is State.PASSIVE


@pytest.mark.spec("J3", "A4.1")
@pytest.mark.parametrize("plan", [UP, DEAF, Plan(echo_takes=0.3)])
@virtual
async def test_an_exception_leaves_within_a_second_and_stays_the_same(plan: Plan) -> None:
    ws, transport = engine(plan)
    with pytest.raises(LookupError, match="mine"):
        async with ws:
            raise LookupError("mine")
    assert now() == {UP: 0.0, DEAF: 0.75}.get(plan, 0.3)
    assert ws.state is State.CLOSED
    assert transport.wires[0].closed_with == (1000, "")
    assert ws.last_close is not None
    assert ws.last_close.intentional


async def own(ws: ReconnectingWebSocket, doing: str) -> None:
    async with ws:
        if doing == "receiving":
            await ws.receive()
        elif doing == "closing":
            await ws.close()
        elif doing == "suspending":
            await ws.suspend()
        elif doing == "waiting":
            await ws.wait_for(State.CLOSED)
        elif doing == "iterating":
            async for _ in ws:
                pass
        elif doing == "watching":
            async for _ in ws.changes():
                pass


LIVES: dict[str, tuple[Plan, str, State]] = {
    "connecting": (HANGS, "", State.CONNECTING),
    "dialling again": (DOWN, "", State.BACKOFF),
    "receiving": (UP, "receiving", State.OPEN),
    "iterating": (DEAF, "iterating", State.OPEN),
    "watching": (UP, "watching", State.OPEN),
    "waiting": (DEAF, "waiting", State.OPEN),
    "closing": (DEAF, "closing", State.CLOSING),
    "leaving the block": (DEAF, "", State.CLOSING),
    "suspending": (DEAF, "suspending", State.CLOSING),
}


@pytest.mark.spec("J3", "J1.2")
@pytest.mark.parametrize("life", LIVES)
@virtual
async def test_cancelling_the_owner_ends_everything_within_a_second(life: str) -> None:
    plan, doing, state = LIVES[life]
    ws, transport = engine(plan, policy=Answering(Retry(1000.0)))
    owner = asyncio.ensure_future(own(ws, doing))
    await turns()
    assert ws.state is state
    started = now()
    owner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert now() - started < 1.0
    assert ws.state is State.CLOSED
    assert others() == set()
    assert timers() == []
    assert transport.live == []
    assert transport.dialling == 0
    assert transport.released >= 1


@pytest.mark.spec("J3", "J1.2")
@virtual
async def test_cancelling_the_owner_while_its_hook_runs() -> None:
    async def hook(opening: object) -> None:
        await asyncio.Event().wait()

    ws, transport = engine(DEAF, on_open=hook)
    owner = asyncio.ensure_future(own(ws, ""))
    await turns()
    owner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert now() == 0.75
    assert transport.live == []


@pytest.mark.spec("J3")
@virtual
async def test_a_task_that_refuses_does_not_hold_up_the_owner() -> None:
    free = asyncio.Event()

    async def refuse() -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    ws, _ = engine(UP)

    async def owner() -> None:
        async with ws:
            ws.scope.create_task(refuse())
            await asyncio.Event().wait()

    task = asyncio.ensure_future(owner())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() < 1.0
    free.set()
    await turns()


@pytest.mark.spec("J3")
@virtual
async def test_a_second_cancellation_is_obeyed_too() -> None:
    ws, transport = engine(DEAF)
    owner = asyncio.ensure_future(own(ws, "receiving"))
    await turns()
    owner.cancel()
    await pass_time(0.1)
    owner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert now() == 0.1
    await pass_time(1)
    assert ws.state is State.CLOSED
    assert transport.released == 1


def test_a_timeout_around_it() -> None:
    async def story() -> None:
        ws, _ = engine(HANGS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3), ws:
                raise AssertionError("not reached")
        assert ws.state is State.CLOSED
        assert now() == 3.0

    run(story())


@pytest.mark.spec("J2.2")
@pytest.mark.parametrize("plan", [HANGS, UP, DEAF, DOWN])
@pytest.mark.parametrize("suspended", [False, True])
@virtual
async def test_an_engine_that_is_forgotten_warns_once_and_is_released(
    plan: Plan, suspended: bool
) -> None:
    ws, transport = engine(plan, policy=Answering(Retry(1000.0)))
    ws.connect()
    await turns()
    if suspended:
        await ws.suspend()
    gone = weakref.ref(ws)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del ws
        gc.collect()
        await pass_time(6)
        gc.collect()
    told = [(warning.category, str(warning.message)) for warning in caught]
    caught.clear()  # a warning keeps its source
    assert gone() is None
    assert [category for category, _ in told] == [ResourceWarning]
    assert "was never closed" in told[0][1]
    assert transport.live == []
    assert transport.dialling == 0
    assert transport.released == 1


@pytest.mark.spec("J2.3")
@virtual
async def test_an_engine_that_is_forgotten_while_it_closes_says_nothing_and_ends_at_once() -> None:
    ws, _, transport = await opened(DEAF)
    closing = asyncio.ensure_future(ws.close())
    await turns()
    assert ws.state is State.CLOSING
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del ws, closing
        gc.collect()
        await turns()
    assert transport.live == []
    assert transport.released == 1
    assert timers() == []
    assert now() == 0.0


@pytest.mark.spec("J2.1")
@pytest.mark.parametrize("used", [False, True])
@virtual
async def test_a_closed_engine_that_is_forgotten_says_nothing(used: bool) -> None:
    ws, _ = engine(UP)
    if used:
        async with ws:
            pass
    gone = weakref.ref(ws)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del ws
        gc.collect()
    assert gone() is None


@pytest.mark.spec("J2.2")
def test_an_engine_forgotten_after_its_loop_was_closed() -> None:
    async def story() -> ReconnectingWebSocket:
        ws, _, _ = await opened()
        return ws

    forgotten = [run(story())]
    with pytest.warns(ResourceWarning, match="never closed"):
        forgotten.clear()


WAYS = (
    *("open", "dialling", "backoff", "resting", "scope", "outbox", "file", "closing"),
    *(
        "kept",
        "kept-longer",
        "file-kept",
        "by-hand",
        "picows-kept",
        "picows-kept-longer",
        "receiving",
    ),
)
"""Ways to forget an engine, tried in one process, each on an event loop of its own.

The engine is forgotten while its loop runs its last turn; "kept" while the loop is closed, and
"kept-longer" once another loop has had an engine. "by-hand" is a loop that is closed without
`asyncio.run`.
"""
FORGETFUL = """
import asyncio, gc, os, sys, warnings
import recloser
warnings.simplefilter("always")
url, loop, path, *ways = sys.argv[1:]
kept, older = [], []
def sockets():
    of = "/proc/self/fd"
    print(sum("socket" in os.path.realpath(f"{of}/{each}") for each in os.listdir(of)))
async def main(how):
    outbox = recloser.Outbox() if how == "outbox" else None
    if how.startswith("file"):
        outbox = recloser.Outbox(path=path)
    transport = "picows" if how.startswith("picows") else "aiohttp"
    to = "ws://127.0.0.1:1/" if how == "backoff" else url
    ws = recloser.connect(to, outbox=outbox, transport=transport)
    ws.connect()
    if "kept" in how:
        kept.append(ws)
    if how == "dialling":
        return
    await ws.wait_for(recloser.State.BACKOFF if how == "backoff" else recloser.State.OPEN)
    if how == "scope":
        ws.scope.create_task(asyncio.Event().wait())
    elif outbox is not None:
        await ws.send("x")
    elif how == "receiving":
        kept.append(asyncio.ensure_future(ws.receive()))
        await asyncio.sleep(0)
    elif how == "closing":
        kept.append(asyncio.ensure_future(ws.close()))
        await asyncio.sleep(0)
    elif how == "resting":
        await ws.suspend()
if loop == "uvloop":
    import uvloop
    uvloop.install()
for how in ways:
    print(f"--- {how}", file=sys.stderr)
    if how == "by-hand":
        by_hand = asyncio.new_event_loop()
        by_hand.run_until_complete(main(how))
        by_hand.close()
    else:
        asyncio.run(main(how))
    older.clear()
    if how.endswith("longer"):
        older.extend(kept)
    kept.clear()
    gc.collect()
    if how == ways[0]:
        sockets()
older.clear()
gc.collect()
sockets()
"""


@cache
def forgotten(loop: str) -> tuple[dict[str, str], list[str]]:
    """What a process says of each way, and its sockets after the first and after all.

    Its engines are against a server that goes on.
    """

    async def story(path: str) -> tuple[str, list[str]]:
        async with serving(echo) as url:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-X", "dev", "-c", FORGETFUL, url, loop, path, *WAYS),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return err.decode(), out.decode().split()

    with TemporaryDirectory() as folder:
        told, sockets = asyncio.run(story(f"{folder}/outbox.db"))
    _, *parts = re.split(r"^--- ([\w-]+)\n", told, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True)), sockets


@pytest.mark.spec("J2.2", "J2.3", "J2.5")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("how", WAYS)
def test_an_engine_that_is_forgotten_when_the_loop_ends_gives_one_warning(
    how: str, loop: str
) -> None:
    told = forgotten(loop)[0]
    warned = told[how].count("ResourceWarning: <ReconnectingWebSocket")
    before = WAYS[WAYS.index(how) - 1]
    expected = (how != "closing" and not how.endswith("longer")) + before.endswith("longer")
    assert warned == expected, told[how]
    for mess in (
        "never awaited",
        "destroyed",
        "never retrieved",
        "Traceback",
        "ignored",
        "Unclosed",
    ):
        assert mess not in told[how], told[how]
    if loop != "uvloop":  # which tells of each socket that it closes when it is closed
        assert "unclosed" not in told[how], told[how]


@pytest.mark.spec("J2.5")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_no_socket_outlives_the_engines_of_loops_that_were_closed(loop: str) -> None:
    first, last = forgotten(loop)[1]
    assert first == last
