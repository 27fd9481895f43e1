"""Hands messages to the connection: the flush, marks in the file, time-outs."""

from collections.abc import Container
from collections.abc import Set as AbstractSet
from math import inf
from typing import Final

from recloser.outbox.backlog import passes
from recloser.outbox.effects import Direct, Flush, Forget, Look, Mark, Overdue, Save, Send
from recloser.outbox.holdings import Holdings
from recloser.outbox.message import Entry, Message, Reason
from recloser.outbox.table import MessageState, MessageTrigger
from recloser.outbox.trial import Trial

TURN: Final = 64
"""Messages after which a flush lets other tasks run, and that are marked together at first."""
MARKED: Final = 1024
"""Messages that are marked together at most. After a kill they all count as delivered, so a flush
begins with fewer, and none of more than `TURN` is one whose deliveries count: one with an id."""
LOOK: Final = 0.5
"""Seconds until a message that was in the write buffer is looked for again."""

_T: Final = MessageTrigger
_HAND_OVER: Final = MessageTrigger.HAND_OVER  # an attribute of an enum costs as much as a call
_NONE: Final[frozenset[int]] = frozenset()


class Dispatch:
    """Decides which message goes to the connection, and when; one flush is under way at most."""

    __slots__ = (
        "_flushed",
        "_held",
        "_look_at",
        "_mark_next",
        "_marked",
        "_marking",
        "connection",
        "flushing",
        "trial",
    )

    def __init__(self, held: Holdings) -> None:
        self._held = held
        self._flushed: Entry | None = None
        """The message that the flush handed over last."""
        self._marking: AbstractSet[int] = _NONE
        self._marked: AbstractSet[int] = _NONE
        """Numbers of the messages that are being marked in the file, and of the marked ones."""
        self._mark_next = TURN
        """How many messages are marked together the next time."""
        self._look_at: float | None = None
        self.trial: Trial = Trial(held)
        self.connection: int | None = None
        """The generation whose connection takes messages."""
        self.flushing: bool = False
        """Whether a flush is under way."""

    # -- the connection -----------------------------------------------------------------

    def connect(self, generation: int, now: float, *, used: bool) -> None:
        """Hand messages to the connection of this generation from now on.

        `used` says that messages were sent on it before.
        """
        self.connection = generation
        self.trial.connect(now, used=used)
        self._held.watched = self._held.numbered or bool(self._held.suspects)
        self.resume()

    def disconnect(self) -> None:
        """Stop handing over."""
        self.connection, self.flushing = None, False
        self._marked = self._marking = _NONE
        self._mark_next = TURN
        self._held.backlog.pausing = False

    def bounced(self, entry: Entry, generation: int) -> bool:
        """Take back a message that an ended connection refused; return whether it waits again.

        A message of the flush waits again. A message of `send` must be offered once more.
        """
        if generation == self.connection:
            self.disconnect()
        self._held.recall(entry)
        if entry is self._flushed:
            self._flushed = None
            entry.move(_T.RETURN)
            self._held.put_back([entry])
        elif entry.state is MessageState.HANDED_OVER:
            entry.move(_T.BOUNCE)
        return entry.state is not MessageState.OFFERED

    # -- the next message ---------------------------------------------------------------

    def goes_directly(self, entry: Entry) -> bool:
        """Whether a message may go at once: no message ahead of it may go."""
        if self.connection is None or self.flushing:
            return False
        held = self._held
        if held.suspects and self.trial.on_trial is not None:
            return passes(entry.message)
        if entry.awaits:
            return not (held.backlog.order or held.durable or held.ledger.full)
        return held.backlog.empty or passes(entry.message)

    def hand_over(self, entry: Entry, now: float) -> None:
        """Hand a message to the connection."""
        entry.hand_over()
        if entry.awaits:
            self._held.ledger.add(entry, now)
        else:
            self.trial.handed_over(entry, now)
        self._held.effects.append(Send(entry))

    def next(self) -> Entry | None:
        """Return the message that may go now: the first that waits, or one that may pass it.

        Nothing else goes beside a suspect.
        """
        held = self._held
        first = held.backlog.first
        if first is None:
            return None
        if first.awaits and held.ledger.full:
            return held.backlog.passing
        if held.suspects and self.trial.keeps_back(first):
            return held.backlog.passing
        return first

    # -- the flush ----------------------------------------------------------------------

    def resume(self) -> None:
        """Flush the backlog, if a connection is open; send directly if it is empty."""
        if self.connection is None or self.flushing:
            return
        held = self._held
        if self.next() is not None:
            self.flushing = True
            if not (held.numbered or held.suspects):
                self.trial.lose_sight()
            held.effects.append(Flush(self.connection))
        elif not (held.numbered or held.backlog.order or held.suspects):
            self.trial.lose_sight()
            held.effects.append(Direct())

    def hand_on(self, now: float) -> None:
        """Go on with the flush: hand over the next message, mark some first, or end it.

        The marks of before are in the file now, or the file cannot be written.
        """
        held = self._held
        backlog = held.backlog
        if self._marking:
            self._marked, self._marking = self._marking, _NONE
            backlog.pausing = False
        if backlog.timed:
            held.expire(now)
        entry = self.next() if held.acknowledged or held.suspects else backlog.first
        if entry is None:
            self.flushing, self._flushed = False, None
            if held.ledger.leaving:
                held.effects.append(Look())
            self.resume()
            return
        message = entry.message
        if held.durable and message.number not in self._marked and not passes(message):
            if held.ledger.leaving:
                held.effects.append(Look())
            self._mark(backlog.head(1 if message.suspect else self._mark_next))
            return
        backlog.remove(entry)
        self._flushed, uncounted = entry, not held.watched
        if entry.awaits:
            held.ledger.add(entry, now)
        elif held.durable:
            held.ledger.leaving[entry] = uncounted = not (message.suspect or message.deliveries)
        if held.watched and (message.suspect or not entry.awaits):
            self.trial.handed_over(entry, now)
        if uncounted:
            entry.move(_HAND_OVER)
        else:
            entry.hand_over()
        held.effects.append(Send(entry))

    def _mark(self, head: list[Message]) -> None:
        """Mark messages in the file that are about to be handed over, the first of these."""
        named = (at for at, each in enumerate(head) if at >= TURN and each.id is not None)
        batch = head[: next(named, None)]
        self._mark_next = min(2 * self._mark_next, MARKED)
        effects = self._held.effects
        lasting = {each.number: each.deliveries + 1 for each in batch if each.generation is None}
        self._marked, self._marking = _NONE, lasting.keys()
        if lasting:
            effects.append(Mark(lasting))
        if len(lasting) < len(batch):
            self._marking = frozenset([each.number for each in batch])
            spent = [each.number for each in batch if each.generation is not None]
            effects.append(Forget(tuple(spent)))
        effects.append(Save(None))
        self._held.backlog.pausing = True

    # -- messages in the connection -----------------------------------------------------

    def overdue(self, deadline: float, unsent: Container[object], now: float) -> None:
        """Send overdue messages again; a message that has not left gets more time."""
        held = self._held
        back = []
        self.trial.judge(unsent, deadline)
        for entry in held.ledger.overdue(deadline):
            if entry in unsent:  # a second copy would go out behind it
                held.ledger.add(entry, now)
            else:
                entry.move(_T.OVERDUE)
                held.absolve(entry)
                back.append(entry)
        if back:
            held.effects.append(Overdue(len(back)))
            outdated = held.ledger.outdated(back)
            held.drop(outdated, Reason.REPLACED)
            held.send_again([each for each in back if each not in outdated])
        self._look_at = None
        held.depart(unsent, self.trial.on_trial)

    def arm(self, now: float) -> float | None:
        """Return the moment of the next overdue message, or of the next look at the buffer."""
        ledger, due = self._held.ledger, inf
        if self.connection is None:
            self._look_at = None
        else:
            if ledger.sent_at:
                due = ledger.due
            if not ledger.leaving:
                self._look_at = None
            elif self._look_at is None:
                self._look_at = now + LOOK
            if self.trial.quiet_until is not None and self._held.suspects:
                due = min(due, self.trial.quiet_until)
        if self._look_at is not None:
            due = min(due, self._look_at)
        return None if due == inf else due
