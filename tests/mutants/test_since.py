"""The lines that a commit does not have."""

import subprocess
from pathlib import Path

import pytest

from tests.mutants.since import new_lines


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of five lines that is committed, in a folder of a repository."""
    file = tmp_path / "folder" / "file.py"
    file.parent.mkdir()
    file.write_text("one = 1\ntwo = 2\nthree = 3\nfour = 4\nfive = 5\n", encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "five lines")
    return file


def test_lines_that_differ_and_lines_that_are_new_are_told(file: Path) -> None:
    file.write_text("one = 1\ntwo = 3\nthree = 3\nnew = 0\nnew = 0\nfive = 5\n", encoding="utf-8")
    assert new_lines(file, "HEAD") == {2, 4, 5}


def test_what_is_as_it_was_or_is_gone_has_no_line(file: Path) -> None:
    assert new_lines(file, "HEAD") == set()
    file.write_text("one = 1\ntwo = 2\nfour = 4\nfive = 5\n", encoding="utf-8")
    assert new_lines(file, "HEAD") == set()


def test_a_file_that_the_commit_does_not_have_is_new(file: Path) -> None:
    other = file.with_name("other.py")
    other.write_text("one = 1\ntwo = 2\n", encoding="utf-8")
    assert new_lines(other, "HEAD") == {1, 2}


def test_a_commit_that_is_not_there_ends_the_run(file: Path) -> None:
    with pytest.raises(SystemExit, match="nowhere"):
        new_lines(file, "nowhere")
