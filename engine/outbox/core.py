"""The outbox without I/O: an event and the time go in, effects and one deadline come out.

In plain words: `send` offers a message. If the connection is open and nothing is held, the message
is handed over at once. Otherwise it waits in the backlog, within bounds, or in line for room. When
a connection opens, a flush hands over the waiting messages, one after the other; then messages go
directly. When a connection ends, the messages that may not have left it come back to the head of
the backlog. With acknowledgements, the ledger holds each message until it is acknowledged, and at
most a window of them is on its way.

With a file, two rules make that outlive the process. A message is noted before it is accepted. And
it is marked before it is handed over, so that the process after a crash knows that the peer may
have it. Both are an effect `Save`, which the sender must have answered before the core goes on.

Each message moves along the table of `table.py`, and by no other way.
"""

from collections.abc import Callable, Iterable
from typing import Final

from recloser.fsm.decisions import Unsent
from recloser.fsm.states import State, Wish
from recloser.outbox import events
from recloser.outbox.dispatch import Dispatch
from recloser.outbox.effects import Answer, Effect, Save
from recloser.outbox.errors import OutboxFull
from recloser.outbox.events import Flushed, Offered
from recloser.outbox.holdings import Holdings
from recloser.outbox.intake import Intake
from recloser.outbox.message import Entry, Id, Message, Reason, check_storable
from recloser.outbox.options import Outbox
from recloser.outbox.table import Kind, MessageState, MessageTrigger
from recloser.outbox.window import ReadWindow
from recloser.transport.base import Delivery
from recloser.transport.errors import NotOpen

_T: Final = MessageTrigger
_TAKEN: Final = MessageTrigger.SENT
_PLAIN, _ACKNOWLEDGED = Kind.PLAIN, Kind.ACKNOWLEDGED
_SENT: Final = Delivery.SENT
_CLOSED, _OPEN, _CLOSING, _PASSIVE, _CONNECTING = (
    *(State.CLOSED, State.OPEN, State.CLOSING, State.PASSIVE, State.CONNECTING),
)  # an attribute of an enum costs as much as a call


class OutboxCore:
    """The outbox of one engine. It has no clock, no connection and no file.

    `closed` makes the error that says why the engine is closed. `window` bounds what is in memory
    of the messages that wait in a file.
    """

    __slots__ = ("_closed", "_dispatch", "_held", "_intake", "_options", "deadline")

    def __init__(
        self,
        options: Outbox,
        *,
        closed: Callable[[], Exception],
        window: ReadWindow | None = None,
    ) -> None:
        self._options = options
        self._closed = closed
        self._held = Holdings(options, window or ReadWindow())
        self._dispatch = Dispatch(self._held)
        self._intake = Intake(self._held)
        self.deadline: float | None = None
        """The moment at which `Due` must be told; None: no message waits for a moment."""

    # -- what can be asked --------------------------------------------------------------

    @property
    def held(self) -> int:
        """Messages that were accepted and are neither handed over nor settled."""
        return len(self._held)

    @property
    def idle(self) -> bool:
        """Whether all messages were handed over, and those to be acknowledged are settled."""
        held = self._held
        return held.backlog.empty and not (self._dispatch.flushing or held.ledger.sent_at)

    @property
    def bytes(self) -> int:
        """The size of the held messages; without the unread ones until they are counted."""
        held = self._held
        return held.backlog.bytes + sum(each.message.size for each in held.ledger.sent_at)

    @property
    def counted(self) -> bool:
        """Whether it is known how many messages the file has."""
        return self._held.backlog.counted

    @property
    def after(self) -> int | None:
        """The number behind which messages are in the file alone; None: all are in memory."""
        return self._held.backlog.after

    @property
    def doomed(self) -> bool:
        """Whether messages that are in the file alone are to be dropped as they are read."""
        return self._held.backlog.dooms

    @property
    def blank(self) -> bool:
        """Whether the outbox remembers no message, only the highest number."""
        return self.idle and self._held.blank

    @property
    def unacknowledged(self) -> int:
        """Messages that were handed over and are held until they are acknowledged."""
        return len(self._held.ledger.sent_at)

    def leaving(self) -> tuple[Message, ...]:
        """Return the messages in the file that were handed over and may not have left."""
        return tuple(entry.message for entry in self._held.ledger.leaving)

    def entries(self) -> tuple[Entry, ...]:
        """Return the held messages, in the order in which they will go out.

        Without those that are in the file alone, see `after`.
        """
        backlog = self._held.backlog
        return (*self._held.ledger.sent_at, *backlog.order, *backlog.later.values())

    def awaited(self, entries: Iterable[object]) -> int:
        """Count those of some entries that were handed over, and are held until acknowledged."""
        unacknowledged = self._held.ledger.sent_at
        return sum(entry in unacknowledged for entry in entries)

    def named(self, identity: Id, *, up_to: bool) -> list[Entry]:
        """Find the message that an acknowledgement names, and with `up_to` all before it.

        Only messages that were handed over can be acknowledged: others the peer cannot have. Raises
        `TypeError` unless it is an id, `RecloserError` without acknowledgements.
        """
        return self._held.named(identity, up_to=up_to)

    # -- events -------------------------------------------------------------------------

    def handle(self, event: events.Event, now: float) -> list[Effect]:
        """Handle one event completely; return the effects, in order.

        Events of an old generation or an old deadline change nothing.
        """
        held, dispatch = self._held, self._dispatch
        match event:
            case Flushed():
                if event.delivery is _SENT:
                    entry = event.entry
                    entry.move(_TAKEN, _ACKNOWLEDGED if entry.awaits else _PLAIN)
                    self._hand_on(event.generation, now)
            case Offered():
                entry = event.entry
                problem = self._refusal(entry.message, event.state, event.wish)
                self._enter(entry, problem, event.id, now, congested=event.congested)
            case events.Saved(entry):
                self._held.accept(entry)
                if held.backlog.after is not None:
                    held.leave_to_file(entry)
            case events.Sent():
                self._sent(event)
            case events.Ready(generation):
                self._hand_on(generation, now)
            case events.NotSaved(entry, error):
                self._not_saved(entry, error)
            case events.Cancelled(entry):
                if entry.state is MessageState.OFFERED:
                    held.backlog.step_out(entry)
                    self._held.refuse(entry)
            case events.Bounced(entry, state, wish, generation):
                if dispatch.bounced(entry, generation):
                    self._held.accept(entry)  # it waits again
                else:
                    self._enter(entry, self._refusal(entry.message, state, wish), None, now)
            case events.Unrendered(entry, flush):
                self._unrendered(entry, flush, now)
            case _:
                self._take_note(event, now)
        while not (held.backlog.reading or held.backlog.after is None) and self._intake.read_on():
            self._held.let_in_again()
            dispatch.resume()
        if held.watched and (
            held.acknowledged
            or held.suspects
            or (self.deadline is None) is bool(held.ledger.leaving)
        ):
            self.deadline = dispatch.arm(now)
        found, held.effects = held.effects, []
        if held.reports:
            found += held.reports
            held.reports = []
        return found

    def _take_note(self, event: events.Event, now: float) -> None:
        """Handle an event that is not about one message being sent."""
        held, dispatch = self._held, self._dispatch
        match event:
            case events.Acknowledged(entries):
                held.remove(entries, _T.ACKNOWLEDGE)
                self._go_on()
            case events.Due(deadline, unsent):
                if deadline == self.deadline:
                    self.deadline = None
                    dispatch.overdue(deadline, unsent, now)
                    self._go_on()
            case events.Looked(unsent):
                held.depart(unsent, dispatch.trial.on_trial)
            case events.Connected(generation, used):
                dispatch.connect(generation, now, used=used)
            case events.Disconnecting():
                dispatch.disconnect()
                self.deadline = None
            case events.Disconnected():
                self._disconnected(event, now)
            case events.Stopped(state):
                self._stopped(state)
            case events.Shown():
                held.expire(now)
                self._go_on()
            case events.Cleared():
                held.remove(self.entries(), _T.WITHDRAW)
                self._go_on()
            case events.MovedOut(entries):
                held.remove(entries, _T.WITHDRAW, hidden=True)
                self._go_on()
            case events.MovedIn():
                self._moved_in(event)
            case _:
                self._learn(event, now)

    def _learn(self, event: events.Event, now: float) -> None:
        """Handle an event that tells what the file has."""
        held = self._held
        match event:
            case events.Restored():
                self._intake.restore(event)
            case events.Known(messages):
                self._intake.know(messages)
            case events.Surveyed():
                self._intake.survey(event)
                self._held.let_in_again()
                self._dispatch.resume()
            case events.Window(after, messages, last) if after == held.backlog.after:
                self._intake.take_in(messages, last)
                held.expire(now)
                self._held.let_in_again()
                self._dispatch.resume()
            case events.Unreadable(error):
                held.damage, held.backlog.reading = error, True
                self._held.send_away(lambda: error)

    # -- what is offered ----------------------------------------------------------------

    def _refusal(self, message: Message, state: State, wish: Wish) -> Exception | None:
        """Return the error if a message is not accepted in this state of the engine, else None."""
        if state is _CLOSED:
            return self._closed()
        if state is not _OPEN:
            leaving = state is _CLOSING
            resting = state is _PASSIVE or (leaving and wish is Wish.SUSPEND)
            if (
                (resting and not self._options.in_passive)
                or (leaving and wish is Wish.CLOSE)
                or (message.generation is not None and state is not _CONNECTING)
            ):
                return NotOpen(state)
        if message.key is not None and self._held.durable:
            try:
                check_storable("key", message.key)
            except (TypeError, ValueError) as error:
                return error
        return self._held.damage

    def _enter(
        self,
        entry: Entry,
        problem: Exception | None,
        own: Id | None,
        now: float,
        *,
        congested: bool = False,
    ) -> None:
        """Hand a message over, queue it, or let it wait for room; unless there is a problem."""
        held, dispatch, message = self._held, self._dispatch, entry.message
        if problem is None and not message.number and (held.numbered or own is not None):
            problem = held.number(entry, own)
            message = entry.message
        if problem is not None:
            held.refuse(entry, problem)
            return
        if dispatch.connection is not None and dispatch.goes_directly(entry):
            lasting = congested and message.generation is None
            if not (lasting and held.backlog.takes(message)):
                dispatch.hand_over(entry, now)
                return
        if held.backlog.timed:
            held.expire(now)
            held.let_in()
        if held.backlog.takes(message) or held.makes_room(entry, message):
            held.admit(entry)
            if dispatch.connection is not None:
                dispatch.resume()

    def _not_saved(self, entry: Entry, error: Exception) -> None:
        """Refuse a message that is not in the file, unless it was handed over meanwhile."""
        if entry.delivery is not None or entry.state is not MessageState.WAITING:
            self._held.accept(entry)
            return
        self._held.remove([entry], _T.WITHDRAW)
        self._held.effects.append(Answer(entry, error))
        self._go_on()

    def _moved_in(self, event: events.MovedIn) -> None:
        """Accept messages of another outbox, behind the waiting ones; all or none."""
        messages, state, wish = event.messages, event.state, event.wish
        held = self._held
        found = (self._refusal(message, state, wish) for message in messages)
        problem = next((each for each in found if each is not None), None)
        if problem is None and not held.backlog.fit_all(messages, len(held)):
            problem = OutboxFull("messages to be held", len(held) + len(messages))
        if problem is None:
            problem = held.move_in(messages)
        if problem is None:
            self._dispatch.resume()
        else:
            held.effects.append(Answer(None, problem))

    # -- messages that were handed over -------------------------------------------------

    def _go_on(self) -> None:
        """Queue the messages that wait for room, and hand over those that may go."""
        self._held.let_in()
        self._dispatch.resume()

    def _hand_on(self, generation: int | None, now: float) -> None:
        """Queue the messages that wait for room, and go on with the flush of a generation."""
        held, dispatch = self._held, self._dispatch
        if dispatch.flushing and generation == dispatch.connection:
            line, left = held.backlog.line, 0
            while len(line) != left:  # one that is let in may have expired meanwhile
                left = len(line)
                held.expire(now)
                self._held.let_in()
            dispatch.hand_on(now)

    def _sent(self, event: events.Sent) -> None:
        """Answer a `send` that went to the connection, once the file knows what it must."""
        entry, delivery, unsent = event.entry, event.delivery, event.unsent
        held = self._held
        if delivery is _SENT:
            entry.move(_TAKEN, _ACKNOWLEDGED if entry.awaits else _PLAIN)
        entry.delivery = delivery
        if held.durable and not entry.awaits:
            if entry.state in (MessageState.HANDED_OVER, MessageState.ON_THE_WIRE):
                if unsent:
                    held.leave_later(entry)
                elif delivery is _SENT:  # or it may have come back, and gone out again
                    entry.move(_T.LEAVE)
            if unsent or delivery is Delivery.QUEUED:
                held.effects.append(Save(entry))
                return
        self._held.accept(entry)

    def _unrendered(self, entry: Entry, flush: int | None, now: float) -> None:
        """Drop a message that cannot be rendered; a direct one was never accepted."""
        if entry.state is MessageState.HANDED_OVER:  # `render` itself may have taken it out
            self._held.recall(entry)
            entry.message = entry.message.delivered(-1)
            if flush is None:
                self._held.refuse(entry)
            else:
                self._held.drop([entry], Reason.UNRENDERED)
        self._hand_on(flush, now)

    # -- the life of the engine ---------------------------------------------------------

    def _disconnected(self, event: events.Disconnected, now: float) -> None:
        """Take back the unsent messages, and keep or drop them as the policy decided."""
        generation, state, held = event.generation, event.state, self._held
        trial = self._dispatch.trial
        if self._options.resend:
            if event.fate is Unsent.DROP_REFUSED:
                trial.take_back(event, now)
            else:
                held.take_back(event.returned)
        self._held.send_away(lambda: NotOpen(state), generation)
        held.expire(now)
        held.drop(held.backlog.take(generation), Reason.GENERATION)
        if event.fate is Unsent.DROP:
            held.drop_all(Reason.DECISION)
        trial.end()
        self._held.let_in()

    def _stopped(self, state: State) -> None:
        """Refuse the messages that wait for room: there will be none."""
        if state is State.CLOSED:
            self._held.send_away(self._closed)
        elif not self._options.in_passive:
            self._held.send_away(lambda: NotOpen(state))
        self._held.let_in()
