"""The sans-I/O connection core: an event and the time go in, effects and one deadline come out.

An *event* is one fact from outside: a call of the application, the end of a socket, a deadline
that has passed. `Core.handle` takes one event to its end before the next.

The *wish* is what the application asked for last; it is kept while closing. The *advice* is what
the server said in-band; the next end adds it to the record. An end that the application *declares*
(`Fail`) is a loss, so nothing leads from `closing` to `backoff`; its close frame is a *farewell*.

A dial that waits for a permit has not begun: each `Wait` moves its deadline. The *run* counts the
failures from one proof of health to the next, and is replaced as a whole.

A state owns at most one *deadline*; in `open` that of a successor's dial may come before it. The
driver has one timer for it at most. What is to be done comes out as *effects*, in order. The core
performs none of them, so nothing in it can wait, fail or call the application back.
"""

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Final

from recloser.fsm import effects, events, states
from recloser.fsm.budget import unlimited
from recloser.fsm.change import StateChange
from recloser.fsm.closecodes import GOING_AWAY
from recloser.fsm.decisions import NOBODY, RESTING, Located, Policy, Retry, Stop
from recloser.fsm.effects import Effect
from recloser.fsm.events import Advise, Ask, Event, Expired
from recloser.fsm.handover import Handover
from recloser.fsm.judge import judge
from recloser.fsm.machine import fire
from recloser.fsm.record import Cause, Close, Origin, varied
from recloser.fsm.run import Run
from recloser.fsm.states import Guard, State, Trigger, Wish
from recloser.fsm.timeouts import FAREWELL, Timeouts

_MOST_KNOWN: Final = 8
"""So many addresses that have been open are remembered, the latest."""


class Core:
    """One connection through all its generations.

    It has no clock, no socket and no randomness: `now` is an argument, `roll` is given, and
    `budget(now)` gives the seconds for which the next dial must wait. It never waits for the
    transport: a deadline that passes ends the generation at once.
    """

    __slots__ = (
        "_budget",
        "_handover",
        "_known",
        "_latest",
        "_paced",
        "_planned",
        "_policy",
        "_roll",
        "_timeouts",
        "address",
        "advice",
        "can_refresh",
        "deadline",
        "generation",
        "guard",
        "held",
        "neighbour",
        "peer",
        "run",
        "stable_at",
        "state",
        "wish",
    )

    def __init__(
        self,
        policy: Policy,
        *,
        timeouts: Timeouts,
        roll: Callable[[], float],
        can_refresh: bool = False,
        budget: Callable[[float], float] = unlimited,
    ) -> None:
        self._budget = budget
        self._policy = policy
        self._timeouts = timeouts
        self._roll = roll
        self.advice: Advise | None = None
        self._paced = False
        """The connection that `closing` waits for is that of a `Reconnect`, and not of an `Ask`."""
        self._planned = False
        """It is left because its time was over, which is no failure."""
        self.can_refresh: bool = can_refresh
        self.state: State = states.CLOSED
        self.guard: Guard | None = None
        self.wish: Wish = Wish.CLOSE
        self.generation: int = 0
        self.held: int = 0  # messages in the outbox
        self._latest = 0  # the number of the latest dial, that of a successor included
        self.deadline: float | None = None
        self.stable_at: float | None = None  # when what is open becomes stable
        self._handover: Handover | None = None  # the move under way, in `open` and `closing`
        self.address: str | None = None
        """Where the present dial goes; None where it is always the same."""
        self.peer: str = ""
        """The "host:port" of the latest dial; empty before the first."""
        self.neighbour: Located = NOBODY
        self._known: tuple[str | None, ...] = ()
        """Addresses that have been open, the latest first."""
        self.run: Run = Run()

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Handle one event completely; return the effects to perform, in order.

        Events of an old generation or deadline change nothing. Raises `IllegalTrigger` for one that
        no correct driver sends, and passes an interruption of the policy: nothing has changed then.
        """
        return self._handlers[type(event)](self, event, now)

    @property
    def successor(self) -> int | None:
        """The number of the dial that is to succeed the open connection; None without a move."""
        return None if self._handover is None else self._handover.number

    def _begin_move(self, event: events.Move, now: float) -> list[Effect]:
        """Dial the successor, and keep the connection."""
        meant = self._handover is None and event.generation in (None, self.generation)
        if not (meant and fire(self, Trigger.MOVE)):
            return []
        start = max(self.run.earliest(now), self.run.move_from)
        self._latest += 1
        due = start + self._timeouts.connect
        self._handover = Handover(
            self._latest, start, due, event.code, event.reason, planned=event.planned
        )
        self._set_open_deadline()
        dial = effects.Dial(self._latest, start, self.run.refresh_next, True)
        self.run.dialled_at, self.run.refresh_next = start, False
        return [dial]

    def _wait(self, event: events.Wait, now: float) -> list[Effect]:
        """Let the deadline of a dial count from now on."""
        due, move = now + self._timeouts.connect, self._handover
        if move is not None and event.generation == move.number and move.due is not None:
            self._handover = move._replace(started=now, due=due)
            self._set_open_deadline()
        elif self.state is states.CONNECTING and event.generation == self.generation:
            self.deadline = due
            self.run.wait(now)
        return []

    def _ended(self, event: events.Lost, now: float) -> list[Effect]:
        """Take the end of a generation, or of a dial: of the present one, or of the successor's."""
        move = self._handover
        if move is not None and event.generation == move.number:
            return self._successor_lost(move, event.close, now)
        if event.generation != self.generation or self.state not in states.LIVE:
            return []
        return self._lost(event.close, event.undelivered, now)

    def _hand_over(self, move: Handover, now: float) -> list[Effect]:
        """Leave the connection: its successor is ready."""
        self._handover, self._planned = move._replace(due=None), move.planned
        found = self._ask(Ask(Wish.CLOSE, move.code, move.reason), now)
        return found + self._ask(Ask(Wish.CONNECT), now, paced=True)

    def _successor_lost(self, move: Handover, close: Close, now: float) -> list[Effect]:
        """Count the failure, ask the policy when to move again, and keep the connection."""
        fire(self, Trigger.FAILED)
        ask = partial(judge, self._policy)
        self.run, decision, error = self.run.successor_lost(close, now, ask, **self._facts(now))
        self._handover = None
        self._set_open_deadline()
        return [effects.Failed(move.number, close, decision, error)]

    def _drop(self, code: int, reason: str) -> list[Effect]:
        """Give up the successor, if there is one."""
        move, self._handover = self._handover, None
        if move is None:
            return []
        self._set_open_deadline()
        return [effects.Drop(move.number, code, reason)]

    def _set_open_deadline(self) -> None:
        if self.state is states.OPEN:
            due = None if self._handover is None else self._handover.due
            moments = [each for each in (due, self.stable_at) if each is not None]
            self.deadline = min(moments, default=None)

    def _asked(self, ask: Ask, now: float) -> list[Effect]:
        """Do what the application asks; a successor is given up, unless it asks to connect."""
        dropped = [] if ask.wish is Wish.CONNECT else self._drop(ask.code, ask.reason)
        return self._ask(ask, now) + dropped

    def _ask(self, ask: Ask, now: float, *, paced: bool = False) -> list[Effect]:
        """Do what the application asks; `paced`: to dial, without forgetting the failures."""
        wish, before = ask.wish, self.state
        if wish is Wish.CONNECT and not before.live and not paced:
            # The failures are forgotten. A refused credential is no failure, so it stays refused.
            self.run = Run(since=now, refresh_next=self.run.refresh_next)
        found = self._move(wish.trigger, now, paced=paced)
        if self.state is states.CLOSING:
            self.wish, self._paced = wish, paced
            if before is not states.CLOSING:
                found = [effects.Shut(self.generation, ask.code, ask.reason), *found]
            within = FAREWELL if wish is Wish.CONNECT else ask.within
            if self.deadline is not None and within is not None:
                self.deadline = min(self.deadline, now + within)
        elif self.state is states.PASSIVE and wish is Wish.SUSPEND:
            self.guard = Guard.SUSPENDED
        return found

    def _is_open(self, generation: int) -> bool:
        return self.state is states.OPEN and generation == self.generation

    def _fail(self, event: events.Fail, now: float) -> list[Effect]:
        if not self._is_open(event.generation):
            return []
        found = self._lost(event.close, event.undelivered, now, said=event.advice)
        return [effects.Farewell(event.generation, event.close.sent_code, event.reason), *found]

    def _reconnect(self, event: events.Reconnect, now: float) -> list[Effect]:
        found: list[Effect] = []
        if event.generation is not None and not self._is_open(event.generation):
            return []
        dropped = self._drop(event.code, event.reason)
        if self.state in (states.CLOSED, states.CONNECTING):
            return dropped
        if self.state is states.OPEN:
            self._planned = event.planned
            found = self._ask(Ask(Wish.CLOSE, event.code, event.reason), now)
        return found + self._ask(Ask(Wish.CONNECT), now, paced=True) + dropped

    def _woken(self, event: events.Hint, now: float) -> list[Effect]:
        del event
        return self._move(Trigger.WAKE, now)

    def _advised(self, event: Advise, now: float) -> list[Effect]:
        del now
        if self.state in states.LIVE and event.generation in (None, self.generation):
            self.advice = event
        return []

    def _opened(self, event: events.Opened, now: float) -> list[Effect]:
        move = self._handover
        if move is not None and event.generation == move.number:
            return self._hand_over(move, now)
        if event.generation != self.generation or self.state not in states.LIVE:
            return []
        found = self._move(Trigger.OPENED, now, undelivered=event.undelivered)
        if self.state is states.OPEN:
            self.run.opened_at = now
            if not self._known or self._known[0] != self.address:
                others = (each for each in self._known if each != self.address)
                self._known = (self.address, *islice(others, _MOST_KNOWN - 1))
        return found

    def _healthy(self, event: events.Healthy, now: float) -> list[Effect]:
        del event, now
        return self._stable() if self.state is states.OPEN else []

    def _stable(self) -> list[Effect]:
        """Forget the failures: the application says so, or the connection has lasted."""
        fire(self, Trigger.STABLE)
        self.stable_at = None
        self._set_open_deadline()
        self.run = self.run.stable()
        return []

    def _expired(self, event: Expired, now: float) -> list[Effect]:
        if event.deadline != self.deadline:
            return []
        if self.state is states.OPEN:
            move = self._handover
            if move is not None and event.deadline == move.due:
                return self._successor_lost(move, Close.by_engine(Cause.CONNECT_TIMEOUT), now)
            return self._stable()
        if self.state is states.BACKOFF:
            return self._move(Trigger.RETRY, now)
        cause = Cause.CLOSE_TIMEOUT if self.state is states.CLOSING else Cause.CONNECT_TIMEOUT
        close = Close.by_engine(cause, sent_code=event.sent_code, unsent=event.unsent)
        return [effects.Abort(self.generation), *self._lost(close, event.undelivered, now)]

    def _lost(
        self, close: Close, undelivered: int, now: float, *, said: Advise | None = None
    ) -> list[Effect]:
        """Ask the policy about an end; `said` is the application's word on this end alone."""
        asked = self.state is states.CLOSING
        if asked:
            close = varied(close, origin=Origin.APPLICATION, intentional=True, wish=self.wish)
        if self.advice is not None:
            close = self.advice.onto(close)
        if said is not None:
            close = said.onto(close)
        if self.held:
            close = varied(close, unsent=close.unsent + self.held)
        policy = RESTING if close.cause is Cause.LEASE and not asked else self._policy
        left = asked and self._paced and self.wish is Wish.CONNECT
        run, memory, facts = self.run, self.run.memory(), self._facts(now)
        try:
            context = run.question(close, now, left=left, planned=self._planned, **facts)
            decision, problem = judge(policy, close, context)
        except BaseException:
            self.run = Run(*memory)  # the policy was interrupted: nothing has changed
            raise
        run.ended(decision, now, context.roll)
        wish = self.wish if problem is None else Wish.CLOSE
        self.guard = wish.guard if asked else decision.guard
        if isinstance(decision, Stop) and close.answered:
            self._known = tuple(each for each in self._known if each != self.address)
        again = self.guard is Guard.CONNECT
        if again and not self._paced:
            self.run = Run(since=now)
        self.advice, self._planned, delay = None, False, None
        previous, generation = self.state, self.generation
        fire(self, Trigger.LOST)
        dials = self._enter(previous, Trigger.LOST, now, paced=again and self._paced)
        if isinstance(decision, Retry):
            delay = decision.delay
            self.deadline = now + delay
        change = StateChange(
            previous=previous, current=self.state, trigger=Trigger.LOST, at=now,
            generation=generation, attempt=self.run.attempt, peer=self.peer, close=close,
            context=context, decision=decision, rule=decision.rule, delay=delay,
            uptime=context.uptime, unsent=close.unsent, undelivered=undelivered, error=problem,
            waited=self.run.waited if previous is states.CONNECTING else 0.0,
        )  # fmt: skip
        found = [effects.Announce(change), *dials]
        if self._handover is None:
            return found
        if self.state is states.BACKOFF and said is None and not self.run.refresh_next:
            return found + self._move(Trigger.RETRY, now)  # the successor's dial is the redial
        return self._drop(GOING_AWAY, "") + found

    def _facts(self, now: float) -> dict[str, Any]:
        """Return what a run is told of an end besides the end itself."""
        return {
            "roll": self._roll(),
            "can_refresh": self.can_refresh,
            "stable_after": self._timeouts.stable,
            "been_open": self.address in self._known,
            "host": self.neighbour.host,
            "budget_in": self._budget(now),
        }

    def _move(
        self, trigger: Trigger, now: float, *, paced: bool = False, undelivered: int = 0
    ) -> list[Effect]:
        """Fire a trigger by which no generation ends, and announce the change if it makes one."""
        previous = self.state
        if not fire(self, trigger) or self.state is previous:
            return []
        dials = self._enter(previous, trigger, now, paced=paced)
        change = StateChange(
            previous=previous, current=self.state, trigger=trigger, at=now,
            generation=self.generation, attempt=self.run.attempt, peer=self.peer,
            waited=self.run.waited if previous is states.CONNECTING else 0.0,
            unsent=self.held, undelivered=undelivered,
        )  # fmt: skip
        return [effects.Announce(change), *dials]

    def _enter(self, previous: State, trigger: Trigger, now: float, *, paced: bool) -> list[Effect]:
        """Set the deadline of the new state, unless a decision does; return the dial it needs."""
        current, chosen = self.state, self.guard
        self.guard = self.deadline = self.stable_at = None
        if current is states.CONNECTING:
            move = self._handover
            if move is not None:
                self._handover, self.generation = None, move.number
                self.deadline = now + self._timeouts.connect if move.due is None else move.due
                self.run.dialling(move.started)
                return [effects.Promote(move.number)]
            start = self.run.earliest(now) if paced or trigger is Trigger.WAKE else now
            self.generation = self._latest = self._latest + 1
            self.deadline = start + self._timeouts.connect
            asked = trigger is Trigger.CONNECT or previous is states.CLOSING
            return [effects.Dial(self.generation, start, self.run.dialling(start), asked)]
        if current is states.OPEN:
            self.deadline = self.stable_at = now + self._timeouts.stable
        elif current is states.CLOSING:
            self.deadline = now + self._timeouts.close
        elif current is states.PASSIVE:
            self.guard = Guard.HELD if chosen is Guard.HOLD else Guard.SUSPENDED
        return []

    _handlers: ClassVar[dict[type[Event], Callable[..., list[Effect]]]] = {
        Advise: _advised,
        Ask: _asked,
        Expired: _expired,
        events.Fail: _fail,
        events.Healthy: _healthy,
        events.Hint: _woken,
        events.Lost: _ended,
        events.Move: _begin_move,
        events.Opened: _opened,
        events.Reconnect: _reconnect,
        events.Wait: _wait,
    }
