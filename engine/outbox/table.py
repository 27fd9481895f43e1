"""The states of one message and the moves between them, as data: the only description of them.

House rules:

1. A message of the outbox moves along a row of `TABLE`, or it does not move. `Entry.move` is the
   one place where that happens. The diagram, the walk and the documentation read these rows.
2. Each pair of state and trigger has rows, or it is ignored on purpose, or it is a bug of the core:
   `IllegalMove`, and nothing has changed.
3. A message that was settled, dropped or withdrawn never moves again. This is why what was
   acknowledged, reported or handed back cannot be sent once more.
4. Every other state leads to one of these three: no message is stuck.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from recloser.fsm.errors import RecloserError
from recloser.fsm.states import Word


class MessageState(Word):
    """The state of one message."""

    OFFERED = "offered"
    """`send` was called. The outbox has not accepted the message: it may have to wait for room."""
    WAITING = "waiting"
    """It is in the backlog, in its place in the order."""
    HANDED_OVER = "handed over"
    """It was given to the connection, whose `send` has not returned."""
    ON_THE_WIRE = "on the wire"
    """The connection took it. It may still be in the write buffer."""
    UNACKNOWLEDGED = "unacknowledged"
    """The connection took it. The peer has not said that it has it."""
    SETTLED = "settled"
    """The peer acknowledged it or, where nothing is acknowledged, it has left the process."""
    DROPPED = "dropped"
    """It will not be sent, and that was reported."""
    WITHDRAWN = "withdrawn"
    """It left the outbox: `send` refused it, or the application took it back."""


class MessageTrigger(Word):
    """A cause of a move of a message."""

    ADMIT = "admit"
    """There is room for it."""
    HAND_OVER = "hand over"
    """It is its turn, and the connection is open."""
    SENT = "sent"
    """The connection took it."""
    BOUNCE = "bounce"
    """The connection had ended, and did not take it; `send` has not answered yet."""
    RETURN = "return"
    """The connection ended, and the message may not have left."""
    LEAVE = "leave"
    """It is known to have left the process, or counts as such."""
    ACKNOWLEDGE = "acknowledge"
    """The peer says that it has it."""
    OVERDUE = "overdue"
    """The peer has not said so in time."""
    DROP = "drop"
    """Its time to live, the bounds, a newer message, the policy or the peer ended its wait."""
    WITHDRAW = "withdraw"
    """It was refused, taken out, or moved to another engine."""


class Kind(Word):
    """The kind of a message: it chooses between the rows of one pair."""

    PLAIN = "not acknowledged"
    """It is not acknowledged: it is settled when it has left."""
    ACKNOWLEDGED = "to be acknowledged"
    """It is held until the peer has it."""


class Transition(NamedTuple):
    """One way of a message."""

    source: MessageState
    trigger: MessageTrigger
    guard: Kind | None
    target: MessageState


class Skipped(NamedTuple):
    """A pair that changes nothing, on purpose."""

    source: MessageState
    trigger: MessageTrigger
    why: str


_S, _T, _K = MessageState, MessageTrigger, Kind

FINAL: Final = frozenset({_S.SETTLED, _S.DROPPED, _S.WITHDRAWN})
"""The states that nothing leaves."""

TABLE: Final[tuple[Transition, ...]] = (
    Transition(_S.OFFERED, _T.ADMIT, None, _S.WAITING),
    Transition(_S.OFFERED, _T.HAND_OVER, None, _S.HANDED_OVER),
    Transition(_S.OFFERED, _T.RETURN, None, _S.WAITING),
    Transition(_S.OFFERED, _T.DROP, None, _S.DROPPED),
    Transition(_S.OFFERED, _T.WITHDRAW, None, _S.WITHDRAWN),
    Transition(_S.WAITING, _T.HAND_OVER, None, _S.HANDED_OVER),
    Transition(_S.WAITING, _T.ACKNOWLEDGE, None, _S.SETTLED),
    Transition(_S.WAITING, _T.DROP, None, _S.DROPPED),
    Transition(_S.WAITING, _T.WITHDRAW, None, _S.WITHDRAWN),
    Transition(_S.HANDED_OVER, _T.SENT, _K.PLAIN, _S.ON_THE_WIRE),
    Transition(_S.HANDED_OVER, _T.SENT, _K.ACKNOWLEDGED, _S.UNACKNOWLEDGED),
    Transition(_S.HANDED_OVER, _T.BOUNCE, None, _S.OFFERED),
    Transition(_S.HANDED_OVER, _T.RETURN, None, _S.WAITING),
    Transition(_S.HANDED_OVER, _T.LEAVE, None, _S.SETTLED),
    Transition(_S.HANDED_OVER, _T.ACKNOWLEDGE, None, _S.SETTLED),
    Transition(_S.HANDED_OVER, _T.OVERDUE, None, _S.WAITING),
    Transition(_S.HANDED_OVER, _T.DROP, None, _S.DROPPED),
    Transition(_S.HANDED_OVER, _T.WITHDRAW, None, _S.WITHDRAWN),
    Transition(_S.ON_THE_WIRE, _T.RETURN, None, _S.WAITING),
    Transition(_S.ON_THE_WIRE, _T.LEAVE, None, _S.SETTLED),
    Transition(_S.UNACKNOWLEDGED, _T.RETURN, None, _S.WAITING),
    Transition(_S.UNACKNOWLEDGED, _T.ACKNOWLEDGE, None, _S.SETTLED),
    Transition(_S.UNACKNOWLEDGED, _T.OVERDUE, None, _S.WAITING),
    Transition(_S.UNACKNOWLEDGED, _T.WITHDRAW, None, _S.WITHDRAWN),
)

_EARLIER: Final = "the answer to an earlier hand-over of it"
_KNOWN: Final = "its fate was told before the end of the connection"
SKIPPED: Final[tuple[Skipped, ...]] = (
    Skipped(_S.WAITING, _T.SENT, "it came back before its `send` returned"),
    Skipped(_S.ON_THE_WIRE, _T.SENT, _EARLIER),
    Skipped(_S.UNACKNOWLEDGED, _T.SENT, _EARLIER),
    Skipped(_S.SETTLED, _T.SENT, "the peer was quicker"),
    Skipped(_S.DROPPED, _T.SENT, "it came back, and was dropped"),
    Skipped(_S.WITHDRAWN, _T.SENT, "it was taken out meanwhile"),
    Skipped(_S.WAITING, _T.RETURN, "it was overdue, and waits to be sent again"),
    Skipped(_S.SETTLED, _T.RETURN, _KNOWN),
    Skipped(_S.DROPPED, _T.RETURN, _KNOWN),
    Skipped(_S.WITHDRAWN, _T.RETURN, _KNOWN),
)


class BrokenMessageTableError(Exception):
    """The table contradicts itself; raised on import, so it never reaches a user."""


class IllegalMove(RecloserError):
    """The outbox moved a message in a way that the table does not have: a bug in recloser."""

    def __init__(self, state: MessageState, trigger: MessageTrigger) -> None:
        super().__init__(state, trigger)
        self.state = state
        self.trigger = trigger

    def __str__(self) -> str:
        return (
            f"no row for {self.trigger.value} of a message that is {self.state.value}: "
            "see outbox/table.py"
        )


def check(table: Iterable[Transition] = TABLE, skipped: Iterable[Skipped] = SKIPPED) -> None:
    """Raise `BrokenMessageTableError` unless the house rules hold."""
    table = tuple(table)
    guards: defaultdict[tuple[MessageState, MessageTrigger], list[Kind | None]] = defaultdict(list)
    for row in table:
        guards[row.source, row.trigger].append(row.guard)
    for source, trigger, _ in skipped:
        guards[source, trigger].append(None)
    for (source, trigger), found in guards.items():
        pair = f"({source.value}, {trigger.value})"
        if len(set(found)) != len(found):
            raise BrokenMessageTableError(f"{pair} has two entries for one kind of message")
        if found != [None] and set(found) != set(Kind):
            raise BrokenMessageTableError(f"{pair} must have one entry, or one for each kind")
    for row in table:
        if row.source in FINAL:
            raise BrokenMessageTableError(f"{row.source.value} is final, and must not be left")
    arrows = [(row.source, row.target) for row in table]
    ahead = _closure({MessageState.OFFERED}, arrows)
    back = _closure(set(FINAL), [(target, source) for source, target in arrows])
    for state in MessageState:
        if state not in ahead:
            raise BrokenMessageTableError(f"nothing leads to {state.value}")
        if state not in back:
            raise BrokenMessageTableError(f"{state.value} leads to no final state")


def _closure(
    found: set[MessageState], arrows: Iterable[tuple[MessageState, MessageState]]
) -> set[MessageState]:
    """Add all that the arrows reach."""
    arrows = tuple(arrows)
    while more := {target for source, target in arrows if source in found} - found:
        found |= more
    return found


check()

TARGETS: Final[Mapping[tuple[MessageState, MessageTrigger, Kind], MessageState]] = {
    (row.source, row.trigger, kind): row.target
    for row in TABLE
    for kind in Kind
    if row.guard in (None, kind)
}
"""The next state of a message; a triple that is not here is skipped, or a bug."""
IGNORED: Final = frozenset((source, trigger) for source, trigger, _ in SKIPPED)
