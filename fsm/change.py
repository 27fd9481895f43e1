"""The record of one change of state: what every observer gets."""

from recloser.fsm.decisions import Context, Decision, Retry, Session
from recloser.fsm.named_tuple import NamedTuple
from recloser.fsm.record import Close
from recloser.fsm.states import State, Trigger


class StateChange(NamedTuple):
    """One change of state. `previous` and `current` always differ.

    One record says what is going on. The engine waits if `current` is backoff, and rests if it
    is passive. If it is closed, either the application ended the engine (`deliberate`) or the
    engine gave up (`gave_up`).
    """

    previous: State
    current: State
    trigger: Trigger
    """The trigger that moved the machine. It says who ended the connection; the code does not."""
    at: float
    """The engine's monotonic clock at the change, in seconds."""
    generation: int
    """The number of the dial that this change belongs to: the ended one if there is a record."""
    attempt: int
    """Failures in this run so far; 0 after a stable period."""
    peer: str = ""
    """The "host:port" of the latest dial, and before it of the first one to come; empty as long as
    a function is to give that."""
    close: Close | None = None
    """The close record, if a generation ended with this change."""
    context: Context | None = None
    """The context that the policy was given, if it was asked."""
    decision: Decision | None = None
    """The answer of the policy, if it was asked."""
    rule: str = ""
    """The rule behind the decision; empty if no policy was asked."""
    delay: float | None = None
    """Seconds to the next dial, when `current` is backoff."""
    uptime: float | None = None
    """Seconds that the ended generation was open; None if it never was."""
    waited: float = 0.0
    """Seconds for which the dial that ends with this change waited for a permit of the governor."""
    unsent: int = 0
    """Messages that have not left, or are not known to have."""
    undelivered: int = 0
    """Received messages that no consumer gets, counted since the change before."""
    error: Exception | None = None
    """The `PolicyError` that ended the engine, if one did."""

    @property
    def session(self) -> Session | None:
        """What the decision says of the session: to resume it, or to begin a new one."""
        return self.decision.session if isinstance(self.decision, Retry) else None

    @property
    def deliberate(self) -> bool:
        """Whether the application ended the engine with this change, and no policy failed."""
        if self.current is not State.CLOSED or self.error is not None:
            return False
        return self.trigger is Trigger.CLOSE or (self.close is not None and self.close.intentional)

    @property
    def gave_up(self) -> bool:
        """Whether the engine ended otherwise: a policy answered `Stop`, or failed."""
        return self.current is State.CLOSED and not self.deliberate
