"""The machine as data, and the only description of it in the project.

House rules:

1. Everything that may happen is a row here. The `transitions` machine, the diagrams, the
   exhaustive checks and the documentation are made from these rows or from the live machine.
2. Every pair of state and trigger is decided: it has rows, or it is ignored on purpose, or
   it is a bug in a driver and raises. `check` makes sure that no pair is two of these.
3. `closing` is left by the last wish alone and has no way to `backoff`; `closed` has no way
   out but `connect`. This is why an intentional close cannot loop, whatever a policy answers.
4. Rows of one pair carry different guards; no guard stands beside an unguarded row.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.states import Guard, State, Trigger


class Row(NamedTuple):
    """One way through the machine; `target` None is internal: the state stays."""

    source: State
    trigger: Trigger
    guard: Guard | None
    target: State | None


class Ignored(NamedTuple):
    """A pair that changes nothing, on purpose; with a guard, only while that holds."""

    source: State
    trigger: Trigger
    guard: Guard | None
    why: str


_S, _T, _G = State, Trigger, Guard

TABLE: Final[tuple[Row, ...]] = (
    Row(_S.CLOSED, _T.CONNECT, None, _S.CONNECTING),
    Row(_S.CONNECTING, _T.OPENED, None, _S.OPEN),
    Row(_S.CONNECTING, _T.LOST, _G.RETRY, _S.BACKOFF),
    Row(_S.CONNECTING, _T.LOST, _G.HOLD, _S.PASSIVE),
    Row(_S.CONNECTING, _T.LOST, _G.STOP, _S.CLOSED),
    Row(_S.CONNECTING, _T.CLOSE, None, _S.CLOSING),
    Row(_S.CONNECTING, _T.SUSPEND, None, _S.CLOSING),
    Row(_S.OPEN, _T.LOST, _G.RETRY, _S.BACKOFF),
    Row(_S.OPEN, _T.LOST, _G.HOLD, _S.PASSIVE),
    Row(_S.OPEN, _T.LOST, _G.STOP, _S.CLOSED),
    Row(_S.OPEN, _T.CLOSE, None, _S.CLOSING),
    Row(_S.OPEN, _T.SUSPEND, None, _S.CLOSING),
    Row(_S.OPEN, _T.STABLE, None, None),
    Row(_S.OPEN, _T.MOVE, None, None),
    Row(_S.OPEN, _T.FAILED, None, None),
    Row(_S.CLOSING, _T.LOST, _G.CLOSE, _S.CLOSED),
    Row(_S.CLOSING, _T.LOST, _G.SUSPEND, _S.PASSIVE),
    Row(_S.CLOSING, _T.LOST, _G.CONNECT, _S.CONNECTING),
    Row(_S.CLOSING, _T.FAILED, None, None),
    Row(_S.CLOSING, _T.CONNECT, None, None),
    Row(_S.CLOSING, _T.CLOSE, None, None),
    Row(_S.CLOSING, _T.SUSPEND, None, None),
    Row(_S.BACKOFF, _T.RETRY, None, _S.CONNECTING),
    Row(_S.BACKOFF, _T.CONNECT, None, _S.CONNECTING),
    Row(_S.BACKOFF, _T.WAKE, None, _S.CONNECTING),
    Row(_S.BACKOFF, _T.CLOSE, None, _S.CLOSED),
    Row(_S.BACKOFF, _T.SUSPEND, None, _S.PASSIVE),
    Row(_S.PASSIVE, _T.CONNECT, None, _S.CONNECTING),
    Row(_S.PASSIVE, _T.WAKE, _G.HELD, _S.CONNECTING),
    Row(_S.PASSIVE, _T.SUSPEND, None, None),
    Row(_S.PASSIVE, _T.CLOSE, None, _S.CLOSED),
)

IGNORED: Final[tuple[Ignored, ...]] = (
    Ignored(_S.CLOSED, _T.CLOSE, None, "closed already"),
    Ignored(_S.CLOSED, _T.SUSPEND, None, "nothing is kept in closed, so nothing can rest"),
    Ignored(_S.CLOSED, _T.MOVE, None, "there is no connection to move from"),
    Ignored(_S.CLOSED, _T.WAKE, None, "hints never override intent"),
    Ignored(_S.CONNECTING, _T.CONNECT, None, "a dial is under way already"),
    Ignored(_S.CONNECTING, _T.MOVE, None, "a dial is under way already"),
    Ignored(_S.CONNECTING, _T.WAKE, None, "a dial is under way already"),
    Ignored(_S.OPEN, _T.CONNECT, None, "open already"),
    Ignored(_S.OPEN, _T.WAKE, None, "the transport probes; the state does not change"),
    Ignored(_S.CLOSING, _T.OPENED, None, "the user closed while the handshake finished"),
    Ignored(_S.CLOSING, _T.MOVE, None, "the connection is being left already"),
    Ignored(_S.CLOSING, _T.WAKE, None, "hints never override intent"),
    Ignored(_S.BACKOFF, _T.MOVE, None, "there is no connection to move from"),
    Ignored(_S.PASSIVE, _T.MOVE, None, "there is no connection to move from"),
    Ignored(_S.PASSIVE, _T.WAKE, _G.SUSPENDED, "a rest the application asked for is its own"),
)


class BrokenTableError(Exception):
    """The table contradicts itself; raised on import, so it never reaches a user."""


def check(table: Iterable[Row] = TABLE, ignored: Iterable[Ignored] = IGNORED) -> None:
    """Raise `BrokenTableError` unless each pair is decided in exactly one way."""
    guards: defaultdict[tuple[State, Trigger], list[Guard | None]] = defaultdict(list)
    for source, trigger, guard, _ in (*table, *ignored):
        guards[source, trigger].append(guard)
    for (source, trigger), found in guards.items():
        pair = f"({source.value}, {trigger.value})"
        if len(set(found)) != len(found):
            raise BrokenTableError(f"{pair} has two entries with one guard: give each its own")
        if None in found and len(found) > 1:
            raise BrokenTableError(f"{pair} has an unguarded entry beside a guarded one")
    for row in table:
        if row.source is State.CLOSING and row.target is State.BACKOFF:
            raise BrokenTableError("closing must not lead to backoff: an own close would loop")
        if row.source is State.CLOSED and row.trigger is not Trigger.CONNECT:
            raise BrokenTableError("closed must be left by connect alone")


check()
