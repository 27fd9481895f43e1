"""Walks every reachable situation of the real core, whatever the policy answers (K5)."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from recloser.fsm.core import Core
from recloser.fsm.decisions import Hold, Retry, Stop
from recloser.fsm.events import Ask, Expired, Lost
from recloser.fsm.states import State, Wish
from recloser.fsm.timeouts import Timeouts
from recloser.testing.situations import LIVE, PAUSES, Answering, Flight, Situation, hold

ANSWERS: Final[tuple[object, ...]] = (Retry(0), Retry(3, refresh=True), Hold(), Stop(), "nonsense")
"""Whatever a policy may say, and what it must not."""

MakeCore = Callable[..., Core]


@dataclass(frozen=True, slots=True)
class Walk:
    """Every situation that was reached, and how many steps were taken and checked."""

    situations: Mapping[tuple[object, ...], Situation]
    steps: int

    def __len__(self) -> int:
        return len(self.situations)

    def __str__(self) -> str:
        return f"{len(self)} situations and {self.steps} steps walked: every clause holds on all"


def walk(answers: Iterable[object] = ANSWERS, *, make_core: MakeCore = Core) -> Walk:
    """Visit every reachable situation once and check every step out of each.

    A1, A3, A7, A13, B4, B5, C1, C2, H1 and J1 must hold on all of them, and every situation
    must lead to `closed` when asked, also if the transport stays silent; raises
    `BrokenPromise` with the shortest path otherwise. `answers` are what the policy may say;
    `make_core` makes a core of one's own, with the arguments of `Core`.
    """
    said = tuple(answers)
    policy = Answering()
    core = make_core(policy, timeouts=Timeouts(), roll=lambda: 0.5, can_refresh=True)
    first = Situation(core, policy, 0.0, Flight(), wanted=False, owed=False)
    seen = {first.key: first}
    todo = deque(seen.values())
    steps = 0
    while todo:
        here = todo.popleft()
        _can_be_closed(here, said)
        for event in here.events():
            asks = isinstance(event, Lost | Expired) and not here.stale(event)
            possible = said if asks and here.core.state in LIVE else said[:1]
            for answer, after in product(possible, PAUSES):
                there = here.step(event, answer, after)
                steps += 1
                if seen.setdefault(there.key, there) is there:
                    todo.append(there)
    return Walk(seen, steps)


def _can_be_closed(here: Situation, answers: tuple[object, ...]) -> None:
    """By `close()` and, if the transport stays silent, by the deadline; whatever the policy."""
    for answer in answers:
        there = here.step(Ask(Wish.CLOSE), answer)
        if there.core.state is State.CLOSING and there.core.deadline is not None:
            there = there.step(Expired(there.core.deadline), answer)
        closed = there.core.state is State.CLOSED and there.core.deadline is None
        hold(closed, "A4: it cannot be closed", there.path)
