"""docs/peers.md: what four clients in Python do is what is seen when they run."""

import json
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.docs.blocks import ROOT, page

pytestmark = pytest.mark.site

TEXT = page("peers.md")
TABLE = TEXT.split("## In Python")[1].split("## In JavaScript")[0]
HEAD, *ROWS = [row.split(" | ") for row in re.findall(r"^\| (.*) \|$", TABLE, re.MULTILINE)]
SAID = {
    (name, row[0]): cell for row in ROWS[1:] for name, cell in zip(HEAD[1:], row[1:], strict=True)
}


@pytest.fixture(scope="module")
def seen() -> dict[tuple[str, str], str]:
    """Every client in every situation."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.docs.site.peers"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {(client, situation): word for client, situation, word in json.loads(done.stdout)}


def test_the_table_is_whole(seen: dict[tuple[str, str], str]) -> None:
    assert set(SAID) == set(seen)


@pytest.mark.parametrize("pair", SAID, ids=" ".join)
def test_a_client_does_what_the_page_says(
    seen: dict[tuple[str, str], str], pair: tuple[str, str]
) -> None:
    assert seen[pair] == SAID[pair]


def test_the_versions_are_those_that_run() -> None:
    for name in ("websockets", "picows", "websocket-client"):
        assert re.search(rf"\b{name} {re.escape(version(name))}\b", TABLE), name
