"""The record of one change of state: what every observer gets."""

from dataclasses import dataclass

from recloser.fsm.decisions import Context, Decision
from recloser.fsm.record import Close
from recloser.fsm.states import State, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """One change of state. `previous` and `current` always differ.

    From one record it can be told what is going on: waiting (`current` is backoff), resting
    (passive), ended by the application (closed by a trigger other than `lost`, or with an
    intentional `close`), gave up (closed by `lost` with a close that was not intentional).
    """

    previous: State
    current: State
    trigger: Trigger
    """What moved the machine: who ended it is said by this, not by the code alone."""
    at: float
    """The engine's monotonic clock at the change, in seconds."""
    generation: int
    """The number of the dial that this change belongs to."""
    attempt: int
    """Failures in this run so far; 0 after a stable period."""
    close: Close | None = None
    """The close record, if a generation ended with this change."""
    context: Context | None = None
    """What the policy was told besides the close record, if it was asked."""
    decision: Decision | None = None
    """What the policy answered, if it was asked."""
    rule: str = ""
    """The rule behind the decision; empty if no policy was asked."""
    delay: float | None = None
    """Seconds to the next dial, when `current` is backoff."""
    uptime: float | None = None
    """Seconds that the ended generation was open; None if it never was."""
    unsent: int = 0
    """Messages that have not left, or are not known to have."""
    undelivered: int = 0
    """Received messages of an ended generation that nobody took: gone with this change."""
    error: Exception | None = None
    """The `PolicyError` that ended the engine, if one did."""
