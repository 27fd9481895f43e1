"""A law as data: a promise that every policy should keep, with the reason for it."""

from collections.abc import Callable
from dataclasses import dataclass

from recloser.fsm.decisions import Context, Decision, Policy
from recloser.fsm.record import Close
from recloser.simulate.scenario import Scenario
from recloser.testing.evidence.fleets import Fleet
from recloser.testing.evidence.interview import Interview
from recloser.testing.evidence.lives import Life
from recloser.testing.evidence.stories import Story


@dataclass(frozen=True, kw_only=True)
class Law:
    """A promise, its reason, the clients that broke it, and its checks.

    A check returns None if all is well, else one sentence about what is wrong. A law has one
    check or several; each is tried on whatever the search comes up with:

    - `decision(ask, close, context)`: one question; ask as often as you like.
    - `memory(first, later)`: the answers to one question when a search began and when it ended.
    - `life(life)`: all that one engine asked, in order.
    - `client(policy, story)`: a story for the real client in virtual time.
    - `fleet(policy, fleet)`: a thousand engines that lose their server together.
    - `storm(policy, scenario)`: an outage run by the simulator.
    """

    name: str
    claim: str
    why: str = ""
    incident: str = ""
    optional: bool = False
    """Checked only when it is named."""
    decision: Callable[[Interview, Close, Context], str | None] | None = None
    concerns: Callable[[Interview, Close, Context, Decision | None], bool] | None = None
    """Whether `decision` may find a fault in an answer, which takes less time to say; None: in any.

    The answer is None where the policy raised, or where what it said is no decision. The search
    leaves `decision` out where this is False.
    """
    memory: Callable[[Decision, Decision], str | None] | None = None
    life: Callable[[Life], str | None] | None = None
    client: Callable[[Policy, Story], str | None] | None = None
    fleet: Callable[[Policy, Fleet], str | None] | None = None
    storm: Callable[[Policy, Scenario], str | None] | None = None

    def __post_init__(self) -> None:
        if not any((self.decision, self.memory, self.life, self.client, self.fleet, self.storm)):
            raise TypeError(f"law {self.name}: give it a check, such as decision= or life=")
