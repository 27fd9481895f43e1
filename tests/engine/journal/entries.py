"""Short stories as entries, without an engine: one line of a journal after the other."""

from recloser.fsm import (
    Cause,
    Close,
    Context,
    Decision,
    Hold,
    Origin,
    Phase,
    Retry,
    State,
    StateChange,
    Stop,
)
from recloser.fsm.states import Trigger
from recloser.journal import JournalEntry

GONE = Close.frame(1000)
CUT = Close.cut(Cause.EOF)
BUSY = Close.refused(503)
LEFT = Close(
    code=1000, origin=Origin.APPLICATION, cause=Cause.CLOSE_FRAME, clean=True, intentional=True
)
START = 1_700_000_000.0


class Telling:
    """Makes the entries of one engine, with time passing between them."""

    def __init__(self, engine: str = "ada", since: float = START) -> None:
        self.engine = engine
        self.now = since
        self.state = State.CLOSED
        self.opened: float | None = None
        self.entries: list[JournalEntry] = []

    def to(self, state: State, trigger: Trigger, after: float, **facts: object) -> "Telling":
        """Let time pass, then go to a state."""
        self.now += after
        change = StateChange(
            previous=self.state,
            current=state,
            trigger=trigger,
            at=self.now - START,
            generation=1,
            attempt=0,
            **facts,
        )
        self.entries.append(JournalEntry(time=self.now, engine=self.engine, change=change))
        self.state = state
        return self

    def connect(self, after: float = 0.0, trigger: Trigger = Trigger.CONNECT) -> "Telling":
        return self.to(State.CONNECTING, trigger, after)

    def retry(self, after: float) -> "Telling":
        return self.connect(after, Trigger.RETRY)

    def open(self, after: float = 0.0) -> "Telling":
        self.to(State.OPEN, Trigger.OPENED, after)
        self.opened = self.now
        return self

    def lost(
        self, close: Close, decision: Decision, after: float = 0.0, **facts: object
    ) -> "Telling":
        """End a generation; the context says no more than what a test looks at."""
        state = {Retry: State.BACKOFF, Hold: State.PASSIVE, Stop: State.CLOSED}[type(decision)]
        uptime = None if self.opened is None else self.now + after - self.opened
        self.opened = None
        phase = Phase.DIAL if uptime is None else Phase.OPEN
        known = {
            "close": close,
            "context": Context(phase=phase, attempt=1, uptime=uptime),
            "decision": decision,
            "rule": decision.rule,
            "delay": decision.delay if isinstance(decision, Retry) else None,
            "uptime": uptime,
        }
        return self.to(state, Trigger.LOST, after, **{**known, **facts})
