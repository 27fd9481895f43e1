"""`recloser inspect`: the live page of a journal that grows, and of a demo."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from recloser.cli import inspect, main
from recloser.journal import Journal
from tests.engine.inspector.pages import parsed
from tests.engine.journal.changes import LOST, OPENED


@asynccontextmanager
async def served(
    file: Path | None, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[aiohttp.ClientSession]:
    """The command's own server, until SIGTERM."""
    task = asyncio.ensure_future(inspect._serve(file, None, 0))
    text = ""
    async with asyncio.timeout(60):
        while "until Ctrl-C" not in text:
            await asyncio.sleep(0)
            text += capsys.readouterr().out
        url = re.search(r"http://127\.0\.0\.1:\d+/recloser/", text)
        assert url is not None
        async with aiohttp.ClientSession(url[0]) as session:
            yield session
        signal.raise_signal(signal.SIGTERM)
        await task


async def read(response: aiohttp.ClientResponse, name: str) -> object:
    """The data of the next event of this name."""
    text = ""
    while True:
        text += (await response.content.readline()).decode()
        if text.endswith("\n\n"):
            found, data = parsed(text)
            text = ""
            if found == name:
                return data


@pytest.mark.spec("I9.7")
async def test_a_journal_that_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "feed.jsonl"
    with Journal(path, engine="ada") as journal:
        journal(OPENED)
        journal.flush()
        async with served(path, capsys) as session, session.get("events") as response:
            snapshot = await read(response, "snapshot")
            assert [row["state"] for row in snapshot["rows"]] == ["open"]
            journal(LOST)
            [row] = await read(response, "rows")
            assert (row["engine"], row["state"], row["code"]) == ("ada", "backoff", 1012)
            totals = await read(response, "totals")
            assert totals["rules"] == {"restart": 1}


@pytest.mark.spec("I9.7")
async def test_a_demo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "_ENGINES", 3)
    async with served(None, capsys) as session, session.get("events") as response:
        snapshot = await read(response, "snapshot")
        names = {row["engine"] for row in snapshot["rows"]}
        assert names <= {"demo-00", "demo-01", "demo-02"}


@pytest.mark.spec("L6")
def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["inspect", str(tmp_path / "none.jsonl")])
    assert result.exit_code == 2
    assert "No such file" in result.stderr
    assert len(result.stderr.splitlines()) == 1
