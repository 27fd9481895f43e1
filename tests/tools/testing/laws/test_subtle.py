"""Flaws that nobody listed: right nearly everywhere, wrong in one place."""

import math
from collections.abc import Callable

import pytest

from recloser import Close, Context, Hold, Retry, Stop
from recloser.fsm import Cause, Decision, Origin, Wish
from recloser.testing import BrokenLaw, check_policy

Flaw = Callable[[Close, Context], object]


def sound(context: Context) -> Retry:
    return Retry(min(60.0, 2.0 ** min(context.attempt - 1, 10)) * (0.5 + context.roll / 2))


def policy(flaw: Flaw) -> type:
    """A sound policy but for the flaw, which may answer first."""

    class Flawed:
        def decide(self, close: Close, context: Context) -> object:
            answer = flaw(close, context)
            if answer is not None:
                return answer
            return Stop() if close.intentional else sound(context)

    return Flawed


def own(close: Close) -> bool:
    return close.intentional


def origins(close: Close) -> object:
    known: dict[Origin, Decision | None] = dict.fromkeys((Origin.PEER, Origin.NETWORK))
    return None if close.intentional else known[close.origin]


def as_text(close: Close) -> object:
    """The code, as somebody sees it who thinks that it is a text."""
    return close.code


def subclass() -> object:
    class Mine(Retry):
        pass

    return Mine(3.0)


FLAWS: dict[str, tuple[str, Flaw]] = {
    "raises for one code": ("total", lambda c, x: 1 / 0 if c.code == 4123 else None),
    "an own close, one code": (
        "intentional-stops",
        lambda c, x: Retry(5 + x.roll) if c.code == 3217 else None,
    ),
    "an own close that became a suspend": (
        "intentional-stops",
        lambda c, x: Retry(1) if c.intentional and c.wish is Wish.SUSPEND else None,
    ),
    "an own close that became a connect": (
        "intentional-stops",
        lambda c, x: Retry(1) if c.intentional and c.wish is Wish.CONNECT else None,
    ),
    "rests after an own close without an answer": (
        "intentional-stops",
        lambda c, x: Hold() if c.intentional and c.code == 1006 else None,
    ),
    "a logarithm of roll 0": (
        "total",
        lambda c, x: None if own(c) else Retry(5 - 5 * math.log(x.roll)),
    ),
    "roll 0 at attempt 5": (
        "total",
        lambda c, x: "x" if x.roll == 0 and x.attempt == 5 and not own(c) else None,
    ),
    "attempt 2000": ("total", lambda c, x: 1 / 0 if x.attempt == 2000 else None),
    "hot from attempt 2000 on": (
        "no-hot-loop",
        lambda c, x: Retry(0) if x.attempt >= 2000 and not own(c) else None,
    ),
    "hot in a long streak": (
        "no-hot-loop",
        lambda c, x: Retry(0) if x.streak > 50 and not own(c) else None,
    ),
    "hot for one private code": (
        "no-hot-loop",
        lambda c, x: Retry(0) if c.code == 4999 and not own(c) else None,
    ),
    "hot for one status": ("no-hot-loop", lambda c, x: Retry(0) if c.status == 418 else None),
    "a delay that shrinks": (
        "no-hot-loop",
        lambda c, x: None if own(c) else Retry(60 / x.attempt * (0.5 + x.roll / 2)),
    ),
    "the first word of no reason": (
        "total",
        lambda c, x: c.reason.split()[0] and None if c.code == 4000 and not own(c) else None,
    ),
    "a reason beyond ASCII": ("total", lambda c, x: c.reason.encode("ascii") and None),
    "an empty reason is final": (
        "reason-optional",
        lambda c, x: Stop() if c.code == 4001 and not c.reason and not own(c) else None,
    ),
    "one spelling of a reason": (
        "reason-optional",
        lambda c, x: Stop() if c.reason == "bye" else None,
    ),
    "a status that no one expects": ("total", lambda c, x: 1 / 0 if c.status == 451 else None),
    "a header that is not there": (
        "total",
        lambda c, x: c.headers["retry-after"] and None if c.status == 503 else None,
    ),
    "not a number": (
        "total",
        lambda c, x: Retry(math.nan) if c.status is not None and 520 <= c.status <= 530 else None,
    ),
    "an unchecked Retry-After": (
        "bounded",
        lambda c, x: Retry(c.retry_after + x.roll) if c.retry_after and not own(c) else None,
    ),
    "an origin left out": ("total", lambda c, x: origins(c)),
    "advice by table": (
        "total",
        lambda c, x: {"retry": None}[c.advice] if c.advice is not None else None,
    ),
    "text compared": ("codes-are-integers", lambda c, x: Stop() if as_text(c) == "1000" else None),
    "no jitter for a restart": (
        "spreads-a-fleet",
        lambda c, x: Retry(5) if c.code == 1012 and not own(c) else None,
    ),
    "two kinds of clients": (
        "spreads-a-fleet",
        lambda c, x: None if own(c) else Retry(30.0 if x.roll < 0.5 else 60.0),
    ),
    "capped after the jitter": (
        "spreads-a-fleet",
        lambda c, x: None if own(c) else Retry(min(60, 2 ** min(x.attempt, 20) * (0.5 + x.roll))),
    ),
    "up and down": (
        "eventually-settles",
        lambda c, x: None if own(c) else Retry(2.0 ** (x.attempt % 7) * (0.5 + x.roll / 2)),
    ),
    "a gateway error is final": (
        "survives-the-storm",
        lambda c, x: Stop() if c.status == 502 else None,
    ),
    "three things at once": (
        "total",
        lambda c, x: 1 / 0 if c.code == 4242 and x.attempt >= 33 and x.can_refresh else None,
    ),
    "a decision of its own class": ("total", lambda c, x: subclass() if c.code == 4801 else None),
    "an overflow": ("total", lambda c, x: None if own(c) else Retry(min(60, 1.5**x.attempt))),
    "a cause": (
        "total",
        lambda c, x: 1 / 0 if c.cause is Cause.HOOK and x.attempt > 3 else None,
    ),
}


@pytest.mark.spec("K1.2", "K2")
@pytest.mark.parametrize("name", FLAWS)
def test_it_is_found(name: str) -> None:
    law, flaw = FLAWS[name]
    with pytest.raises(BrokenLaw) as failure:
        check_policy(policy(flaw), laws=[law])
    assert failure.value.verdicts[0].story


class Remembers:
    """Answers by what it was asked before."""

    def __init__(self) -> None:
        self._last: int | None = None

    def decide(self, close: Close, context: Context) -> Decision:
        same, self._last = self._last == close.code, close.code
        if close.intentional:
            return Stop()
        return Retry(sound(context).delay * (2 if same else 1))


class Budget:
    """Has a hundred retries in all."""

    left = 100

    def decide(self, close: Close, context: Context) -> Decision:
        self.left -= 1
        return Stop() if close.intentional or self.left < 0 else sound(context)


@pytest.mark.spec("K1.2")
@pytest.mark.parametrize("make", [Remembers, Budget])
def test_a_hidden_memory_is_found(make: type[Remembers]) -> None:
    with pytest.raises(BrokenLaw, match="asked the same twice"):
        check_policy(make, laws=["pure"])


def module_budget(budget: int) -> type:
    """A policy whose module, and no object, counts the retries."""
    retries = iter(range(budget))

    class Shared:
        def decide(self, close: Close, context: Context) -> Decision:
            if close.intentional or next(retries, None) is None:
                return Stop()
            return sound(context)

    return Shared


@pytest.mark.spec("K1.2")
@pytest.mark.parametrize("budget", [1, 6, 7, 1000])
def test_what_a_module_remembers_is_found(budget: int) -> None:
    with pytest.raises(BrokenLaw, match=r"it said Retry|asked the same twice|made alike"):
        check_policy(module_budget(budget), laws=["pure"], examples=0)


@pytest.mark.spec("K1.2")
def test_one_maker_with_two_minds_is_found() -> None:
    made = iter(range(10_000))

    def make() -> object:
        base = 1.0 + next(made) % 2
        return policy(lambda c, x: None if own(c) else Retry(base * (1 + x.roll)))()

    with pytest.raises(BrokenLaw, match="of two policies made alike"):
        check_policy(make, laws=["pure"])  # type: ignore[arg-type] # its answers are typed loosely


class Async:
    async def decide(self, close: Close, context: Context) -> Decision:
        return Stop()


@pytest.mark.spec("B4.1")
def test_an_asynchronous_decide_is_found() -> None:
    with pytest.raises(BrokenLaw, match="it answered coroutine"):
        check_policy(Async, laws=["total"])  # type: ignore[arg-type] # the flaw
