"""docs/peers.md: the row of recloser among the clients in JavaScript, in virtual time."""

import asyncio
import logging
import re
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

import recloser
from recloser.fsm import Cause, Close
from recloser.testing import Plan, ScriptedTransport, run
from tests.clauses import clauses
from tests.docs.blocks import page
from tests.engine.rig import pass_time

TEXT = page("peers.md")
HEAD, *ROWS = re.findall(r"^\| (.*) \|$", TEXT.split("## In JavaScript")[1], re.MULTILINE)
OURS = dict(zip(HEAD.split(" | "), ROWS[1].split(" | "), strict=True))
PLAN = Plan(takes=0.005)
DEAD = Plan(takes=0.005, refused=Close.cut(Cause.TCP))
TEN_MINUTES = 600.0


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Ten minutes of closes are a long log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def flap(seed: int) -> int:
    """Every connection opens, and is closed by the peer with 1012 after 25 ms."""
    transport = ScriptedTransport(repeat(PLAN))
    ws = recloser.connect("wss://feed.example", transport=transport, seed=seed)
    loop = asyncio.get_running_loop()

    def hang_up(change: recloser.StateChange) -> None:
        if change.current is recloser.State.OPEN:
            loop.call_later(0.025, transport.live[-1].end, Close.frame(1012))

    ws.subscribe(hang_up)
    ws.connect()
    await pass_time(TEN_MINUTES)
    dials = ws.statistics().dials
    await ws.close()
    return dials


async def outage(seed: int) -> tuple[int, float]:
    """A connection of 30 s breaks, and each dial fails: the dials, and the first delay."""
    transport = ScriptedTransport(chain([PLAN], repeat(DEAD)))
    ws = recloser.connect("wss://feed.example", transport=transport, seed=seed)
    ws.connect()
    await pass_time(30.0)
    transport.live[-1].end(Close.cut(Cause.EOF))
    first = ws.retry_in
    assert first is not None
    await pass_time(TEN_MINUTES)
    dials = ws.statistics().dials - 1
    await ws.close()
    return dials, first


async def ended_by_1000() -> recloser.State:
    transport = ScriptedTransport(repeat(PLAN))
    ws = recloser.connect("wss://feed.example", transport=transport)
    ws.connect()
    await pass_time(30.0)
    transport.live[-1].end(Close.frame(1000))
    await pass_time(30.0)
    state = ws.state
    await ws.close()
    return state


async def stop_and_start() -> tuple[int, int]:
    """Stop and start in one moment; the peer answers the close frame 0.4 s later."""
    transport = ScriptedTransport([Plan(takes=0.005, echo_takes=0.4), PLAN])
    ws = recloser.connect("wss://feed.example", transport=transport)
    ws.connect()
    await pass_time(30.0)
    closing = asyncio.ensure_future(ws.close())
    await asyncio.sleep(0)
    ws.connect()
    await pass_time(30.0)
    await closing
    found = len(transport.live), ws.statistics().dials
    await ws.close()
    return found


@pytest.mark.spec("D1.1")
def test_a_server_that_hangs_up_is_dialled_as_often_as_it_says() -> None:
    dials = [run(flap(seed)) for seed in range(8)]
    assert OURS["flap"] == f"{min(dials)} to {max(dials)}"


@pytest.mark.spec("D5")
def test_an_outage_is_dialled_as_often_and_spread_as_it_says() -> None:
    seen = [run(outage(seed)) for seed in range(8)]
    dials = [count for count, _ in seen]
    assert OURS["outage"] == f"{min(dials)} to {max(dials)}"
    low, high = re.findall(r"\d+", OURS["spread"])
    assert all(float(low) <= first <= float(high) for _, first in seen)
    assert len({first for _, first in seen}) == len(seen)


@pytest.mark.spec("B13", "A3")
def test_a_1000_and_a_stop_with_a_start_end_as_it_says() -> None:
    assert run(ended_by_1000()) is recloser.State.OPEN
    assert OURS["1000"] == "dials again"
    sockets, dials = run(stop_and_start())
    assert OURS["stop, start"] == f"{sockets} open, {dials} dials"


def test_every_clause_of_the_features_is_a_clause() -> None:
    cited = re.findall(r"^\| [^|]+ \| [^|]+ \| ([A-Z]\d+) \|", TEXT, re.MULTILINE)
    assert len(cited) == 12
    assert set(cited) <= {each.number for each in clauses()}
