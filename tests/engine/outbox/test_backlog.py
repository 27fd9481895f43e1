"""The waiting messages against a plain list: bounds, bytes, and what of a file is in memory."""

from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser import Outbox
from recloser.outbox.backlog import Backlog
from recloser.outbox.message import Entry, Message
from recloser.outbox.window import ReadWindow

WINDOW = ReadWindow(messages=2, bytes=20, ahead=3, most=5, most_bytes=60)
FILE = Outbox(path="outbox.db", max_messages=9, max_bytes=110)
MEMORY = Outbox(max_messages=9, max_bytes=110)
LATE = 5.0

SIZES = st.integers(0, 30)
KINDS = st.sampled_from(
    [{}, {}, {}, {"key": "a"}, {"key": "b"}, {"expires_at": LATE}, {"id": "own"}, {"suspect": True}]
)


class Step(NamedTuple):
    name: str
    size: int = 0
    facts: Mapping[str, Any] = MappingProxyType({})


STEPS = st.one_of(
    st.builds(Step, st.just("append"), SIZES, KINDS),
    st.builds(Step, st.just("append"), SIZES, KINDS),
    st.sampled_from(
        [Step(name) for name in ("read", "hand over", "hand over", "put back", "expire")]
    ),
)


def message(number: int, size: int, facts: Mapping[str, Any]) -> Message:
    return Message("", size, number=number, **facts)


class Queue:
    """A backlog beside a list of all messages that wait, wherever they are."""

    def __init__(self, outbox: Outbox) -> None:
        self.backlog = Backlog(outbox, WINDOW)
        self.outbox = outbox
        self.waiting: list[Message] = []
        self.out: list[Entry] = []
        self.numbers = count(1)

    @property
    def memory(self) -> list[Message]:
        return [e.message for e in (*self.backlog.order, *self.backlog.later.values())]

    @property
    def size(self) -> int:
        return sum(each.size for each in self.waiting)

    def twin(self, new: Message) -> list[Message]:
        return [each for each in self.waiting if new.key is not None and each.key == new.key]

    def fits(self, new: Message) -> bool:
        room = self.size - sum(each.size for each in self.twin(new))
        least = len(self.waiting) - len(self.twin(new))
        return least < self.outbox.max_messages and room + new.size <= self.outbox.max_bytes

    def begin(self, made: list[Step], first: int, unwritten: int) -> None:
        """Open a file: its first messages are read, and some of this process are not in it yet."""
        found = [message(next(self.numbers), each.size, each.facts) for each in made]
        file, own = found[: len(found) - unwritten], found[len(found) - unwritten :]
        here, behind = file[:first], file[first:]
        after = here[-1].number if here else 0
        self.backlog.reopen(after, len(behind), len(found))
        for each in (*here, *own):
            self.add(each)
        assert not self.backlog.counted
        assert not self.backlog.hungry
        assert not self.backlog.takes(message(0, 0, {}))
        plain = [each for each in behind if not (each.key or each.expires_at or each.id)]
        plain = [each for each in plain if not each.suspect]
        for each in behind:
            if each not in plain:
                self.add(each)
        self.backlog.count_unread(len(plain), sum(each.size for each in plain))
        self.waiting = sorted([*self.waiting, *plain], key=lambda each: each.number)

    def add(self, new: Message) -> None:
        entry = Entry(new)
        replaced = self.backlog.append(entry)
        twin = self.twin(new)
        assert ([] if replaced is None else [replaced.message]) == twin
        self.waiting = [each for each in self.waiting if each not in twin] + [new]

    def take(self, step: Step) -> None:
        backlog = self.backlog
        match step.name:
            case "append":
                self.append(step)
            case "hand over" if (entry := backlog.first) is not None:
                backlog.remove(entry)
                assert entry.message is self.waiting.pop(0)
                self.out.append(entry)
            case "put back":
                back, self.out = self.out[-3:], self.out[:-3]
                taken = {each.key for each in self.waiting if each.key is not None}
                kept = []
                for entry in reversed(back):
                    if entry.message.key not in taken or entry.message.key is None:
                        kept.append(entry.message)
                        taken.add(entry.message.key)
                outdated = [each for each in back if each.message not in kept]
                assert backlog.put_back(back) == outdated
                self.waiting = kept[::-1] + self.waiting
            case "expire":
                over = [each for each in self.waiting if each.expires_at is not None]
                assert not backlog.expired(LATE - 1)
                assert [each.message for each in backlog.expired(LATE)] == over
                self.waiting = [each for each in self.waiting if each not in over]
            case "read":
                self.read()

    def append(self, step: Step) -> None:
        backlog, new = self.backlog, message(next(self.numbers), step.size, step.facts)
        assert backlog.fits(new) is self.fits(new)
        assert backlog.takes(new) is self.fits(new)
        if not self.fits(new):
            return
        left = [each for each in self.memory if each not in self.twin(new)]
        full = len(left) >= WINDOW.most or sum(each.size for each in left) >= WINDOW.most_bytes
        spills = self.outbox.path is not None and backlog.after is None and full
        after = new.number - 1 if spills else backlog.after
        self.add(new)
        assert backlog.after == after
        entry = next(reversed([*backlog.order, *backlog.later.values()]))
        leaves = after is not None and not step.facts
        assert backlog.leave_to_file(entry) is leaves

    def read(self) -> None:
        """Read two messages of the file, as the core would; or find that there are no more."""
        backlog = self.backlog
        if not backlog.hungry:
            return
        here = self.memory
        assert backlog.after is not None
        unread = [each for each in self.waiting if each not in here]
        assert backlog.unread == len(unread)
        part = unread[: WINDOW.messages]
        last = part[-1].number if len(unread) > len(part) else None
        assert [each.message for each in backlog.take_in(part, last)] == part
        assert backlog.after == last

    def check(self) -> None:
        backlog, here = self.backlog, self.memory
        assert len(backlog) == len(self.waiting)
        assert backlog.bytes == self.size
        assert backlog.timed == sum(each.expires_at is not None for each in self.waiting)
        assert here == [each for each in self.waiting if each in here]
        if backlog.after is None:
            assert here == self.waiting
            assert not backlog.hungry
            assert backlog.empty is not bool(here)
            return
        assert not backlog.empty
        order = [each.message for each in backlog.order]
        assert order == [each for each in self.waiting if each.number <= backlog.after]
        near = len(order) < WINDOW.ahead and sum(each.size for each in here) < 2 * WINDOW.bytes
        assert backlog.hungry is (near or not order)


@pytest.mark.spec("G2.1", "G2.4", "G12.1", "G12.2", "G12.3")
@given(
    st.lists(st.builds(Step, st.just("row"), SIZES, KINDS), max_size=8),
    st.integers(0, 4),
    st.integers(0, 2),
    st.lists(STEPS, max_size=25),
)
def test_messages_in_memory_and_in_the_file_are_one_queue(
    made: list[Step], first: int, unwritten: int, steps: list[Step]
) -> None:
    queue = Queue(FILE)
    queue.begin(made, first, min(unwritten, len(made)))
    queue.check()
    for step in steps:
        queue.take(step)
        queue.check()


@pytest.mark.spec("G2.1", "G2.4")
@given(st.lists(STEPS, max_size=25))
def test_without_a_file_nothing_is_unread(steps: list[Step]) -> None:
    queue = Queue(MEMORY)
    for step in steps:
        queue.take(step)
        queue.check()
        assert queue.backlog.after is None
