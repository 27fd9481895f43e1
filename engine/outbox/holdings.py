"""All messages of one outbox, and the effects of each change of theirs."""

from collections.abc import Callable, Collection, Container, Iterable
from typing import TYPE_CHECKING, Final

from recloser.fsm.errors import RecloserError
from recloser.outbox.backlog import Backlog
from recloser.outbox.effects import (
    Answer,
    Dropped,
    Effect,
    Forget,
    Hide,
    Look,
    Note,
    Resent,
    Save,
    Suspected,
)
from recloser.outbox.errors import OutboxFull
from recloser.outbox.ledger import Ledger, id_is_held
from recloser.outbox.message import Entry, Id, Message, Reason, move_all
from recloser.outbox.options import Outbox
from recloser.outbox.table import MessageState, MessageTrigger
from recloser.outbox.window import ReadWindow
from recloser.transport.base import Delivery

if TYPE_CHECKING:
    from recloser.outbox.errors import OutboxUnusable

_T: Final = MessageTrigger
_ADMIT: Final = MessageTrigger.ADMIT
_QUEUED: Final = Delivery.QUEUED  # an attribute of an enum costs as much as a call


class Holdings:
    """The backlog and the ledger, changed together: a message is in one of them at a time.

    Each change becomes effects: for the file, and for the application if a message is dropped.
    """

    __slots__ = (
        "_options",
        "acknowledged",
        "backlog",
        "damage",
        "durable",
        "effects",
        "last",
        "ledger",
        "numbered",
        "reports",
        "suspects",
        "watched",
    )

    def __init__(self, options: Outbox, window: ReadWindow) -> None:
        self._options = options
        self.acknowledged: Final = options.acknowledgements is not None
        self.durable: Final = options.path is not None
        self.numbered: Final = self.acknowledged or self.durable
        """Whether messages have numbers."""
        self.backlog: Final = Backlog(options, window)
        self.ledger: Final = Ledger(options.acknowledgements)
        self.effects: list[Effect] = []
        """The effects that are not collected yet."""
        self.reports: list[Effect] = []
        """The reports to the application, which come after all other effects."""
        self.suspects: dict[Entry, None] = {}
        """The messages of which the peer refused one, until it is known which."""
        self.watched: bool = self.numbered
        """Whether messages have numbers, or some were suspect on the present connection."""
        self.damage: OutboxUnusable | None = None
        """Why the file cannot be read any more."""
        self.last: int = 0
        """The highest number that was ever used."""

    def __len__(self) -> int:
        """Count the messages that were accepted and are neither handed over nor settled."""
        return len(self.backlog) + len(self.ledger.sent_at)

    @property
    def blank(self) -> bool:
        """Whether no message has a place, an id, or a claim to one."""
        ledger = self.ledger
        remembered = ledger.ids or ledger.leaving or self.suspects
        return not (len(self) or self.backlog.line or remembered)

    # -- messages that come in ----------------------------------------------------------

    def number(
        self, entry: Entry, own: Id | None, reserved: Container[object] = frozenset()
    ) -> Exception | None:
        """Give a message its number and its id; return the error if it cannot have that id."""
        number = self.last + 1
        if self.acknowledged or own is not None:
            if self._is_unread(own):
                return id_is_held(own)
            try:
                number, own = self.ledger.id_for(number, own, reserved)
            except (RecloserError, TypeError, ValueError) as error:
                return error
        if self.numbered:
            self.last = number
            entry.message = _numbered(entry.message, number, own)
            if own is not None:
                self.ledger.register(entry)
        return None

    def makes_room(self, entry: Entry, message: Message) -> bool:
        """Make room for a message by dropping others, or drop it, refuse it, or let it wait."""
        options, backlog = self._options, self.backlog
        if message.size > options.max_bytes:
            self.refuse(entry, OutboxFull("max_bytes", options.max_bytes))
        elif options.when_full == "wait" or backlog.line or not backlog.counted:
            backlog.line_up(entry)
        elif options.when_full == "raise":
            self.refuse(entry, OutboxFull("messages held", len(self)))
        elif options.when_full == "drop-newest":
            self.drop([entry], Reason.NEWEST)
            self.effects.append(Answer(entry, Delivery.DROPPED))
        else:
            self.drop(backlog.make_room(message), Reason.OLDEST)
            if backlog.fits(message):
                return True
            backlog.line_up(entry)  # until the oldest one was read, which is reported
        return False

    def accept(self, entry: Entry) -> None:
        """Answer that a message was accepted."""
        if entry.delivery is None:
            entry.delivery = Delivery.QUEUED
        self.effects.append(Answer(entry, entry.delivery))
        if entry in self.ledger.leaving:
            self.effects.append(Look())

    def refuse(self, entry: Entry, problem: Exception | None = None) -> None:
        """Answer that a message was not accepted; without a problem no caller waits."""
        entry.move(_T.WITHDRAW)
        self.ledger.forget(entry)
        if problem is not None:
            self.effects.append(Answer(entry, problem))

    def let_in(self) -> None:
        """Queue the messages that waited for room, in their turn, while they fit."""
        backlog = self.backlog
        while backlog.line and (entry := backlog.next_in_line()) is not None:
            self.admit(entry)

    def let_in_again(self) -> None:
        """Decide anew about the messages that waited for what the file has."""
        backlog = self.backlog
        self.let_in()
        if self._options.when_full == "wait" or not backlog.counted:
            return
        for entry in backlog.send_away():
            if backlog.takes(entry.message) or self.makes_room(entry, entry.message):
                self.admit(entry)

    def send_away(self, problem: Callable[[], Exception], generation: int | None = None) -> None:
        """Refuse the messages that wait for room."""
        for entry in self.backlog.send_away(generation):
            self.refuse(entry, problem())

    def refuse_doubles(self) -> None:
        """Refuse the messages that wait for room, and whose id a message of the file has."""
        for entry in [each for each in self.backlog.line if not self.ledger.knows(each)]:
            self.backlog.step_out(entry)
            self.refuse(entry, id_is_held(entry.message.id))

    def admit(self, entry: Entry) -> None:
        """Queue a message for which there is room; it is accepted when it is in the file."""
        self.queue(entry)
        if self.durable and entry.message.generation is None:
            self.effects.append(Save(entry))
        else:
            entry.delivery = _QUEUED
            self.effects.append(Answer(entry, _QUEUED))

    def queue(self, entry: Entry) -> None:
        """Let a message wait behind the others."""
        entry.move(_ADMIT)
        replaced = self.backlog.append(entry)
        if self.durable and entry.message.generation is None:
            self.effects.append(Note(entry.message))
        if replaced is not None:
            self.drop([replaced], Reason.REPLACED)

    def move_in(self, messages: Collection[Message]) -> Exception | None:
        """Queue messages of another outbox, all or none; return the error if none."""
        ledger = self.ledger
        own = [ledger.own_id(message) for message in messages]
        try:
            for identity in own:
                if identity is not None:
                    ledger.id_for(0, identity)
        except (TypeError, ValueError) as error:
            return error
        reserved = frozenset(own)
        for message, identity in zip(messages, own, strict=True):
            entry = Entry(_numbered(message, 0, None))
            self.number(entry, identity, reserved)
            entry.delivery = Delivery.QUEUED
            if message.suspect:
                self.suspects[entry], self.watched = None, True
            self.queue(entry)
        return None

    def _is_unread(self, identity: Id | None) -> bool:
        """Whether an unread message may have its number as this id."""
        after = self.backlog.after
        if after is None or not self.ledger.numbered or not isinstance(identity, int):
            return False
        return after < identity <= self.last

    # -- messages that leave ------------------------------------------------------------

    def drop_all(self, reason: Reason) -> None:
        """Drop all waiting messages; the unread ones as they are read, since they are reported."""
        self.drop(self.backlog.take(), reason)
        self.backlog.doom()

    def leave_to_file(self, entry: Entry) -> None:
        """Let a message be unread that is in the file now, if it comes behind the window."""
        own = entry.message.id is not None and not self.ledger.numbered
        if not own and self.backlog.leave_to_file(entry):
            self.ledger.forget(entry)

    def named(self, identity: Id, *, up_to: bool) -> list[Entry]:
        """Find what an acknowledgement means, see `OutboxCore.named`."""
        return self.ledger.named(identity, up_to=up_to, last=self.last, backlog=self.backlog.order)

    def leave_later(self, entry: Entry) -> None:
        """Keep a message in the file that was sent directly, until it is seen to have left."""
        self.ledger.leaving[entry] = False
        if entry.message.generation is None:
            self.effects.append(Note(entry.message))

    def recall(self, entry: Entry) -> None:
        """Forget that a message was handed over: the connection did not take it."""
        self.ledger.remove(entry)
        self.ledger.stop_leaving(entry)

    # -- messages that come back --------------------------------------------------------

    def take_back(self, returned: Iterable[Entry]) -> None:
        """Put back the unsent messages of a connection, and all unacknowledged ones."""
        ledger = self.ledger
        back = [each for each in returned if not each.awaits and each.move(_T.RETURN)]
        for entry in ledger.take():  # what is to be acknowledged comes back wherever it is
            entry.move(_T.RETURN)
            back.append(entry)
        if self.numbered:
            back.sort(key=lambda each: each.message.number)
        for entry in back:
            ledger.stop_leaving(entry)
        self.depart(())
        self.send_again(back)

    def send_again(self, entries: list[Entry]) -> None:
        """Put back messages that were handed over, up to `max_deliveries` times."""
        if not entries:
            return
        self.effects.append(Resent(len(entries)))
        self.put_back(entries)
        over = [
            each
            for each in entries
            if each.state is MessageState.WAITING and self.ledger.exhausted(each.message)
        ]
        for entry in over:
            self.backlog.remove(entry)
        self.drop(over, Reason.UNACKNOWLEDGED)

    def put_back(self, entries: list[Entry]) -> None:
        """Put messages back to the head of the backlog."""
        if self.durable:
            self.effects += [Note(e.message) for e in entries if e.message.generation is None]
        self.drop(self.backlog.put_back(entries), Reason.REPLACED)

    # -- messages that go ---------------------------------------------------------------

    def remove(
        self, entries: Collection[Entry], trigger: MessageTrigger, *, hidden: bool = False
    ) -> None:
        """Stop holding messages; `hidden` ones stay in the file until another outbox has them."""
        for entry in entries:
            if entry.state is MessageState.WAITING:
                self.backlog.remove(entry)
            else:
                self.ledger.remove(entry)
            entry.move(trigger)
            self.ledger.forget(entry)
            self.suspects.pop(entry, None)
        if hidden and self.durable:
            self.effects.append(Hide(tuple(each.message.number for each in entries)))
        else:
            self._forget(entries)

    def drop(self, entries: Collection[Entry], reason: Reason) -> None:
        """Report messages that were taken out."""
        if not entries:
            return
        self._forget([each for each in entries if each.state is not MessageState.OFFERED])
        for entry in entries:
            entry.move(_T.DROP)
            self.ledger.forget(entry)
            self.suspects.pop(entry, None)
        self.reports.append(Dropped(tuple(each.message for each in entries), reason))

    def expire(self, now: float) -> None:
        """Drop the messages whose time to live is over."""
        if self.backlog.timed:
            self.drop(self.backlog.expired(now), Reason.EXPIRED)

    def suspect(self, entries: Iterable[Entry]) -> None:
        """Suspect the waiting ones of these messages: the peer refused one of them."""
        found = [each for each in entries if each.state is MessageState.WAITING]
        for entry in found:
            self._mark_suspect(entry, suspect=True)
            self.suspects[entry], self.watched = None, True
        if found:
            self.effects.append(Suspected(len(found)))

    def absolve(self, entry: Entry) -> None:
        """Suspect a message no longer: the connection lived on after it."""
        if self.suspects.pop(entry, entry) is None:
            self._mark_suspect(entry, suspect=False)

    def _mark_suspect(self, entry: Entry, *, suspect: bool) -> None:
        entry.message = entry.message.suspected(suspect)
        if self.durable and entry.message.generation is None:
            self.effects.append(Note(entry.message))

    def depart(self, unsent: Container[object], on_trial: Entry | None = None) -> None:
        """Take the messages out of the file that have left the process.

        The `unsent` ones stay, and the one that may be refused yet.
        """
        leaving = self.ledger.leaving
        if not leaving:
            return
        entries = [each for each in leaving if each is not on_trial and each not in unsent]
        self._forget(entries)
        move_all(entries, _T.LEAVE)
        if len(entries) == len(leaving):
            leaving.clear()
        else:
            for entry in entries:
                del leaving[entry]
        if self.suspects:
            for entry in entries:
                self.suspects.pop(entry, None)

    def _forget(self, entries: Iterable[Entry]) -> None:
        """Take messages out of the file."""
        if self.durable:
            numbers = [e.message.number for e in entries if e.message.generation is None]
            if numbers:
                self.effects.append(Forget(tuple(numbers)))


def _numbered(message: Message, number: int, identity: Id | None) -> Message:
    """Copy a message with this number and id."""
    # `_replace` would take four times as long, and `Message` with nine values twice.
    return tuple.__new__(Message, (*message[:5], number, identity, *message[7:]))
