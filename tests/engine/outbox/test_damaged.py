"""A damaged outbox file: it is noticed, and what can be read is saved."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recloser import OutboxDamaged, OutboxForeign, OutboxInUse, OutboxUnusable
from recloser.outbox import Salvaged, salvage
from recloser.outbox.file.database import APPLICATION, VERSION, Database
from recloser.outbox.file.stored_message import StoredMessage
from tests.engine.outbox.files import away, make, real, shown
from tests.engine.outbox.test_file import (
    FOREIGN,
    PAGE,
    SALVAGE,
    changed,
    descriptors,
    filled,
    newer,
    refused,
)

Damage = Callable[[bytearray, random.Random], None]


def a_page(content: bytearray, chance: random.Random) -> int:
    return chance.randrange(len(content) // PAGE) * PAGE


def flip(content: bytearray, chance: random.Random) -> None:
    content[a_page(content, chance) + chance.randrange(PAGE)] ^= 1 << chance.randrange(8)


def flip_many(content: bytearray, chance: random.Random) -> None:
    for _ in range(50):
        flip(content, chance)


def flip_in_one_page(content: bytearray, chance: random.Random) -> None:
    page = a_page(content, chance)
    for _ in range(20):
        content[page + chance.randrange(PAGE)] ^= 1 << chance.randrange(8)


def replace(content: bytearray, chance: random.Random) -> None:
    page = a_page(content, chance)
    content[page : page + PAGE] = chance.choice([bytes(PAGE), chance.randbytes(PAGE)])


def replace_many(content: bytearray, chance: random.Random) -> None:
    for _ in range(5):
        replace(content, chance)


def cut(content: bytearray, chance: random.Random) -> None:
    """But not to one byte, or none: SQLite takes that for a new file."""
    del content[chance.randrange(2, len(content)) :]


ALL = [flip, flip_many, flip_in_one_page, replace, replace_many, cut]


def damaged(
    path: Path, damage: Damage, counts: tuple[int, ...], seeds: int
) -> Iterator[list[StoredMessage]]:
    """Write files and damage them, one after the other; what had been in each."""
    for count in counts:
        path.unlink(missing_ok=True)
        written = filled(path, count, seed=count)
        sound = path.read_bytes()
        for seed in range(seeds):
            content = bytearray(sound)
            damage(content, random.Random(seed))
            path.write_bytes(content)
            yield written


def tried(path: Path) -> list[StoredMessage] | OutboxUnusable:
    """What is in a file, or why that cannot be told."""
    content = path.read_bytes()
    try:
        with closing(Database(str(path), fsync=False)) as file:
            found, last = file.rows(), file.last()
    except OutboxUnusable as error:
        assert path.read_bytes() == content
        for each in path.parent.glob(f"{path.name}-*"):
            assert each.stat().st_size == 0, "SQLite's log, which it could not empty"
            each.unlink()
        return error
    assert last == max((row.number for row in found), default=0)
    return found


def without_deliveries(found: list[StoredMessage]) -> list[StoredMessage]:
    """A flipped bit there changes a mark, and no message: no checksum covers it."""
    return [row._replace(deliveries=0) for row in found]


@pytest.mark.spec("G6")
@pytest.mark.parametrize("damage", ALL)
def test_damage_is_noticed_or_does_no_harm(tmp_path: Path, damage: Damage) -> None:
    path, noticed = tmp_path / "outbox.db", 0
    for written in damaged(path, damage, (1, 20, 300), seeds=40):
        found = tried(path)
        if isinstance(found, OutboxUnusable):
            noticed += 1
            assert type(found) in (OutboxDamaged, OutboxForeign), repr(found)
            assert found.path == str(path)
        else:
            assert without_deliveries(found) == without_deliveries(written)
    assert noticed > 20
    assert noticed == 120 or damage is not cut


@pytest.mark.spec("G6", "L6")
def test_an_engine_does_not_start_on_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    filled(path, 300)
    content = bytearray(path.read_bytes())
    content[7 * PAGE : 8 * PAGE] = bytes(PAGE)
    path.write_bytes(content)
    refused(path, OutboxDamaged, "is damaged (", advice=SALVAGE)


@pytest.mark.spec("G6")
@real
async def test_a_message_that_was_changed_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    async with away(path) as ws:
        await ws.send("pay 100")
    path.write_bytes(path.read_bytes().replace(b"pay 100", b"pay 900"))
    ws, transport = make(path)
    with pytest.raises(OutboxDamaged, match=r"is damaged \(message 1 is not as it was") as caught:
        ws.connect()
    assert transport.wires == []
    assert descriptors(tmp_path) == [], f"{caught} keeps the file"


def saved(path: Path) -> tuple[Salvaged, dict[int, StoredMessage], int]:
    """Save what can be read of a file: the answer, the rows, and the last number."""
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    new = path.with_name("new.db")
    answer = salvage(path, new)
    with closing(Database(str(new), fsync=False)) as file:
        rows, last = file.rows(), file.last()
    new.unlink()
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before
    assert (answer.messages, answer.bytes) == (len(rows), sum(row.size for row in rows))
    return answer, {row.number: row for row in rows}, last


def holes(path: Path, *pages: int) -> None:
    """Overwrite pages, counted from 1."""
    content = bytearray(path.read_bytes())
    for page in pages:
        content[(page - 1) * PAGE : page * PAGE] = b"\xa5" * PAGE
    path.write_bytes(content)


def root(path: Path, table: str) -> int:
    """The page in which a table begins."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))
        return int(found.fetchone()[0])


@pytest.mark.spec("G6")
@pytest.mark.parametrize("damage", ALL)
def test_what_is_saved_is_as_it_was_written_and_what_is_lost_is_told(
    tmp_path: Path, damage: Damage
) -> None:
    path = tmp_path / "outbox.db"
    for written in damaged(path, damage, (20, 300), seeds=6):
        try:
            answer, rows, last = saved(path)
        except OutboxForeign:
            assert damage is not replace  # its version was flipped, or no message is left
            continue
        lost = len(written) - len(rows)
        for row in written:
            found = rows.get(row.number, row)
            assert without_deliveries([found]) == without_deliveries([row])
        assert not (answer.whole and lost)
        assert last >= len(written) or answer.missing is None or damage is not replace
        if damage in (replace, replace_many) and answer.missing is not None:
            assert lost <= answer.missing + answer.spoilt


@pytest.mark.spec("G6")
def test_all_but_the_damaged_pages_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    written = [StoredMessage(number, None, None, "x" * 500, None, 0) for number in range(1, 601)]
    with closing(Database(str(path), fsync=False)) as file:
        file.write(written, {}, ())
    pages = path.stat().st_size // PAGE
    holes(path, pages // 3, pages // 2)
    answer, rows, last = saved(path)
    missing = [row.number for row in written if row.number not in rows]
    assert len(missing) == 14, "seven of these fit into a page"
    assert answer == Salvaged(586, 586 * 500, spoilt=0, missing=14)
    assert (last, answer.whole) == (600, False)
    assert list(rows.values()) == [row for row in written if row.number in rows]


@pytest.mark.spec("G6")
def test_pages_are_found_that_nothing_leads_to(tmp_path: Path) -> None:
    """They may be old ones, so what is in them is marked: it may have arrived."""
    path = tmp_path / "outbox.db"
    written = filled(path, 300)
    holes(path, root(path, "message"))
    answer, rows, last = saved(path)
    assert (answer.messages, answer.spoilt, answer.missing, last) == (300, 0, 0, 300)
    assert without_deliveries(list(rows.values())) == without_deliveries(written)
    assert all(row.deliveries for row in rows.values())


@pytest.mark.spec("G6")
def test_the_first_page_is_the_same_in_all_outboxes(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    written = filled(path, 300)
    holes(path, 1)
    refused(path, OutboxForeign, "is not an outbox of recloser", advice=FOREIGN)
    answer, rows, last = saved(path)
    assert answer == Salvaged(300, sum(row.size for row in written), 0, 0)
    assert (list(rows.values()), last) == (written, 300)


@pytest.mark.spec("G6")
def test_a_file_that_says_it_is_something_else_shows_by_its_rows_that_it_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox.db"
    written = filled(path, 30)
    changed(path, f"PRAGMA application_id = {APPLICATION ^ 1}")
    refused(path, OutboxForeign, "is not an outbox of recloser", advice=FOREIGN)
    answer, rows, _ = saved(path)
    assert (list(rows.values()), answer.whole) == (written, True)


@pytest.mark.spec("G6", "G7.6")
def test_no_number_is_used_again_where_nobody_knows_the_last(tmp_path: Path) -> None:
    """A peer that had seen it would take the new message for a double."""
    path = tmp_path / "outbox.db"
    filled(path, 300)
    holes(path, root(path, "numbers"))
    answer, rows, last = saved(path)
    assert (answer.messages, answer.missing, len(rows)) == (300, None, 300)
    assert not answer.whole
    assert last == 300 + 2**32


@pytest.mark.spec("G6")
def test_the_end_of_a_file_is_lost_up_to_the_last_number(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    written = filled(path, 300)
    with closing(Database(str(path), fsync=False)) as file:
        file.write((), {}, range(1, 101))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    answer, rows, last = saved(path)
    assert last == 300
    assert answer.missing is not None
    assert 0 < len(rows) < 200 <= len(rows) + answer.missing
    assert list(rows.values()) == [row for row in written if row.number in rows]


@pytest.mark.spec("G6", "G7.6")
def test_of_a_killed_process_that_lost_the_end_no_number_is_used_again(tmp_path: Path) -> None:
    """How many messages there were is not in the file then, only that there were no more."""
    path, killed_at = tmp_path / "outbox.db", tmp_path / "killed"
    written = filled(path, 300)
    killed_at.mkdir()
    with closing(Database(str(path), fsync=False)) as file:
        file.write([written[-1]._replace(number=301)], {}, ())
        file.connection.execute("PRAGMA wal_checkpoint")
        content = path.read_bytes()
    path = killed_at / "outbox.db"
    path.write_bytes(content[: len(content) * 3 // 4])
    answer, rows, last = saved(path)
    assert last == 301 + 1024
    assert answer.missing is not None
    assert 301 - len(rows) <= answer.missing
    assert not answer.whole


@pytest.mark.spec("G6")
@pytest.mark.parametrize("linked", [False, True])
def test_what_a_killed_process_left_in_the_log_is_saved_too(tmp_path: Path, linked: bool) -> None:
    path = tmp_path / "outbox.db"
    written = filled(path, 300)
    program = (
        "import os, sys\n"
        "from recloser.outbox.file.database import Database\n"
        "from recloser.outbox.file.stored_message import StoredMessage\n"
        "file = Database(sys.argv[1], fsync=False)\n"
        "late = StoredMessage(301, None, None, 'last words', None, 0)\n"
        "file.write([late], {}, ())\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, path], check=True)
    holes(path, path.stat().st_size // PAGE // 2)
    if linked:
        (tmp_path / "link").mkdir()
        path = tmp_path / "link" / "linked.db"
        path.symlink_to(tmp_path / "outbox.db")
    _, rows, last = saved(path)
    assert (rows[301].data, last) == ("last words", 301)
    assert 250 < len(rows) <= len(written), "one at least is in that page"


@pytest.mark.spec("G6")
@real
async def test_an_engine_goes_on_with_what_was_saved(tmp_path: Path) -> None:
    path, new = tmp_path / "outbox.db", tmp_path / "new.db"
    async with away(path) as ws:
        for number in range(1, 101):
            await ws.send(f"{number}:" + "x" * 500)
    holes(path, path.stat().st_size // PAGE // 2)
    ws, _ = make(path)
    with pytest.raises(OutboxDamaged, match="salvage"):
        ws.connect()
    answer = salvage(path, new)
    async with away(new) as ws:
        assert len(shown(ws)) == answer.messages > 90
        await ws.send("new")
        assert shown(ws)[-1] == (101, "new")
    assert new.stat().st_mode & 0o777 == 0o600


@pytest.mark.spec("L6")
def test_nothing_is_made_where_nothing_can_be_saved(tmp_path: Path) -> None:
    path, new = tmp_path / "outbox.db", tmp_path / "new.db"

    def refused_with(kind: type[OutboxUnusable], problem: str, target: Path = new) -> None:
        names = sorted(each.name for each in tmp_path.iterdir())
        with pytest.raises(OutboxUnusable) as caught:
            salvage(path, target)
        assert (type(caught.value), caught.value.problem) == (kind, problem)
        assert sorted(each.name for each in tmp_path.iterdir()) == names

    refused_with(OutboxUnusable, "is not there")
    path.write_text("Dear diary, " * 1000)
    refused_with(OutboxForeign, "is not an outbox of recloser")
    path.unlink()
    newer(path)
    refused_with(
        OutboxForeign, f"has schema version {VERSION + 1}, and this recloser knows {VERSION}"
    )
    path.unlink()
    filled(path, 3)
    refused_with(OutboxUnusable, "is there already: name one that is not", target=path)
    nowhere = tmp_path / "nowhere" / "new.db"
    refused_with(OutboxUnusable, "cannot be made (No such file or directory)", target=nowhere)
    with closing(Database(str(path), fsync=False)):
        refused_with(OutboxInUse, "is in use")
        with pytest.raises(OutboxInUse):  # and it is still locked
            Database(str(path), fsync=False)
