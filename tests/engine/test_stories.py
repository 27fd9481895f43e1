"""Random interleavings of application, peer, providers and time, on the real client."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from recloser import Close, Hold, Retry, State, Stop
from recloser.fsm import Cause, Origin
from recloser.testing import Plan, VirtualTimeLoop
from tests.engine.rig import CUT, DEAF, HANGS, KICKED, REFUSED, UP, others, pass_time, timers, turns
from tests.engine.story import World

CLOSES = st.sampled_from(
    [KICKED, CUT, Close(code=1000, origin=Origin.PEER, cause=Cause.CLOSE_FRAME, clean=True)]
)
PLANS = st.sampled_from(
    [UP, DEAF, HANGS, Plan(refused=REFUSED), Plan(takes=1.0), Plan(echo_takes=3.0)]
)
PROVIDERS = st.sampled_from(["fails", "refuses", "hangs", "hangs and swallows"])
HOOKS = st.sampled_from(
    ["raises", "receives", "hangs", "closes", "starts a poller", "starts a closer"]
)
ANSWERS = st.sampled_from([Retry(0.0), Retry(3.0), Hold(), Stop(), ValueError("bad rule"), None])
SECONDS = st.sampled_from([0.1, 1.0, 4.0, 6.0, 25.0])

# What the application or the peer may do within one turn of the loop.
ACTIONS: dict[str, Callable[[World], object]] = {
    "connect": lambda world: world.connect(),
    "reconnect": lambda world: world.reconnect(),
    "close": lambda world: world.start(world.leave("close")),
    "suspend": lambda world: world.start(world.leave("suspend")),
    "wake": lambda world: world.ws.wake(),
    "healthy": lambda world: world.ws.mark_healthy(),
    "advise": lambda world: world.ws.advise("busy", retry_after=2.0),
    "receive": lambda world: world.start(world.receive()),
    "send": lambda world: world.start(world.send()),
    "wait for open": lambda world: world.start(world.wait_for(State.OPEN)),
    "deliver": lambda world: world.deliver(),
    "lose": lambda world: world.lose(CUT),
    "kick": lambda world: world.lose(KICKED),
    "echo": lambda world: world.echo_of_the_dead(CUT),
    "nothing": lambda world: None,
}
BURSTS = st.lists(st.sampled_from(sorted(ACTIONS)), min_size=1, max_size=4)


def broken_listener() -> None:
    raise ValueError("a listener's own trouble")


class Stories(RuleBasedStateMachine):
    """One engine, any number of tasks, one peer, and the clock in Hypothesis' hand."""

    def __init__(self) -> None:
        super().__init__()
        self.log = structlog.get_config()
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        self.loop = VirtualTimeLoop()
        self.reported: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda loop, told: self.reported.append(told))
        self.world = World()

    def run(self, step: Coroutine[Any, Any, None]) -> None:
        async def main() -> None:
            await step
            self.world.invariants()

        self.loop.run_until_complete(main())
        assert self.reported == []

    @rule(plans=st.lists(PLANS, max_size=3), hooks=st.lists(HOOKS, max_size=2))
    def the_next_dials(self, plans: list[Plan], hooks: list[str]) -> None:
        self.world.upcoming.extend(plans)
        self.world.hooks.extend(hooks)

    @rule(providers=st.lists(PROVIDERS, max_size=2))
    def the_next_providers(self, providers: list[str]) -> None:
        self.world.providers.extend(providers)

    @rule(answers=st.lists(ANSWERS, max_size=3))
    def the_next_answers(self, answers: list[Any]) -> None:
        self.world.answers.extend(answers)

    @rule(action=st.sampled_from(["connect", "reconnect", "close", "wake", "suspend"]))
    def a_listener_reacts(self, action: str) -> None:
        self.world.reactions.append(lambda: ACTIONS[action](self.world))

    @rule()
    def a_listener_raises(self) -> None:
        self.world.reactions.append(broken_listener)

    @rule(burst=BURSTS, spin=st.integers(0, 6))
    def all_at_once(self, burst: list[str], spin: int) -> None:
        async def step() -> None:
            for action in burst:
                ACTIONS[action](self.world)
            await turns(spin)

        self.run(step())

    @rule(action=st.sampled_from(sorted(ACTIONS)))
    def one(self, action: str) -> None:
        async def step() -> None:
            ACTIONS[action](self.world)
            await turns()

        self.run(step())

    @rule(close=CLOSES)
    def the_peer_ends_it(self, close: Close) -> None:
        async def step() -> None:
            self.world.lose(close)
            await turns()

        self.run(step())

    @rule(index=st.integers(0, 5), spin=st.integers(0, 3))
    def a_task_is_cancelled(self, index: int, spin: int) -> None:
        async def step() -> None:
            running = [task for task in self.world.tasks if not task.done()]
            if running:
                running[index % len(running)].cancel()
            await turns(spin)

        self.run(step())

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.run(pass_time(seconds))

    @invariant()
    def nobody_waits_for_what_cannot_come(self) -> None:
        """H3, A11: in closed everybody is told, once the loop has turned."""
        if self.world.ws.state is not State.CLOSED:
            return
        self.loop.run_until_complete(turns())
        if self.world.ws.state is State.CLOSED:
            waiting = [task for task in self.world.tasks if not task.done()]
            assert waiting == []

    def teardown(self) -> None:
        try:
            self.loop.run_until_complete(self.end())
            assert self.reported == []
        finally:
            structlog.configure(**self.log)
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(turns())
            self.loop.close()

    async def end(self) -> None:
        """A4, J1: close() is done in time, nothing is left, and the tasks are told."""
        world = self.world
        world.reactions.clear()
        started = self.loop.time()
        await world.leave("close")
        assert self.loop.time() - started <= 5.0
        await turns()
        world.invariants()
        for task in world.tasks:
            assert task.done()
            if not task.cancelled():
                task.result()
        assert world.ws.state is State.CLOSED
        assert world.live == []
        assert world.dialling == 0
        assert others() - world.hooked == set()
        await pass_time(10)  # the echo of a scripted peer may still be under way
        assert timers() == []
        assert len(world.requests) <= sum(c.current is State.CONNECTING for c in world.changes)


@pytest.mark.spec("A1", "A7", "C1", "C2", "C3", "G1", "H3", "J1")
def test_stories() -> None:
    steps = 40
    run_state_machine_as_test(Stories, settings=settings(stateful_step_count=steps))
