"""The policy's side: the context it is given, and the decisions it may answer."""

from enum import Enum
from math import inf
from typing import Any, Final, Protocol, runtime_checkable

from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.numbers import check_seconds
from recloser.fsm.record import Close
from recloser.fsm.states import Guard
from recloser.fsm.timeouts import STABLE
from recloser.fsm.value import Value, assign

MIN_GAP: Final = 1.0
"""Seconds between the starts of two dials, unless an immediate dial is allowed (D4)."""


class Phase(Enum):
    """The kind of end: a failed dial, or an open generation."""

    DIAL = "dial"
    """A dial that never opened."""
    OPEN = "open"
    """A generation that was open."""


class Unsent(Enum):
    """The fate of messages that have not left the process."""

    KEEP = "keep"
    """All are sent on the next connection."""
    DROP = "drop"
    """All are dropped, and reported."""
    DROP_REFUSED = "drop-refused"
    """The peer refused one message: that one is dropped, and the others are kept. Where it is not
    known which one it was, all are kept, and go out one at a time until it is."""


class Session(Enum):
    """What a service lets its client do with the session of the connection before."""

    RESUME = "resume"
    """The session lives on for a while: resume it."""
    NEW = "new"
    """The session is gone: begin a new one."""


class Host(NamedTuple):
    """What the process knows of a host; see the fields of `Context` of the same names."""

    engines: int = 1
    outage: float | None = None
    crowded: bool = False


ALONE: Final = Host()
"""Nothing is known of the host."""


class Located(Protocol):
    """Who knows the host of the latest dial."""

    @property
    def host(self) -> Host:
        """What the process knows of that host."""
        ...


class _Nobody:
    """Who knows of no host."""

    host = ALONE


NOBODY: Final[Located] = _Nobody()
"""In the place of a neighbour, for a core by itself."""


class Context(NamedTuple):
    """The facts besides the close record that a policy is given. All times are in seconds.

    A *run* of failures lasts from one stable period, `mark_healthy()` or explicit
    `connect()` to the next.
    """

    phase: Phase
    """Whether a dial failed or an open generation ended."""
    attempt: int
    """Failures in this run, this one included.

    An intentional end does not count, except that `reconnect()` left a generation before it
    was stable.
    """
    uptime: float | None = None
    """Time for which the generation was open; None if it never was."""
    elapsed: float = 0.0
    """Time since this run began: its first dial by `connect()`, or its first failure."""
    since_dial: float = 0.0
    """Time since the dial of this generation started."""
    last_delay: float | None = None
    """The delay of the previous `Retry` in this run; None if there was none."""
    last_roll: float | None = None
    """The `roll` with which the previous `Retry` in this run was decided."""
    previous_immediate: bool = False
    """The dial of this generation followed the end before it in less than a second."""
    busy: int = 0
    """Number of ends of this run that were `Close.busy`, this one included."""
    spread: float | None = None
    """The latest `Close.spread` of this run; None if the server has not given one."""
    streak: int = 1
    """Number of ends in a row with the same code, origin, cause and status, this one included."""
    refusals: int = 0
    """Number of generations in a row that ended by the same refusal of ours (`Close.refusal`),
    this one included, open or not yet. Stable periods and dials that failed otherwise in between
    do not end the row; a generation of an hour does."""
    been_open: bool = False
    """The address of this dial (scheme, host, port and path) has been open before in this engine.
    A `Stop` that answers a refused upgrade forgets the address."""
    denied_for: float = 0.0
    """Time since the first of an unbroken row of dials that were `Close.denied`, this one
    included; 0 for the first."""
    engines: int = 1
    """Number of engines of this process at the host of this dial: open, dialling or in backoff,
    this one included."""
    outage: float | None = None
    """How long that host was away, at least, when it last said that it restarts (1012): until the
    last dial that found nobody. None if no engine here has seen such a restart to its end."""
    crowded: bool = False
    """The host had no room at first when it was back then: it was busy, or did not answer in
    time."""
    budget_in: float = 0.0
    """Seconds from now before which the budget of the engine has no dial left; 0 without one. A
    `Retry` that comes earlier is put off until then, by the rule `budget-spent`."""
    refreshed: bool = False
    """A new credential was asked for in this streak already."""
    can_refresh: bool = False
    """There is a provider that can be asked for a new credential."""
    roll: float = 0.5
    """A number in [0, 1), drawn by the engine: the only randomness a policy has."""
    stable_after: float = STABLE
    """`Timeouts.stable` of the engine: the uptime in seconds that proves a connection healthy."""

    @property
    def stable(self) -> bool:
        """Whether the generation was open for a stable period: `stable_after` or longer."""
        return self.uptime is not None and self.uptime >= self.stable_after

    @property
    def next_dial_in(self) -> float:
        """Seconds from now before which the next dial would be too soon (D4)."""
        return earliest_dial(
            0.0, dialled_at=-self.since_dial, ended_at=0.0, immediate=self.previous_immediate
        )


def earliest_dial(
    now: float, *, dialled_at: float, ended_at: float | None, immediate: bool
) -> float:
    """Return the earliest moment for the next dial (D4), all times on one clock, in seconds.

    It is `MIN_GAP` after the start of the last dial, at `dialled_at`. If that dial was an
    `immediate` one, it is also `MIN_GAP` after the end of its generation, at `ended_at`.
    """
    moment = max(now, dialled_at + MIN_GAP)
    if immediate and ended_at is not None:
        moment = max(moment, ended_at + MIN_GAP)
    return moment


def _check(rule: str, unsent: object) -> None:
    if not isinstance(rule, str):
        raise TypeError(f"rule must be a str that names the rule, not {rule!r}")
    check_unsent(unsent)


def check_decides(name: str, policy: object) -> None:
    """Raise `TypeError`, with a hint, for what is no policy; `name` is that of the argument."""
    decide = getattr(policy, "decide", None)
    if not isinstance(policy, type) and callable(decide):
        return
    hint = ""
    if isinstance(policy, str):
        hint = "; give policies.standard() or policies.for_service(...), a name is for commands"
    elif callable(policy):
        made = getattr(policy, "__name__", type(policy).__name__)
        hint = f"; call it: {name}={made}()"
    raise TypeError(f"{name} must be an object with decide(close, context), not {policy!r}{hint}")


def check_unsent(unsent: object) -> None:
    """Raise `TypeError` for what is no fate of unsent messages."""
    if not isinstance(unsent, Unsent):
        raise TypeError(f"unsent must be {', '.join(map(str, Unsent))}, not {unsent!r}")


class Retry(Value):
    """Dial again after `delay` seconds: to `backoff`.

    Raises `TypeError` or `ValueError` unless the delay is finite and at least 0.
    """

    __slots__ = __match_args__ = ("delay", "refresh", "rule", "unsent", "session")

    delay: float
    """Seconds from now to the next dial."""
    refresh: bool
    """Ask the provider for a new credential first."""
    rule: str
    """The rule that decided; empty: the engine puts the name of the policy's class."""
    unsent: Unsent
    """The fate of unsent messages."""
    session: Session | None
    """What to do with the session of before; None: the policy does not say."""

    def __init__(
        self,
        delay: float,
        refresh: bool = False,
        rule: str = "",
        unsent: Unsent = Unsent.KEEP,
        session: Session | None = None,
    ) -> None:
        if not (
            type(delay) is float
            and 0.0 <= delay < inf
            and type(refresh) is bool
            and type(rule) is str
            and type(unsent) is Unsent
            and (session is None or type(session) is Session)
        ):  # rare: what no engine can take, or a delay that is to be converted
            delay = check_seconds("delay", delay)
            if not isinstance(refresh, bool):
                raise TypeError(f"refresh must be True or False, not {refresh!r}")
            _check(rule, unsent)
            if not (session is None or isinstance(session, Session)):
                raise TypeError(f"session must be Session.RESUME, NEW or None, not {session!r}")
        assign(self, "delay", delay)
        assign(self, "refresh", refresh)
        assign(self, "rule", rule)
        assign(self, "unsent", unsent)
        assign(self, "session", session)

    @property
    def guard(self) -> Guard:
        """The guard that this decision sets for the machine."""
        return Guard.RETRY


class _RetryDraft(Retry):
    """A decision whose fields can still be set, and that becomes a `Retry`.

    A value sets each field by a call, which takes twice as long.
    """

    __slots__ = ()
    __setattr__ = object.__setattr__  # type: ignore[assignment] # its arguments have no names
    __delattr__ = object.__delattr__  # with one of them alone, each assignment is a call of Python

    def __init__(
        self: Any, delay: float, refresh: bool, rule: str, unsent: Unsent, session: Session | None
    ) -> None:
        self.delay = delay
        self.refresh = refresh
        self.rule = rule
        self.unsent = unsent
        self.session = session


def drawn_retry(
    delay: float, refresh: bool, rule: str, unsent: Unsent, session: Session | None
) -> Retry:
    """Make the `Retry` of a rule whose facts were checked when it was made, all but the delay."""
    if not (type(delay) is float and 0.0 <= delay < inf):
        return Retry(delay, refresh, rule, unsent, session)
    draft: Any = _RetryDraft(delay, refresh, rule, unsent, session)
    draft.__class__ = Retry
    made: Retry = draft
    return made


class Hold(Value):
    """Rest until the application connects, or a hint comes: to `passive`."""

    __slots__ = __match_args__ = ("rule", "unsent")

    rule: str
    """The rule that decided; empty: the engine puts the name of the policy's class."""
    unsent: Unsent
    """The fate of unsent messages."""

    def __init__(self, rule: str = "", unsent: Unsent = Unsent.KEEP) -> None:
        _check(rule, unsent)
        assign(self, "rule", rule)
        assign(self, "unsent", unsent)

    @property
    def guard(self) -> Guard:
        """The guard that this decision sets for the machine."""
        return Guard.HOLD


class Stop(Value):
    """End: to `closed`, which only `connect()` leaves."""

    __slots__ = __match_args__ = ("rule", "unsent")

    rule: str
    """The rule that decided; empty: the engine puts the name of the policy's class."""
    unsent: Unsent
    """The fate of unsent messages."""

    def __init__(self, rule: str = "", unsent: Unsent = Unsent.KEEP) -> None:
        _check(rule, unsent)
        assign(self, "rule", rule)
        assign(self, "unsent", unsent)

    @property
    def guard(self) -> Guard:
        """The guard that this decision sets for the machine."""
        return Guard.STOP


Decision = Retry | Hold | Stop


@runtime_checkable
class Policy(Protocol):
    """Decides what follows an end. Any object with this method is one.

    It is a plain function of its arguments. It is asked once for each ended generation and each
    failed dial, the first dial and intentional ends included. For an intentional end the last
    wish decides the state; the answer gives only the rule and the fate of unsent messages.
    `Stop` is always valid then; `Retry`, or `Hold` after a wish to close, is a policy error.
    """

    def decide(self, close: Close, context: Context, /) -> Decision:
        """Answer `Retry`, `Hold` or `Stop`. An exception ends the engine in `closed`."""
        ...


STANDBY: Final = "standby"
"""The rule of an engine that rests because it does not hold its lease."""


class _Resting:
    """Decides in the place of the policy at an end with cause LEASE."""

    def decide(self, close: "Close", context: Context) -> Decision:
        """Rest; a hint comes with the lease."""
        del close, context
        return Hold(STANDBY)


RESTING: Final[Policy] = _Resting()
"""What decides for an engine without its lease."""
