"""The waiting messages against a plain list: bounds, bytes, and what of a file is in memory."""

from collections.abc import Iterable, Mapping
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
        if not behind:
            self.backlog.reopen(None, 0, len(found))
            for each in found:
                self.add(each)
            return
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
        rows = [each for each in self.waiting if each.number > backlog.after]
        part = rows[: WINDOW.messages]
        last = part[-1].number if len(rows) > len(part) else None
        found = [each.message for each in backlog.take_in(part, last)]
        assert found == [each for each in part if each in unread]
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


def full_of(outbox: Outbox, sizes: Iterable[int], first: int = 1) -> Backlog:
    """A backlog with messages of these sizes, numbered from `first` on."""
    backlog = Backlog(outbox, WINDOW)
    for number, size in enumerate(sizes, start=first):
        backlog.append(Entry(message(number, size, {})))
    return backlog


@pytest.mark.spec("G12.1")
@pytest.mark.parametrize(
    ("outbox", "sizes", "spills"),
    [
        (FILE, [1] * 4, False),
        (FILE, [1] * 5, True),
        (FILE, [30, 29], False),
        (FILE, [30, 30], True),
        (FILE, [30, 31], True),
        (MEMORY, [30, 30, 0, 0, 0, 0], False),
    ],
)
def test_what_comes_behind_a_full_memory_is_left_to_the_file(
    outbox: Outbox, sizes: list[int], spills: bool
) -> None:
    backlog = full_of(outbox, sizes, first=1000)
    assert backlog.after is None
    new = Entry(message(2000, 1, {}))
    backlog.append(new)
    assert backlog.after == (1999 if spills else None)
    assert backlog.leave_to_file(new) is spills
    if spills:
        backlog.append(Entry(message(3000, 1, {})))
        assert backlog.after == 1999


@pytest.mark.spec("G12.1")
def test_a_number_that_was_used_is_no_new_message() -> None:
    """What the file had is put in its place, however much it is."""
    backlog = Backlog(FILE, WINDOW)
    backlog.reopen(None, 0, 50)
    for number in (*range(10, 20), 50):
        backlog.append(Entry(message(number, 1, {})))
        assert backlog.after is None
    backlog.append(Entry(message(51, 1, {})))
    assert backlog.after == 50


@pytest.mark.spec("G3", "G12.3")
@pytest.mark.parametrize("numbers", [(8, 9, 4, 5), (9, 4)])
def test_what_is_known_later_has_its_place_before_what_is_new(numbers: tuple[int, ...]) -> None:
    backlog = Backlog(FILE, WINDOW)
    backlog.reopen(1, 8, 9)
    for number in numbers:
        backlog.append(Entry(message(number, 1, {"id": "own"})))
    backlog.count_unread(4, 4)
    assert list(backlog.later) == sorted(numbers)


@pytest.mark.spec("G12.2")
def test_what_a_decision_dropped_is_dropped_when_it_is_read_and_nothing_else() -> None:
    backlog = full_of(MEMORY, [1, 1])
    backlog.doom()
    assert (backlog.doomed, backlog.dooms) == (0, False)
    backlog = Backlog(FILE, WINDOW)
    backlog.reopen(0, 6, 6)
    backlog.count_unread(6, 6)
    assert not backlog.dooms
    backlog.doom()
    rows = [message(number, 1, {}) for number in range(1, 9)]
    again, new = Entry(rows[5]), Entry(rows[6])
    late = Entry(message(5, 1, {}))  # a connection had it meanwhile, and did not take it
    for entry in (late, again, new):
        backlog.append(entry)
    assert [backlog.leave_to_file(each) for each in (late, again, new)] == [False, False, True]
    for last, dooms in ((2, True), (4, True), (6, False), (7, False), (None, False)):
        backlog.take_in([row for row in rows if row.number == last], last)
        assert backlog.doomed == 6
        assert backlog.dooms is dooms


@pytest.mark.spec("G2.1", "G5")
def test_what_was_put_back_may_exceed_the_bounds_and_nothing_else_does() -> None:
    backlog = Backlog(Outbox(max_messages=2), WINDOW)
    first = [Entry(message(number, 1, {})) for number in (1, 2, 3)]
    rest = [Entry(message(4, 1, {})), Entry(message(5, 1, {"key": "a"}))]
    for entry in rest:
        backlog.append(entry)
    assert backlog.put_back(first) == []
    assert list(backlog.order) == first + rest
    for facts in ({}, {"key": "a"}):
        new = message(6, 1, facts)
        assert not backlog.fits(new)
        assert not backlog.takes(new)


@pytest.mark.spec("G2.2", "G3")
def test_what_fits_comes_behind_what_waits_for_room() -> None:
    backlog = full_of(Outbox(max_bytes=10), [5])
    large, small = Entry(message(2, 6, {})), message(3, 1, {})
    assert backlog.takes(small)
    backlog.line_up(large)
    assert backlog.fits(small)
    assert not backlog.takes(small)
    entry = Entry(small)
    backlog.line_up(entry)
    assert backlog.next_in_line() is None
    backlog.step_out(large)
    assert backlog.next_in_line() is entry
    assert not backlog.line
    assert backlog.takes(small)


@pytest.mark.spec("G2.4")
def test_what_comes_back_and_is_outdated_is_told_in_its_order() -> None:
    backlog = Backlog(MEMORY, WINDOW)
    newer = [Entry(message(number, 1, {"key": key})) for number, key in ((4, "a"), (5, "b"))]
    older = [Entry(message(number, 1, {"key": key})) for number, key in ((1, "b"), (2, "a"))]
    for entry in newer:
        backlog.append(entry)
    assert backlog.put_back(older) == older
    assert list(backlog.order) == newer


@pytest.mark.spec("G12.1")
def test_more_is_read_while_few_and_small_messages_are_in_memory() -> None:
    backlog = Backlog(FILE, WINDOW)
    backlog.reopen(4, 5, 9)
    entries = [Entry(message(number, size, {})) for number, size in enumerate((1, 1, 1, 40), 1)]
    for entry in entries:
        backlog.append(entry)
    backlog.count_unread(5, 1000)
    found = []
    for entry in entries:
        found.append(backlog.hungry)
        backlog.remove(entry)
    assert [*found, backlog.hungry] == [False, False, False, False, True]
    backlog.append(Entry(message(4, 39, {})))
    assert backlog.hungry
    backlog.reading = True
    assert not backlog.hungry


@pytest.mark.spec("G12.1")
def test_a_pause_of_the_flush_is_used_to_read_what_there_is_room_for() -> None:
    backlog = Backlog(FILE, WINDOW)
    backlog.reopen(9, 5, 14)
    backlog.count_unread(5, 5)
    found: list[tuple[bool, bool, int]] = []
    for number in range(1, 7):
        backlog.pausing = False
        hungry = backlog.hungry
        backlog.pausing = True
        found.append((hungry, backlog.hungry, backlog.next_part.messages))
        backlog.append(Entry(message(number, 1, {})))
    assert found == [(True, True, 2)] * 3 + [(False, True, 2), (False, True, 1), (False, False, 0)]


@pytest.mark.spec("G3", "G5")
def test_what_comes_back_later_has_its_place_behind_what_came_back_before() -> None:
    backlog = full_of(FILE, [4], first=7)
    for number, size in ((2, 1), (5, 2)):
        backlog.put_back([Entry(message(number, size, {"expires_at": LATE}))])
    assert [each.message.number for each in backlog.order] == [2, 5, 7]
    assert (len(backlog), backlog.bytes, backlog.timed) == (3, 7, 2)


@pytest.mark.spec("G12.2", "G12.4")
def test_the_bytes_are_known_when_all_was_read_before_it_was_counted() -> None:
    backlog = Backlog(FILE, WINDOW)
    backlog.reopen(1, 4, 5)
    backlog.append(Entry(message(1, 5, {})))
    backlog.take_in([message(3, 10, {}), message(5, 20, {})], None)
    assert (len(backlog), backlog.bytes, backlog.after) == (3, 35, None)


@pytest.mark.spec("G12.1")
def test_what_is_for_one_generation_passes_unless_it_is_to_be_acknowledged() -> None:
    backlog = full_of(FILE, [1])
    backlog.append(Entry(message(2, 1, {"generation": 1, "id": 2})))
    assert backlog.passing is None
    entry = Entry(message(3, 1, {"generation": 1}))
    backlog.append(entry)
    assert backlog.passing is entry
    backlog.remove(entry)
    assert backlog.passing is None
