"""The kinds of ends that are counted together, and the bound on their number."""

from typing import Final, NamedTuple, TypeVar

from recloser.fsm.change import StateChange
from recloser.fsm.decisions import Phase
from recloser.fsm.record import Close

T = TypeVar("T")

OTHER: Final = "other"
"""Stands for every peer or rule beyond the bound."""
OTHER_CODE: Final = 0
"""Stands for every close code beyond the bound."""

_PEERS: Final = 100
_RULES: Final = 100
_CODES: Final = 50
_KINDS: Final = 2000


class EndKind(NamedTuple):
    """Ends of the same code, status, origin and intent."""

    code: int
    status: int | None
    origin: str
    intentional: bool


class CloseKind(NamedTuple):
    """Ends of the same kind at the same peer, decided by the same rule."""

    code: int
    """The close code; 0 for codes beyond the bound."""
    status: int | None
    """The HTTP status of a refused upgrade."""
    origin: str
    """The value of `Close.origin`."""
    intentional: bool
    peer: str
    """The "host:port" of the dial; "other" beyond the bound."""
    rule: str
    """The rule that decided; "other" beyond the bound."""

    @property
    def end(self) -> EndKind:
        """The kind of end, without peer and rule."""
        return EndKind(self.code, self.status, self.origin, self.intentional)


def end_kind(close: Close) -> EndKind:
    """Return the kind of an end."""
    return EndKind(close.code, close.status, close.origin.value, close.intentional)


def is_first_end(change: StateChange) -> bool:
    """Whether an end says something new: a connection that was open, or the first dial of a run.

    The dials that follow a failed one depend on the policy's delays: a rate of them would tell
    of the policy, and an outage would count for as often as it is asked about.
    """
    context = change.context
    return context is None or context.phase is Phase.OPEN or context.attempt <= 1


class KindBound:
    """Gives the kind of a close, and bounds how many there are.

    A peer chooses its codes, and a service its hosts and rules: what is beyond the bound is
    counted as "other". There are at most 100 peers, 100 rules, 50 codes and statuses, and
    some 2,500 kinds.
    """

    __slots__ = ("_codes", "_kinds", "_peers", "_rules")

    def __init__(self) -> None:
        self._peers: set[str] = set()
        self._rules: set[str] = set()
        self._codes: set[tuple[int, int | None]] = set()
        self._kinds: set[CloseKind] = set()

    def peer_of(self, change: StateChange) -> str:
        """Return the peer of a change; "other" beyond the bound."""
        return change.peer if _within(self._peers, change.peer, _PEERS) else OTHER

    def kind_of(self, change: StateChange, close: Close) -> CloseKind:
        """Return the kind of the end that a change tells of."""
        code, status = close.code, close.status
        if not _within(self._codes, (code, status), _CODES):
            code, status = OTHER_CODE, None
        kind = CloseKind(
            code,
            status,
            close.origin.value,
            close.intentional,
            self.peer_of(change),
            change.rule if _within(self._rules, change.rule, _RULES) else OTHER,
        )
        if _within(self._kinds, kind, _KINDS):
            return kind
        return kind._replace(peer=OTHER, rule=OTHER)


def _within(known: set[T], value: T, most: int) -> bool:
    """Whether a value is known, or there is room to know it."""
    if value in known:
        return True
    if len(known) >= most:
        return False
    known.add(value)
    return True
