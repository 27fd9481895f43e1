"""Random interleavings of application calls, transport events and time, on the real core.

Where the exhaustive walk takes two situations for one, this machine keeps going with real
clocks, counts and generations, under policies that may raise or talk nonsense.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from recloser.fsm.core import Core
from recloser.fsm.decisions import Context, Decision, Hold, Retry, Stop
from recloser.fsm.effects import Abort, Announce, Dial, Drop, Failed, Farewell, Promote, Shut
from recloser.fsm.events import (
    Advise,
    Ask,
    Event,
    Expired,
    Fail,
    Healthy,
    Hint,
    Lost,
    Move,
    Opened,
    Reconnect,
)
from recloser.fsm.judge import POLICY_ERROR
from recloser.fsm.record import Cause, Close, Origin
from recloser.fsm.states import Guard, State, Wish
from recloser.fsm.timeouts import Timeouts
from tests.fsm.rig import LIVE, snapshot

closes = st.builds(
    Close,
    code=st.sampled_from([1000, 1001, 1005, 1006, 1012, 1013, 4401, 70000]),
    origin=st.sampled_from(Origin),
    cause=st.sampled_from([each for each in Cause if each is not Cause.LEASE]),
    reason=st.sampled_from(["", "token expired"]),
    clean=st.booleans(),
    status=st.sampled_from([None, 401, 429, 503]),
    unsent=st.integers(0, 3),
)
delays = st.floats(0, 1e6)
sound = st.one_of(st.builds(Retry, delays, st.booleans()), st.builds(Hold), st.builds(Stop))
nonsense = st.one_of(
    st.sampled_from([None, 1.5, "retry", Retry, object()]),
    st.sampled_from([ValueError("x"), RuntimeError(), RecursionError()]),
    st.sampled_from([float("nan"), float("-inf"), -1.0]).map(lambda delay: ("bad delay", delay)),
)
answers = st.integers(0, 5).flatmap(lambda dice: sound if dice else nonsense)
asides = st.one_of(
    st.sampled_from([Hint(), Healthy(), Reconnect(), Reconnect(planned=True), Move(4000, "move")]),
    st.builds(Advise, st.just("in-band"), spread=st.one_of(st.none(), delays)),
)
pauses = st.one_of(st.just(0.0), st.floats(0, 2.0), st.floats(0, 1e5))


ENDS = {Wish.CLOSE: State.CLOSED, Wish.SUSPEND: State.PASSIVE, Wish.CONNECT: State.CONNECTING}


class Fickle:
    """Answers whatever was put into it last."""

    def __init__(self) -> None:
        self.answer: object = Stop()
        self.asked = 0

    def decide(self, close: Close, context: Context, /) -> Decision:
        self.asked += 1
        match self.answer:
            case Exception() as error:
                raise error
            case "bad delay", float(delay):
                return Retry(delay)
        return self.answer  # type: ignore[return-value] # policies answer garbage, too


def stands(answer: object, close: Close) -> bool:
    """Whether the machine has a row for this answer to this end (B4, B5)."""
    if isinstance(answer, Retry):
        return not close.intentional
    if isinstance(answer, Hold):
        return close.wish is not Wish.CLOSE
    return isinstance(answer, Stop)


class CoreMachine(RuleBasedStateMachine):
    """Holds what an observer can know, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = Fickle()
        self.now = 0.0

    @initialize(
        refresh=st.booleans(),
        roll=st.floats(0, 1, exclude_max=True),
        timeouts=st.builds(
            Timeouts,
            connect=st.floats(0.1, 60),
            close=st.floats(0.1, 60),
            stable=st.floats(0.1, 60),
        ),
    )
    def begin(self, refresh: bool, roll: float, timeouts: Timeouts) -> None:
        self.core = Core(self.policy, timeouts=timeouts, roll=lambda: roll, can_refresh=refresh)
        self.wish = Wish.CLOSE  # what the application asked for last
        self.wanted = False  # that is a connection
        self.alive: int | None = None  # the generation whose record is still owed
        self.second: int | None = None  # the successor that is dialled beside it, or ready
        self.opened = False
        self.deadlines: list[float] = []

    def give(self, event: Event, *, forgets: bool = False) -> None:
        """Hand over one event and hold every effect against what is known."""
        core = self.core
        before, attempt, asked = core.state, core.run.attempt, self.policy.asked
        effects = core.handle(event, self.now)
        records = 0
        for effect in effects:
            match effect:
                case Dial(generation, not_before):
                    assert self.wanted, "A1: nobody asked for this dial"
                    assert not_before >= self.now
                    if self.alive is None:
                        assert generation == core.generation
                        self.alive, self.opened = generation, False
                    else:
                        assert (self.opened, self.second) == (True, None), "C1: one dial too many"
                        assert generation == core.successor > core.generation
                        self.second = generation
                case Promote(generation):
                    assert self.alive is None, "C1: promoted beside a connection"
                    assert generation == self.second == core.generation
                    self.alive, self.second, self.opened = generation, None, False
                case Drop(generation) | Failed(generation):
                    assert generation == self.second
                    self.second = None
                case Shut(generation) | Abort(generation) | Farewell(generation):
                    assert generation == self.alive, "C1: it shuts what is not there"
                case Announce(change):
                    assert change.previous is before, "a change was left out"
                    assert change.current is not change.previous
                    assert change.at == self.now
                    before = change.current
                    if change.close is not None:
                        records += 1
                        assert self.alive is not None, "A7: a second record"
                        assert (change.uptime is not None) is self.opened
                        assert change.close.intentional is (change.previous is State.CLOSING)
                        self.judged(change.close, change.error, change.rule, change.current)
                        if change.close.intentional and change.error is None:
                            assert change.close.wish is self.wish
                            assert change.current is ENDS[self.wish], "A3"
                        self.alive = None
                    if change.current is State.CONNECTING:
                        assert self.alive is None, "A7: connecting before the record"
                    self.opened = self.opened or change.current is State.OPEN
        assert before is core.state, "a change was not announced"
        records += sum(isinstance(effect, Failed) for effect in effects)
        assert self.policy.asked - asked == records, "B3: asked once for each end"
        if core.deadline is not None and core.deadline not in self.deadlines:
            self.deadlines.append(core.deadline)
        if core.run.attempt < attempt:
            assert forgets, "D1: failures were forgotten without a reason"

    def judged(self, close: Close, error: Exception | None, rule: str, current: State) -> None:
        if stands(self.policy.answer, close):
            assert error is None
            assert rule == type(self.policy).__name__
        else:
            assert error is not None, "B4, B5"
            assert rule == POLICY_ERROR
            assert current is State.CLOSED

    # Application calls.

    @rule(
        wish=st.sampled_from([Wish.CONNECT, Wish.CONNECT, Wish.SUSPEND, Wish.CLOSE]),
        within=st.one_of(st.none(), st.floats(0.1, 9)),
    )
    def ask(self, wish: Wish, within: float | None) -> None:
        core, before = self.core, self.core.state
        self.wish, self.wanted = wish, wish is Wish.CONNECT
        self.give(
            Ask(wish, within=within),
            forgets=self.wanted and before in (State.CLOSED, State.BACKOFF, State.PASSIVE),
        )
        if before is State.CLOSING:
            assert core.state is State.CLOSING
        elif wish is Wish.CONNECT:
            assert core.state in (State.CONNECTING, State.OPEN)
        elif before in LIVE:
            assert core.state is State.CLOSING
        elif wish is Wish.CLOSE or before is State.CLOSED:
            assert core.state is State.CLOSED
        else:
            assert core.state is State.PASSIVE

    @precondition(lambda self: self.core.state is State.CLOSED)
    @rule()
    def begin_again(self) -> None:
        """Again, so that random walks do not spend their time in closed."""
        self.ask(Wish.CONNECT, None)

    @rule(event=asides)
    def aside(self, event: Event) -> None:
        if isinstance(event, Reconnect) and self.core.state is not State.CLOSED:
            self.wish, self.wanted = Wish.CONNECT, True
        forgets = isinstance(event, Healthy) and self.core.state is State.OPEN
        self.give(event, forgets=forgets)

    # The transport and time.

    @precondition(lambda self: self.alive is not None and not self.opened)
    @rule()
    def open(self) -> None:
        self.give(Opened(self.core.generation))

    @precondition(lambda self: self.alive is not None)
    @rule(close=closes, answer=answers)
    def lose(self, close: Close, answer: object) -> None:
        self.policy.answer = answer
        remembered = self.core.state is State.CLOSING and self.core.wish is Wish.CONNECT
        self.give(Lost(self.core.generation, close), forgets=remembered)

    @precondition(lambda self: self.second is not None)
    @rule()
    def succeed(self) -> None:
        """The successor is ready; where the connection is left already, it is told twice."""
        core = self.core
        assert self.second is not None
        if core.state is State.OPEN:
            self.give(Opened(self.second))
            assert core.state is State.CLOSING
            assert core.deadline is not None
            assert core.deadline <= self.now + 0.5, "the old socket has a bound"

    @precondition(lambda self: self.second is not None)
    @rule(close=closes, answer=answers)
    def lose_the_successor(self, close: Close, answer: object) -> None:
        """The connection goes on, and the policy says when to move again."""
        assert self.second is not None
        self.policy.answer = answer
        state, generation = self.core.state, self.core.generation
        self.give(Lost(self.second, close))
        assert (self.core.state, self.core.generation) == (state, generation)
        assert self.core.successor is None

    @precondition(lambda self: self.core.state is State.OPEN)
    @rule(answer=answers, advice=st.one_of(st.none(), st.builds(Advise, st.just("leave"))))
    def fail(self, answer: object, advice: Advise | None) -> None:
        """The policy decides, and the run goes on: it is a loss that the application declares."""
        core, attempt = self.core, self.core.run.attempt
        self.policy.answer = answer
        self.give(Fail(core.generation, Close.declared(sent_code=4000), advice))
        assert core.state is not State.CLOSING
        assert core.run.attempt == attempt + 1

    @precondition(lambda self: self.core.deadline is not None)
    @rule(late=st.floats(0, 100), answer=answers)
    def expire(self, late: float, answer: object) -> None:
        deadline = self.core.deadline
        assert deadline is not None
        self.policy.answer = answer
        self.now = max(self.now, deadline) + late
        core = self.core
        remembered = core.state is State.CLOSING and core.wish is Wish.CONNECT
        self.give(Expired(deadline), forgets=remembered or core.state is State.OPEN)

    @rule(seconds=pauses)
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(data=st.data(), close=closes)
    def stale(self, data: st.DataObject, close: Close) -> None:
        """An event of an old generation, or an old deadline, changes nothing (C2)."""
        ages = range(self.core.generation + 3)
        old = [age for age in ages if age not in (self.alive, self.second)]
        events: list[Event] = [Lost(age, close, undelivered=1) for age in old]
        events += [Opened(age, undelivered=1) for age in old]
        events += [Fail(age, close) for age in old]
        events += [Reconnect(4000, generation=age) for age in old]
        events += [Advise("late", generation=age) for age in old]
        events += [Expired(each) for each in self.deadlines if each != self.core.deadline]
        event = data.draw(st.sampled_from(events))
        before = snapshot(self.core)
        assert self.core.handle(event, self.now) == []
        assert snapshot(self.core) == before

    # What always holds.

    @invariant()
    def a_generation_lives_in_three_states(self) -> None:
        assert (self.core.state in LIVE) is (self.alive is not None)

    @invariant()
    def a_successor_lives_in_a_handover(self) -> None:
        core = self.core
        assert core.successor == self.second
        if self.second is not None:
            assert core.state is State.OPEN or (
                core.state is State.CLOSING and core.wish is Wish.CONNECT
            )

    @invariant()
    def deadlines_belong_to_states(self) -> None:
        core = self.core
        if core.state in (State.CLOSED, State.PASSIVE):
            assert core.deadline is None
        elif core.state is not State.OPEN:
            assert core.deadline is not None

    @invariant()
    def nothing_is_owned_in_closed(self) -> None:
        core = self.core
        if core.state is State.CLOSED:
            assert (core.deadline, core.guard, core.advice) == (None, None, None)
            assert core.run.opened_at is None

    @invariant()
    def passive_knows_whose_rest_it_is(self) -> None:
        core = self.core
        assert (core.guard in (Guard.HELD, Guard.SUSPENDED)) is (core.state is State.PASSIVE)


CoreMachine.TestCase.settings = settings(
    max_examples=2 * settings().max_examples, stateful_step_count=100
)
TestCore = pytest.mark.spec(
    "A1", "A7", "B3", "B4", "B5", "C1.1", "C1.2", "C2", "C3.11", "D1", "J1"
)(CoreMachine.TestCase)
