"""Takes messages of the file into memory: the first, those that must be known, then the next."""

from collections.abc import Collection, Iterable
from typing import Final

from recloser.outbox.effects import Read, Survey
from recloser.outbox.events import Restored, Surveyed
from recloser.outbox.holdings import Holdings
from recloser.outbox.message import Entry, Message, Reason, move_all
from recloser.outbox.table import MessageState, MessageTrigger
from recloser.transport.base import Delivery

_T: Final = MessageTrigger
_ADMIT: Final = MessageTrigger.ADMIT
_QUEUED: Final = Delivery.QUEUED  # an attribute of an enum costs as much as a call


class Intake:
    """Decides what is read of the file, and gives each message that was read its place.

    One reading is under way at a time. A message that a decision of the policy meant while it was
    unread is dropped when it is read.
    """

    __slots__ = ("_held",)

    def __init__(self, held: Holdings) -> None:
        self._held = held

    def restore(self, event: Restored) -> None:
        """Hold the messages of the file, and those held before that are not in it yet.

        A message that was held and is not in the file any more was sent by another engine. What is
        behind the messages of the event is unread now.
        """
        messages, highest = event.messages, event.highest
        self._held.last = max(self._held.last, event.last)
        known = {entry.message.number: entry for entry in self._held.backlog.take()}
        kept = {each.number: known.get(each.number) or Entry(each) for each in messages}
        after = None if highest is None else max(kept, default=0)
        unread = 0 if highest is None or after is None else highest - after
        self._held.damage = None
        if event.last < self._held.backlog.doomed:
            self._held.backlog.doomed = 0  # another file is in its place
        self._held.backlog.reopen(after, unread, event.last)
        for number, entry in known.items():
            if entry.message.generation is not None or number in event.unwritten:
                kept[number] = entry
            elif number not in kept:
                entry.move(_T.WITHDRAW)
                self._held.ledger.forget(entry)
                self._held.suspects.pop(entry, None)
        for number in sorted(kept):
            self._join(kept[number])
        self._held.refuse_doubles()
        self._drop_doomed([each for number, each in kept.items() if number not in known])
        if after is None:
            self._held.backlog.doomed = 0
        else:
            self._held.effects.append(Survey(after))

    def survey(self, event: Surveyed) -> None:
        """Learn how many messages the file has behind the window."""
        self._held.backlog.count_unread(event.unread, event.bytes)

    def know(self, messages: Iterable[Message]) -> None:
        """Hold messages of the file that come behind unread ones."""
        backlog = self._held.backlog
        found = [Entry(each) for each in messages if each.number not in backlog.later]
        for entry in found:
            self._join(entry)
        self._held.refuse_doubles()
        self._drop_doomed(found)

    def take_in(self, messages: Collection[Message], last: int | None) -> None:
        """Take the next messages of the file into memory, up to the number `last`."""
        backlog = self._held.backlog
        backlog.reading = False
        found = backlog.take_in(messages, last)
        move_all(found, _ADMIT)
        register = self._held.ledger.register
        for entry in found:
            entry.delivery = _QUEUED
            if entry.message.id is not None:
                register(entry)
        self._drop_doomed(found)
        if last is None:
            backlog.doomed = 0

    def _join(self, entry: Entry) -> None:
        """Let a message of the file wait in its place."""
        if entry.message.suspect:
            self._held.suspects[entry], self._held.watched = None, True
        self._held.ledger.register(entry)
        if entry.state is MessageState.OFFERED:
            entry.move(_ADMIT)
            entry.delivery = _QUEUED
        replaced = self._held.backlog.append(entry)
        if replaced is not None:
            self._held.drop([replaced], Reason.REPLACED)

    def _drop_doomed(self, entries: Iterable[Entry]) -> None:
        """Drop those of some waiting messages that a decision of the policy meant."""
        doomed = self._held.backlog.doomed
        meant = [each for each in entries if each.message.number <= doomed] if doomed else []
        gone = [each for each in meant if each.state is MessageState.WAITING]
        for entry in gone:
            self._held.backlog.remove(entry)
        self._held.drop(gone, Reason.DECISION)

    def read_on(self) -> bool:
        """Have more of the file read, if the window has room; return whether all is in memory."""
        backlog = self._held.backlog
        after = backlog.after
        if after is None or not backlog.hungry:
            return False
        if backlog.unread:
            backlog.reading = True
            self._held.effects.append(Read(after, backlog.next_part))
            return False
        self.take_in((), None)
        return True
