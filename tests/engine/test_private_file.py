"""Files that hold messages or records are their user's alone, and no stranger's link leads them."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import recloser
from recloser import private_file
from recloser.journal import Journal
from recloser.outbox.errors import OutboxUnusable
from recloser.outbox.file.database import Database
from recloser.outbox.file.snapshot import read_snapshot
from tests.engine.journal.changes import LOST

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes and owners are those of POSIX")


def outbox(path: Path) -> None:
    Database(str(path), fsync=False).close()


def budget(path: Path) -> None:
    recloser.Budget((3, 60.0), path=path)


def journal(path: Path) -> None:
    with Journal(path) as written:
        written(LOST)
        written.reopen()


MAKERS = pytest.mark.parametrize("make", [outbox, budget, journal])


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A process that lets everybody read and write what it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is another user than the one who makes the links of the test."""
    monkeypatch.setattr(private_file, "_user", lambda: os.geteuid() + 1)
    found = os.lstat
    if os.geteuid() == 0:  # what root made would be followed

        def of_somebody(path: str) -> os.stat_result:
            facts = list(found(path))
            facts[4] = 4711
            return os.stat_result(facts)

        monkeypatch.setattr(private_file.os, "lstat", of_somebody)


@pytest.mark.spec("J7.1")
@pytest.mark.usefixtures("open_umask")
@MAKERS
def test_what_is_made_is_for_its_user_alone(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "file")
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "file": 0o600
    }


@pytest.mark.spec("J7.1")
@MAKERS
def test_a_mode_that_somebody_chose_stays(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o640)
    make(path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_size > 0


@pytest.mark.spec("J7.1")
@pytest.mark.usefixtures("open_umask")
@MAKERS
def test_a_link_of_our_own_is_followed_also_to_what_is_not_there(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    link, target = tmp_path / "file", tmp_path / "disk" / "file"
    link.symlink_to(target)
    make(link)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.spec("J7.2")
@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("there", [True, False])
@MAKERS
def test_a_strangers_link_is_refused_and_nothing_is_written_where_it_leads(
    make: Callable[[Path], None], tmp_path: Path, *, there: bool
) -> None:
    link, target = tmp_path / "file", tmp_path / "target"
    link.symlink_to(target)
    if there:
        target.write_text("theirs")
    with pytest.raises((OSError, OutboxUnusable), match="symbolic link of another user"):
        make(link)
    assert (target.read_text() if there else target.exists()) == ("theirs" if there else False)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["file", *(["target"] if there else [])]
    )


@pytest.mark.spec("J7.2")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a link of another user")
@MAKERS
def test_a_real_link_of_another_user_is_refused(make: Callable[[Path], None]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        link = folder / "file"
        link.symlink_to(folder / "target")
        os.chown(link, 4711, -1, follow_symlinks=False)
        with pytest.raises((OSError, OutboxUnusable), match="symbolic link of another user"):
            make(link)
        assert [path.name for path in folder.iterdir()] == ["file"]
    finally:
        shutil.rmtree(folder)


@pytest.mark.spec("J7.2")
def test_a_link_in_the_place_of_an_outboxs_log_leads_nowhere(tmp_path: Path) -> None:
    path, target = tmp_path / "file", tmp_path / "target"
    outbox(path)
    target.write_text("theirs")
    Path(f"{path}-wal").symlink_to(target)
    with pytest.raises(OutboxUnusable):
        outbox(path)
    assert target.read_text() == "theirs"
    Path(f"{path}-wal").unlink()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM message").fetchone() == (0,)


@pytest.mark.spec("J7.3")
def test_a_journal_does_not_wait_for_the_reader_of_a_pipe(tmp_path: Path) -> None:
    """It waited for ever, in the thread that makes the journal."""
    pipe = tmp_path / "file"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="nobody reads this pipe"):
        journal(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    journal(pipe)
    os.set_blocking(end, True)
    with os.fdopen(end) as lines:
        assert lines.read().count("\n") == 1


@pytest.mark.spec("J7.3")
@pytest.mark.parametrize("make", [outbox, budget, read_snapshot])
@pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_no_outbox_and_no_budget(
    make: Callable[[Path], None], kind: Callable[[Path], None], tmp_path: Path
) -> None:
    """Of a pipe it was said that the disk is full; reading one waited for ever."""
    kind(tmp_path / "file")
    with pytest.raises((OSError, OutboxUnusable), match="no regular file"):
        make(tmp_path / "file")
