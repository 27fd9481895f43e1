"""`recloser top`: a journal, and a running service, in the terminal."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from recloser.cli import main, top
from recloser.cli.overview import check_row, check_totals, overview
from recloser.fsm import Close, State
from recloser.inspector import Inspector, aiohttp_app
from recloser.inspector.rows import Moment
from tests.engine.journal.changes import LOST, OPENED
from tests.tools.cli.test_journal import STORY, write

BAD = LOST._replace(close=Close.frame(4000, "bye\x1b[2J" * 20), rule="again")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["top", *map(str, arguments)])


@pytest.mark.spec("I9.7")
def test_a_journal_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    path = write(tmp_path / "feed.jsonl", STORY)
    result = run(path)
    assert (result.exit_code, result.stderr) == (0, "")
    first, _, head, _, line = result.stdout.splitlines()
    assert first == "1 closed"
    assert head.split()[:3] == ["engine", "state", "since"]
    assert line.startswith("ada     gave up  ")
    assert "1000 Normal Closure" in line
    figures = json.loads(run(path, "--json").stdout)
    assert [row["engine"] for row in figures["engines"]] == ["ada"]
    assert figures["totals"]["rules"] == {"again": 1, "busy": 1, "enough": 1}


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    ("content", "problem"), [(None, "No such file"), ("{}\n", "no change of state")]
)
def test_bad_input_gets_one_line(tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "feed.jsonl"
    if content is not None:
        path.write_text(content)
    result = run(path)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.spec("I9.7", "L6")
async def test_a_running_service_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    inspector = Inspector()
    for number in range(30):
        inspector.add(Moment(f"ok-{number:02}", 1.0, OPENED))
    inspector.add(Moment("bad", 1.0, BAD))
    app = web.Application()
    app.add_subapp("/recloser/", aiohttp_app(inspector))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    seen: list[int] = []

    def shows(rows: list[dict[str, Any]], totals: dict[str, Any]) -> None:
        top._show(rows, totals, lines=5, once=True)
        seen.append(totals["states"]["open"])
        if len(seen) == 2:
            raise KeyboardInterrupt
        inspector.add(Moment("new", 1.0, OPENED._replace(current=State.OPEN)))

    try:
        async with asyncio.timeout(60):
            with pytest.raises(KeyboardInterrupt):
                await top._service(f"{url}recloser/", shows, once=False)
            with pytest.raises(top._BrokenStreamError, match="HTTP 404"):
                await top._service(url, shows, once=True)
    finally:
        await runner.cleanup()
    assert seen == [30, 31]
    text = capsys.readouterr().out
    assert "30 open, 1 backoff" in text
    assert "\x1b" not in text
    assert "... 26 more" in text
    lines = text.splitlines()
    assert lines[4].startswith("bad ")


@pytest.mark.spec("L6")
def test_a_service_that_is_not_there_is_told_in_one_line() -> None:
    result = run("http://127.0.0.1:9/recloser", "--once")
    assert result.exit_code == 2
    assert "gives no live page" in result.stderr
    assert len(result.stderr.splitlines()) == 1


ROW = {"engine": "a", "state": "open", "since": 1.0, "attempt": 0, "unsent": 0, "gave_up": False}
TOTALS = {"now": 1.0, "states": {"open": 1}, "alarms": []}
SNAPSHOT = {"rows": [ROW], "totals": TOTALS}
ALARM = {"code": 1, "status": None, "origin": "o", "count": 1, "usual": 1.0, "reading": "r"}


@pytest.mark.spec("L6")
@pytest.mark.parametrize(
    "data",
    [
        "no JSON",
        "[" * 30_000,
        "[]",
        json.dumps({"rows": [ROW]}),
        json.dumps({**SNAPSHOT, "rows": [{}]}),
        *(
            json.dumps({**SNAPSHOT, "rows": [{**ROW, name: value}]})
            for name, value in (
                *(
                    ("state", "\x1b[2J"),
                    ("state", 1),
                    ("engine", []),
                    ("since", "\x1b"),
                    ("code", 1),
                ),
                *(("attempt", "x"), ("due", {}), ("reason", 2), ("gave_up", "no")),
            )
        ),
        *(
            json.dumps({**SNAPSHOT, "totals": {**TOTALS, name: value}})
            for name, value in (
                *(("now", "x"), ("states", []), ("states", {"\x1b[2J": 1}), ("alarms", {})),
                *(
                    ("states", {"open": "x"}),
                    ("alarms", [{}]),
                    ("alarms", [{**ALARM, "usual": ""}]),
                ),
            )
        ),
    ],
)
async def test_what_is_no_stream_of_a_live_page_is_refused(data: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        text = f"event: snapshot\ndata: {data}\n\n"
        return web.Response(text=text, content_type="text/event-stream")

    app = web.Application()
    app.router.add_get("/events", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        async with asyncio.timeout(60):
            with pytest.raises(top._BrokenStreamError, match="of another kind"):
                await top._service(url, partial(top._show, lines=9, once=True), once=True)
    finally:
        await runner.cleanup()


@pytest.mark.spec("I2.2")
def test_what_a_page_says_cannot_steer_the_terminal() -> None:
    evil = "\x1b[2J\u202e\n"
    row = {**ROW, "engine": evil, "code": 4000, "name": evil, "reason": evil, "rule": evil}
    alarm = {**ALARM, "origin": evil, "reading": evil}
    check_row(row)
    check_totals({**TOTALS, "alarms": [alarm]})
    text = overview([row], {**TOTALS, "alarms": [alarm]}, 9)
    assert text.replace("\n", "").isprintable()
    assert len(text.splitlines()) == 6
