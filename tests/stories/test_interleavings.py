"""Random interleavings of application, peer, providers and time, on the real client.

A story is a list of moves. Moves without a turn of the loop between them happen at one moment;
that is how races are told. The invariants of `World` are checked wherever the loop has turned.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recloser import Close, Hold, Retry, State, Stop
from recloser.testing import Plan, run
from tests.engine.rig import CUT, DEAF, HANGS, KICKED, REFUSED, others, pass_time, timers, turns
from tests.stories.world import World

NORMAL = Close.frame(1000)

Move = Callable[[World], object]

MOVES: dict[str, Move] = {
    "nothing": lambda world: None,  # the first, so that Hypothesis shrinks the others to it
    "connect": lambda world: world.connect(),
    "reconnect": lambda world: world.reconnect(),
    "close": lambda world: world.start(world.leave("close")),
    "suspend": lambda world: world.start(world.leave("suspend")),
    "wake": lambda world: world.ws.wake(),
    "healthy": lambda world: world.ws.mark_healthy(),
    "fail": lambda world: world.ws.fail("leave", code=4000, retry_after=2.0),
    "fail, late": lambda world: world.ws.fail(generation=max(1, world.ws.generation - 1)),
    "advise": lambda world: world.ws.advise("busy", retry_after=2.0),
    "receive": lambda world: world.start(world.receive()),
    "send": lambda world: world.start(world.send()),
    "wait for open": lambda world: world.start(world.wait_for(State.OPEN)),
    "cancel the first": lambda world: world.cancel(0),
    "cancel the last": lambda world: world.cancel(-1),
    "peer: message": lambda world: world.deliver(),
    "peer: cut": lambda world: world.lose(CUT),
    "peer: kick": lambda world: world.lose(KICKED),
    "peer: 1000": lambda world: world.lose(NORMAL),
    "echo of the dead": lambda world: world.echo_of_the_dead(CUT),
    "dial: refused": lambda world: world.upcoming.append(Plan(refused=REFUSED)),
    "dial: hangs": lambda world: world.upcoming.append(HANGS),
    "dial: slow": lambda world: world.upcoming.append(Plan(takes=1.0)),
    "dial: deaf peer": lambda world: world.upcoming.append(DEAF),
    "dial: slow echo": lambda world: world.upcoming.append(Plan(echo_takes=3.0)),
    "provider: fails": lambda world: world.providers.append("fails"),
    "provider: unauthorized": lambda world: world.providers.append("refuses"),
    "provider: hangs": lambda world: world.providers.append("hangs"),
    "provider: swallows": lambda world: world.providers.append("hangs and swallows"),
    "hook: raises": lambda world: world.hooks.append("raises"),
    "hook: receives": lambda world: world.hooks.append("receives"),
    "hook: hangs": lambda world: world.hooks.append("hangs"),
    "hook: closes": lambda world: world.hooks.append("closes"),
    "hook: poller": lambda world: world.hooks.append("starts a poller"),
    "hook: cleaner": lambda world: world.hooks.append("starts a slow cleaner"),
    "hook: closer": lambda world: world.hooks.append("starts a closer"),
    "policy: at once": lambda world: world.answers.append(Retry(0.0)),
    "policy: hold": lambda world: world.answers.append(Hold()),
    "policy: stop": lambda world: world.answers.append(Stop()),
    "policy: raises": lambda world: world.answers.append(ValueError("bad rule")),
    "policy: nonsense": lambda world: world.answers.append(None),
    "listener: raises": lambda world: world.reactions.append(lambda: 1 / 0),
    "listener: connects": lambda world: world.reactions.append(world.connect),
    "listener: reconnects": lambda world: world.reactions.append(world.reconnect),
    "listener: closes": lambda world: world.reactions.append(
        lambda: world.start(world.leave("close"))
    ),
    "listener: wakes": lambda world: world.reactions.append(world.ws.wake),
}
OFTEN = ["connect", "receive", "send", "peer: message"]
TIMES = {"0.1 s": 0.1, "1 s": 1.0, "4 s": 4.0, "6 s": 6.0, "25 s": 25.0}
TURNS = {"turn": 1, "two turns": 2, "settle": 25}
SOMETIMES = ["reconnect", "peer: cut", "turn", "1 s", "6 s"]
WEIGHTED = [*MOVES, *SOMETIMES * 4, *OFTEN * 10, *["settle"] * 25, "two turns", *TIMES]
STORIES = st.builds(
    lambda start, rest: start + rest,
    st.sampled_from([["connect", "settle"], []]),
    st.lists(st.sampled_from(WEIGHTED), min_size=20, max_size=80),
)


def check_told(world: World) -> None:
    """H3, A11: in closed nobody is left waiting, but for what still cleans up."""
    if world.ws.state is State.CLOSED and not (world.cleaning or world.parting):
        assert [task for task in world.tasks if not task.done()] == []


async def play(story: list[str]) -> World:
    world = World()
    for move in story:
        if move in MOVES:
            MOVES[move](world)
            continue
        if move in TURNS:
            await turns(TURNS[move])
        else:
            await pass_time(TIMES[move])
        world.invariants()
        if move == "settle":
            check_told(world)
    return world


async def finish(world: World) -> None:
    """A4, J1: close() is done in time, nothing is left, and everybody is told."""
    await turns()
    world.reactions.clear()
    started = asyncio.get_running_loop().time()
    await world.leave("close")
    assert asyncio.get_running_loop().time() - started < 5.001
    await turns()
    world.invariants()
    assert world.ws.state is State.CLOSED
    check_told(world)
    for task in world.tasks:
        assert task.cancelled() or task.exception() is None
    assert world.live == []
    assert world.dialling == 0
    assert others() == set()
    dials = len(world.requests)
    assert dials <= sum(change.current is State.CONNECTING for change in world.changes)
    world.ws.wake()
    await pass_time(100)  # the echo of a scripted peer may still have been under way
    assert timers() == []
    assert len(world.requests) == dials


@pytest.mark.spec(
    "A1", "A3", "A4", "A7", "A11", "C1", "C2", "C3", "G1", "H1.1", "H3.3", "I3.1", "J1"
)
@pytest.mark.usefixtures("quiet")
@example(["provider: fails", "policy: at once", "connect", "turn", "two turns"])
@example(["connect", "settle", "reconnect", "25 s", "echo of the dead"])
@settings(max_examples=4 * settings().max_examples)
@given(STORIES)
def test_stories(story: list[str]) -> None:
    async def main() -> None:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: reported.append(told))
        await finish(await play(story))
        assert reported == []

    run(main())
