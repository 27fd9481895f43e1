"""The file of an outbox that cannot be used: named, with what to do, and as it was."""

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from recloser import Delivery, OutboxForeign, OutboxInUse, OutboxUnusable, State
from recloser.outbox.file import database, writer
from recloser.outbox.file.database import APPLICATION, VERSION, Database
from recloser.outbox.file.stored_message import StoredMessage
from tests.engine.outbox import full_disk as full_disk_story
from tests.engine.outbox.engines import data_of
from tests.engine.outbox.files import away, make, real, rows

LOADED = (writer,)
"""Loaded before anybody gives up the right to read this folder."""
NOBODY = 65534
PAGE = 4096


def filled(path: Path, count: int, seed: int = 1) -> list[StoredMessage]:
    """Make a file with messages of all kinds."""
    chance = random.Random(seed)
    made = [
        StoredMessage(
            number,
            chance.choice([None, number, f"id {number}", b"%d" % number]),
            chance.choice([None, f"key {number}"]),
            chance.choice(["é" * chance.randrange(90), chance.randbytes(99), "x" * 5000]),
            chance.choice([None, 1e9 + number / 3]),
            chance.randrange(3),
        )
        for number in range(1, count + 1)
    ]
    with closing(Database(str(path), fsync=False)) as file:
        file.write(made, {}, ())
    return made


def descriptors(folder: Path) -> list[str]:
    """What this process has open in a folder, where the system tells."""
    found: list[str] = []
    if sys.platform != "linux":
        return found
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them is gone
            found.append(str(each.readlink()))
    return [each for each in found if each.startswith(str(folder))]


def refused(path: Path, kind: type[OutboxUnusable], problem: str, *, advice: str) -> None:
    """An engine must not start on it; nothing is dialled, held or changed."""
    content = (
        path.read_bytes()
        if path.is_file() and os.access(path, os.R_OK, effective_ids=True)
        else None
    )
    threads = set(threading.enumerate())

    async def story() -> None:
        ws, transport = make(path)
        for _ in range(2):
            with pytest.raises(OutboxUnusable) as caught:
                ws.connect()
            assert type(caught.value) is kind, caught.value
            assert caught.value.path == str(path)
            assert problem in caught.value.problem
            assert str(caught.value) == f"the outbox file {path} {caught.value.problem}: {advice}"
            assert (ws.state, len(ws.outbox), transport.wires) == (State.CLOSED, 0, [])
            assert descriptors(path.parent) == [], f"{caught.value!r} keeps the file"
        await ws.close()

    asyncio.run(story())
    assert set(threading.enumerate()) == threads
    if content is not None:
        assert path.read_bytes() == content


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


FOREIGN = "give another path, or use the version that wrote it"
PATH = "check the path and its permissions"
SALVAGE = "save what can be read with 'recloser outbox FILE --salvage NEW', and use NEW"


@pytest.mark.spec("G6")
@real
async def test_the_file_says_whose_it_is_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    before = os.umask(0)
    try:
        async with away(path) as ws:
            await ws.send("a")
            modes = [mode(path), mode(Path(f"{path}-wal"))]
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert APPLICATION.to_bytes(4) == b"RCLR"


@pytest.mark.spec("G6")
@real
async def test_a_mode_that_somebody_chose_stays(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.touch(0o640)
    path.chmod(0o640)
    async with away(path) as ws:
        await ws.send("a")
    assert mode(path) == 0o640
    assert rows(path) == [(1, "a")]


def changed(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def newer(path: Path) -> None:
    path.unlink(missing_ok=True)
    filled(path, 3)
    changed(path, f"PRAGMA user_version = {VERSION + 1}")


def older(path: Path) -> None:
    filled(path, 3)
    changed(path, f"PRAGMA user_version = {VERSION - 1}")


def another(path: Path) -> None:
    changed(path, "CREATE TABLE message (number INTEGER PRIMARY KEY, data)")


def another_empty(path: Path) -> None:
    changed(path, "PRAGMA application_id = 7")


def diary(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


def note(path: Path) -> None:
    path.write_text("xy")  # one byte is none to SQLite


@pytest.mark.spec("G6", "L6")
@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (newer, f"has schema version {VERSION + 1}, and this recloser knows {VERSION}"),
        (older, f"has schema version {VERSION - 1}, and this recloser knows {VERSION}"),
        (another, "is not an outbox of recloser"),
        (another_empty, "is not an outbox of recloser"),
        (diary, "is not an outbox of recloser"),
        (note, "is not an outbox of recloser"),
    ],
)
def test_what_is_not_ours_is_refused(
    tmp_path: Path, write: Callable[[Path], None], problem: str
) -> None:
    path = tmp_path / "outbox.db"
    write(path)
    refused(path, OutboxForeign, problem, advice=FOREIGN)
    assert [each.name for each in tmp_path.iterdir()] == ["outbox.db"]


@pytest.mark.spec("G6")
@pytest.mark.parametrize(
    "fact", [{"expires_at": 2.5}, {"id": 1}, {"suspect": 1}, {"deliveries": 1}]
)
def test_a_message_that_is_written_again_can_be_read(path: Path, fact: dict[str, Any]) -> None:
    """Its time to live was computed anew: the checksum changed, and the stored time did not."""
    first = StoredMessage(1, None, "k", "data", 2.0, 0)
    again = first._replace(**fact)
    with closing(Database(str(path), fsync=False)) as file:
        for message in (first, again):
            file.write([message], {}, ())
        assert file.rows() == [again]


@pytest.mark.spec("G6", "L6")
def test_a_path_that_is_none_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, OutboxUnusable, "cannot be made (it is no regular file", advice=PATH)
    path = tmp_path / "nowhere" / "outbox.db"
    refused(path, OutboxUnusable, "cannot be made (No such file or directory)", advice=PATH)
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "outbox.db"
    refused(path, OutboxUnusable, "cannot be made (Not a directory)", advice=PATH)


@contextmanager
def unprivileged() -> Iterator[Path]:
    """A folder, seen as somebody who may not do everything."""
    folder = Path(tempfile.mkdtemp())
    privileged = os.geteuid() == 0
    if privileged:
        os.chown(folder, NOBODY, -1)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if privileged:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.spec("G6", "L6")
@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_a_file_that_may_not_be_used_is_refused() -> None:
    with unprivileged() as folder:
        path = folder / "outbox.db"
        filled(path, 3)
        path.chmod(0o000)
        refused(path, OutboxUnusable, "cannot be used (unable to open", advice=PATH)
        path.chmod(0o400)
        refused(path, OutboxUnusable, "cannot be written", advice=PATH)
        path.chmod(0o600)
        folder.chmod(0o500)
        refused(path, OutboxUnusable, "cannot be", advice=PATH)  # the words depend on SQLite
        refused(folder / "new.db", OutboxUnusable, "cannot be made (Permission", advice=PATH)


@pytest.mark.spec("G6")
def test_a_file_that_another_process_has_is_refused(tmp_path: Path) -> None:
    """Its content is looked at when it is over: who closes a file gives up all locks on it."""
    path = tmp_path / "outbox.db"
    written = filled(path, 3)
    program = (
        "import sys\n"
        "from recloser.outbox.file.database import Database\n"
        "file = Database(sys.argv[1], fsync=False)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        advice = "close the other engine, or give each a path of its own"
        refused(path, OutboxInUse, "is in use", advice=advice)
    assert process.returncode == 0
    with closing(Database(str(path), fsync=False)) as file:
        assert file.rows() == written


ROOT = Path(__file__).parents[3]


def full_disk(*words: object, before: tuple[str, ...] = ()) -> None:
    """Run the story of a full disk, in a process of its own."""
    done = subprocess.run(
        [*before, sys.executable, "-W", "error", "-m", full_disk_story.__name__, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.spec("G6")
@pytest.mark.skipif(os.name == "nt", reason="the limits are those of POSIX")
@pytest.mark.parametrize("what", ["goes-on", "ends"])
def test_a_file_that_must_not_grow(tmp_path: Path, what: str) -> None:
    full_disk(tmp_path / "outbox.db", "limited", what)


IN_A_SMALL_DISK = 'mount -t tmpfs -o size=800k none "$0" && exec "$@"'
"""Of a namespace of its own: nobody else sees it, and it ends with the process."""


@pytest.mark.spec("G6")
@pytest.mark.parametrize("what", ["goes-on", "ends"])
def test_a_disk_that_is_full(tmp_path: Path, what: str) -> None:
    words = ("unshare", "--map-root-user", "--mount", "sh", "-c", IN_A_SMALL_DISK, str(tmp_path))
    try:
        subprocess.run([*words, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    full_disk(tmp_path / "outbox.db", "small", what, before=words)


def exchange(path: Path, to: Path, *, made: bool = False) -> None:
    """Move a file, and make another one in its place."""
    path.rename(to)
    if made:
        path.touch()


@pytest.mark.spec("G14")
@pytest.mark.parametrize("replaced", [False, True])
@real
async def test_a_file_that_is_removed_while_it_is_open_takes_no_message_more(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    """`send` went on giving QUEUED, and nothing of it was in any file."""
    monkeypatch.setattr(database, "LOOK", 0.0)
    async with away(path) as ws:
        assert await ws.send("a") is Delivery.QUEUED
        exchange(path, tmp_path / "aside", made=replaced)
        with pytest.raises(OutboxUnusable, match="was removed or replaced while it was open"):
            await ws.send("b")
        assert data_of(ws) == ["a"]
        exchange(tmp_path / "aside", path)
        assert await ws.send("c") is Delivery.QUEUED
    assert [data for _, data in rows(path)] == ["a", "c"]
