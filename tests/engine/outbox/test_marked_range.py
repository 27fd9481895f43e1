"""Many messages of a flush are marked by one row of the file: whoever reads it finds the marks."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recloser.outbox.errors import OutboxDamaged
from recloser.outbox.file.database import Database
from recloser.outbox.file.reader import first_rows, next_messages, survey
from recloser.outbox.file.recovery import salvage
from recloser.outbox.file.snapshot import read_snapshot
from recloser.outbox.file.statements import MarkedRange
from recloser.outbox.file.stored_message import StoredMessage
from recloser.outbox.window import ReadWindow
from tests.engine.outbox.files import killed

MANY = 100


def row(number: int, *, key: str | None = None) -> StoredMessage:
    return StoredMessage(number, None, key, f"message {number}", None, 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a file with as many messages, every tenth of which has a key."""
    found = tmp_path / "outbox.db"
    with closing(Database(str(found), fsync=False)) as database:
        keys = ("key" if number % 10 == 0 else None for number in range(1, MANY + 1))
        rows = [row(number, key=key) for number, key in enumerate(keys, 1)]
        database.write(rows, {}, ())
    return found


def stored(database: Database) -> dict[int, int]:
    """The deliveries in the rows themselves."""
    return dict(database.connection.execute("SELECT number, deliveries FROM message"))


def by_rows(path: Path) -> dict[int, int]:
    return {each.number: each.deliveries for each in read_snapshot(path)[0]}


def by_first_rows(path: Path) -> dict[int, int]:
    with closing(Database(str(path), fsync=False)) as database:
        return {each.number: each.deliveries for each in first_rows(database, ReadWindow())[0]}


def by_window(path: Path) -> dict[int, int]:
    """The plain messages by windows, and the others by a survey."""
    with closing(Database(str(path), fsync=False)) as database:
        found = {each.number: each.deliveries for each in survey(database, 0)[2]}
        after, more = 0, True
        while more:
            part, more = next_messages(database, after, ReadWindow(messages=7))
            found |= {each.number: each.deliveries for each in part}
            after = part[-1].number if part else after
    return dict(sorted(found.items()))


def by_salvage(path: Path) -> dict[int, int]:
    new = path.with_name("saved.db")
    salvage(path, new)
    try:
        return by_rows(new)
    finally:
        new.unlink()


READERS = [by_rows, by_first_rows, by_window, by_salvage]


@pytest.mark.spec("G6")
@pytest.mark.parametrize("read", READERS)
def test_each_reader_finds_the_marks_of_a_process_that_was_killed(
    path: Path, tmp_path: Path, read: Callable[[Path], dict[int, int]]
) -> None:
    expected = dict.fromkeys(range(1, MANY + 1), 0)
    with closing(Database(str(path), fsync=False)) as database:
        database.write((), dict.fromkeys(range(20, 61), 3), ())
        expected |= dict.fromkeys(range(20, 61), 3)
        assert set(stored(database).values()) == {0}, "no row was written"
        assert read(killed(path, tmp_path / "killed.db")) == expected


@pytest.mark.spec("G6")
def test_a_mark_of_many_changes_one_row_and_the_next_one_writes_what_is_left(path: Path) -> None:
    with closing(Database(str(path), fsync=False)) as database:
        before = database.connection.total_changes
        database.write((), dict.fromkeys(range(1, 41), 1), ())
        assert database.connection.total_changes - before == 1
        database.write((), dict.fromkeys(range(41, 81), 1), range(1, 39))
        left = {number: times for number, times in stored(database).items() if times}
        assert left == {39: 1, 40: 1}
        assert database.connection.total_changes - before == 1 + 38 + 2 + 1
        database.write((), {}, range(39, 81))
        assert database.marked == MarkedRange(41, 80, 1), "it stays until the next one"


@pytest.mark.spec("G6")
def test_a_message_that_is_written_anew_has_its_own_deliveries(path: Path) -> None:
    with closing(Database(str(path), fsync=False)) as database:
        database.write((), dict.fromkeys(range(1, 41), 2), ())
        database.write([row(7)], {}, ())
        assert database.marked == MarkedRange()
        expected = {number: 2 if number <= 40 and number != 7 else 0 for number in stored(database)}
        assert stored(database) == expected
        assert {each.number: each.deliveries for each in database.rows()} == expected


@pytest.mark.spec("G6")
def test_a_mark_that_could_not_be_written_is_none(path: Path) -> None:
    with closing(Database(str(path), fsync=False)) as database:
        database.write((), dict.fromkeys(range(1, 41), 1), ())
        database.connection.execute("PRAGMA query_only = ON")
        with pytest.raises(Exception, match="cannot be written"):
            database.write((), dict.fromkeys(range(41, 81), 1), ())
        assert database.marked == MarkedRange(1, 40, 1)
        database.connection.execute("PRAGMA query_only = OFF")


@pytest.mark.spec("G6")
def test_where_nobody_knows_what_was_marked_all_may_have_been_delivered(path: Path) -> None:
    with closing(Database(str(path), fsync=False)) as database:
        database.write((), {50: 4}, ())
        database.connection.execute("DELETE FROM numbers")
    found = by_salvage(path)
    assert found == {number: 4 if number == 50 else 1 for number in range(1, MANY + 1)}


@pytest.mark.spec("G6")
def test_a_range_that_is_none_is_damage(path: Path) -> None:
    with closing(Database(str(path), fsync=False)) as database:
        database.connection.execute("UPDATE numbers SET high = 'far'")
    with pytest.raises(OutboxDamaged):
        Database(str(path), fsync=False)


NUMBERS = st.integers(1, 60)
RANGES = st.builds(lambda low, length: range(low, low + length), NUMBERS, st.integers(1, 40))
STEPS = st.lists(
    st.tuples(st.sampled_from(["note", "mark", "forget"]), RANGES, st.integers(1, 3)), max_size=8
)


@pytest.mark.spec("G6")
def test_what_a_kill_leaves_is_what_was_written_whatever_came_before(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    database = Database(str(path), fsync=False)

    @settings(max_examples=40)
    @given(STEPS)
    def play(steps: list[tuple[str, range, int]]) -> None:
        database.write((), {}, list(stored(database)))
        expected: dict[int, int] = {}
        for what, numbers, times in steps:
            if what == "note":
                database.write([row(number) for number in numbers], {}, ())
                expected |= dict.fromkeys(numbers, 0)
            elif what == "mark":
                marked = dict.fromkeys((each for each in numbers if each in expected), times)
                database.write((), marked, ())
                expected |= marked
            else:
                database.write((), {}, numbers)
                expected = {n: each for n, each in expected.items() if n not in numbers}
        expected = dict(sorted(expected.items()))
        copy = killed(path, tmp_path / "killed.db")
        for read in READERS:
            assert read(copy) == expected, read

    try:
        play()
    finally:
        database.close()


@pytest.mark.spec("G6")
@pytest.mark.parametrize("data", ["", "text", b"", b"bytes"])
@pytest.mark.parametrize("named", [False, True])
def test_no_bit_of_a_number_or_of_the_form_can_change_unnoticed(
    data: str | bytes, named: bool
) -> None:
    number = 2**40 + 77
    written = StoredMessage(number, number if named else None, None, data, None, 0)
    *values, checksum = written.sealed()
    assert StoredMessage.unsealed(*values, checksum) == written
    others = [written._replace(number=number ^ 1 << bit) for bit in range(63)]
    others += [each._replace(id=each.number) for each in others if named]
    others.append(written._replace(id=None if named else number))
    others.append(written._replace(data=data.encode() if isinstance(data, str) else data.decode()))
    others.append(written._replace(suspect=1))
    others.append(written._replace(key="key"))
    others.append(written._replace(expires_at=0.0))
    for other in others:
        with pytest.raises(ValueError, match="is not as it was written"):
            StoredMessage.unsealed(*other, checksum)
