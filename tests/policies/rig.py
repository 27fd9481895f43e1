"""What the tests of policies share: all shipped policies, any end, and a server to run against."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from recloser import policies
from recloser.fsm import Cause, Close, Context, Origin, Phase, Policy, Retry, State, Timeouts, Wish
from recloser.fsm.core import Core
from recloser.fsm.effects import Announce, Dial, Effect
from recloser.fsm.events import Ask, Expired, Lost, Opened
from recloser.fsm.timeouts import STABLE

STANDARD = policies.standard()
ALMOST_ONE = 1.0 - 2.0**-53
ROLLS = (0.0, 0.25, 0.5, 0.75, ALMOST_ONE)


def makers() -> dict[str, Callable[[], Policy]]:
    """Every policy that is shipped, by a name for the test report."""
    found: dict[str, Callable[[], Policy]] = {
        **policies.SHIPPED,
        "standard-hold": lambda: policies.standard(peer_normal="hold"),
        "standard-stop": lambda: policies.standard(peer_normal="stop"),
    }
    for name in policies.services():
        found[name] = lambda name=name: policies.for_service(name)  # type: ignore[misc] # a default binds the loop variable
    return found


@cache
def shipped() -> dict[str, Policy]:
    return {name: make() for name, make in makers().items()}


def received(code: int, reason: str = "", **facts: Any) -> Close:
    """A close frame of the peer."""
    return Close(
        code=code,
        origin=Origin.PEER,
        cause=Cause.CLOSE_FRAME,
        reason=reason,
        clean=True,
        **facts,
    )


def refused(status: int, **facts: Any) -> Close:
    return Close(code=1006, origin=Origin.PEER, cause=Cause.REFUSED, status=status, **facts)


def broken(cause: Cause = Cause.EOF, **facts: Any) -> Close:
    return Close(code=1006, origin=Origin.NETWORK, cause=cause, **facts)


def after(attempt: int = 1, **facts: Any) -> Context:
    """The context of a generation that was open, for a while if it was the first to fail."""
    facts.setdefault("phase", Phase.OPEN)
    if facts["phase"] is Phase.OPEN:
        facts.setdefault("uptime", 60.0 if attempt == 1 else 0.5)
        facts.setdefault("since_dial", facts["uptime"] or 0.0)
    facts.setdefault("streak", attempt)
    return Context(attempt=attempt, **facts)


def spread(close: Close, context: Context) -> tuple[str, float, float]:
    """The rule of the standard policy, and its delays at the lowest and the highest roll."""
    found = [STANDARD.decide(close, context._replace(roll=roll)) for roll in ROLLS]
    assert all(isinstance(each, Retry) for each in found), found[0]
    delays = [each.delay for each in found if isinstance(each, Retry)]
    assert delays == sorted(delays)
    return found[0].rule, delays[0], round(delays[-1], 9)


_seconds = st.one_of(
    st.floats(0, 1e6),
    st.sampled_from([0.0, 1.0, 1e300, float("inf")]),
)
_garbage = st.one_of(st.none(), st.floats(), st.integers(-10, 10**400))
_counts = st.one_of(st.integers(0, 20), st.sampled_from([10**3, 10**9]))

CLOSES = st.builds(
    Close,
    code=st.one_of(st.integers(-1, 70_000), st.sampled_from([1000, 1001, 1006, 1008, 1012, 4000])),
    origin=st.sampled_from(Origin),
    cause=st.sampled_from(Cause),
    reason=st.one_of(st.text(max_size=20), st.sampled_from(["token expired", "DATA-0000"])),
    sent_code=st.one_of(st.none(), st.sampled_from([1000, 1002, 1009])),
    intentional=st.booleans(),
    wish=st.one_of(st.none(), st.sampled_from(Wish)),
    clean=st.booleans(),
    status=st.one_of(st.none(), st.integers(0, 1000), st.sampled_from([401, 429, 503])),
    retry_after=_garbage,
    spread=_garbage,
    advice=st.one_of(st.none(), st.sampled_from(["stop", "HOLD", "refresh", "retry", "?"])),
    unsent=st.integers(0, 3),
)
CONTEXTS = st.builds(
    Context,
    phase=st.sampled_from(Phase),
    attempt=_counts,
    uptime=st.one_of(st.none(), _seconds),
    elapsed=_seconds,
    since_dial=_seconds,
    last_delay=st.one_of(st.none(), _seconds),
    last_roll=st.one_of(st.none(), st.floats(0, 1, exclude_max=True)),
    previous_immediate=st.booleans(),
    busy=_counts,
    spread=_garbage,
    streak=_counts,
    refusals=_counts,
    been_open=st.booleans(),
    denied_for=_seconds,
    engines=st.one_of(st.integers(1, 20), st.integers(1, 10**6)),
    outage=st.one_of(st.none(), _seconds),
    crowded=st.booleans(),
    budget_in=_seconds,
    refreshed=st.booleans(),
    can_refresh=st.booleans(),
    roll=st.floats(0, 1, exclude_max=True),
    stable_after=st.just(STABLE),
)


class Line:
    """A real core in virtual time against a server that always ends a dial in the same way."""

    def __init__(
        self,
        policy: Policy,
        ends: Callable[[int], Close],
        *,
        uptime: float | None,
        seed: int = 1,
        can_refresh: bool = True,
        opens: Iterable[int] = (),
    ) -> None:
        """`opens`: dials that open in any case, by number; the others do if there is an uptime."""
        self.core = Core(
            policy, timeouts=Timeouts(), roll=Random(seed).random, can_refresh=can_refresh
        )
        self.dials: list[float] = []
        self.rules: list[str] = []
        self._ends = ends
        self._uptime = uptime
        self._opens = frozenset(opens)

    def run(self, dials: int) -> "Line":
        """Dial so many times, or until the policy has had enough."""
        effects, now = self.core.handle(Ask(Wish.CONNECT), 0.0), 0.0
        while len(self.dials) < dials and self.core.state is State.CONNECTING:
            now = self._dial(effects, now)
            effects = []
            if self.core.deadline is not None:
                now = self.core.deadline
                effects = self.core.handle(Expired(now), now)
        return self

    def _dial(self, effects: list[Effect], now: float) -> float:
        dial = next(effect for effect in effects if isinstance(effect, Dial))
        now = max(now, dial.not_before)
        self.dials.append(now)
        if self._uptime is not None or len(self.dials) in self._opens:
            self.core.handle(Opened(self.core.generation), now)
            stable, uptime = self.core.deadline, self._uptime or 0.0
            if stable is not None and stable <= now + uptime:
                self.core.handle(Expired(stable), stable)
            now += uptime
        close = self._ends(len(self.dials))
        for effect in self.core.handle(Lost(self.core.generation, close), now):
            if isinstance(effect, Announce):
                self.rules.append(effect.change.rule)
        return now

    def gaps(self) -> Iterator[float]:
        """Seconds between the starts of dials."""
        return (later - earlier for earlier, later in zip(self.dials, self.dials[1:], strict=False))
