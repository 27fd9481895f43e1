"""Which lines of a file a commit does not have."""

import subprocess
from difflib import SequenceMatcher
from pathlib import Path


def new_lines(path: Path, commit: str) -> set[int]:
    """The numbers of the lines that are new or different; raises `SystemExit` without the commit.

    All lines of a file that the commit does not have are new.
    """
    if _git(path.parent, "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}") is None:
        raise SystemExit(f"{commit} is no commit of this repository")
    old = (_git(path.parent, "show", f"{commit}:./{path.name}") or "").splitlines()
    new = path.read_text(encoding="utf-8").splitlines()
    found = set(range(1, len(new) + 1))
    for _, first, length in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        found.difference_update(range(first + 1, first + length + 1))
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; none where it fails."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    return done.stdout if done.returncode == 0 else None
