"""What the statements of a batch do to a file, beside what they mean."""

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recloser.outbox.file.database import Database
from recloser.outbox.file.statements import Statements
from recloser.outbox.file.stored_message import StoredMessage
from recloser.outbox.file.writer import Batch

NUMBERS = st.integers(1, 200)
RANGES = st.builds(lambda low, length: range(low, low + length), NUMBERS, st.integers(1, 150))
SEVERAL = st.one_of(st.lists(NUMBERS, unique=True, max_size=100), RANGES.map(list))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), SEVERAL),
        st.tuples(st.just("mark"), SEVERAL, st.integers(1, 3)),
        st.tuples(st.just("forget"), SEVERAL),
        st.tuples(st.just("write")),
    ),
    max_size=12,
)


def row(number: int, deliveries: int = 0) -> StoredMessage:
    return StoredMessage(number, None, None, f"message {number}", None, deliveries)


@pytest.mark.spec("G6", "G1.2")
def test_the_file_has_what_the_steps_say(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "outbox.db"), fsync=False)

    @settings(max_examples=60)
    @given(STEPS)
    def play(steps: list[tuple[object, ...]]) -> None:
        database.connection.execute("DELETE FROM message")
        expected: dict[int, int] = {}
        batch = Batch()
        for what, *values in [*steps, ("write",)]:
            numbers: list[int] = values[0] if values else []  # type: ignore[assignment]  # STEPS
            if what == "note":
                for number in numbers:
                    batch.note(row(number))
                expected |= dict.fromkeys(numbers, 0)
            elif what == "mark":
                there = [number for number in numbers if number in expected]
                batch.marked |= dict.fromkeys(there, values[1])  # type: ignore[arg-type] # the same
                expected |= dict.fromkeys(there, values[1])  # type: ignore[arg-type] # the same
            elif what == "forget":
                batch.forget(numbers)
                expected = {n: times for n, times in expected.items() if n not in numbers}
            else:
                batch.attempt(database)
                assert batch.problem is None
                batch = Batch()
                assert not database.connection.in_transaction
        found = {each.number: each.deliveries for each in database.rows()}
        assert found == expected

    try:
        play()
    finally:
        database.close()


def test_a_thousand_rows_are_few_statements() -> None:
    batch = Batch()
    for number in range(1, 1001):
        batch.note(row(number))
    batch.marked |= dict.fromkeys(range(2001, 3001), 1)
    batch.forget(range(4001, 5001))
    found = Statements(tuple(batch.put.values()), batch.marked, batch.removed)
    assert len(list(found)) == 17 + 1 + 1
    assert len(list(Statements((), {}, range(1, 2000, 2)))) == 17 + 1


@pytest.mark.spec("G7.6")
def test_the_last_number_is_known_whatever_was_removed_and_no_used_one_is_above_the_reserved(
    path: Path,
) -> None:
    with closing(Database(str(path), fsync=False)) as database:
        for added, removed, last in (
            (range(1, 4), (), 3),
            ((), (3, 1), 3),
            ((), (2,), 3),
            ((5000,), (), 5000),
            ((), (9000,), 9000),  # used by a message that was never in the file
            ((9001,), (5000,), 9001),
        ):
            database.write([row(number) for number in added], {}, removed)
            assert database.last() == last
            [[reserved]] = database.connection.execute("SELECT reserved FROM numbers")
            assert last <= reserved
    with closing(Database(str(path), fsync=False)) as database:
        assert database.last() == 9001
        [[reserved]] = database.connection.execute("SELECT reserved FROM numbers")
        assert reserved == 9001
