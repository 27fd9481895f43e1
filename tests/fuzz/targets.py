"""What reads input of others: each target takes any bytes, and raises only for a fault of ours.

An error that a target is there to raise, such as `OutboxUnusable` of a damaged file, is no fault.
"""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from io import BytesIO, StringIO
from math import isfinite
from pathlib import Path
from typing import Final

import click
import yarl
from multidict import CIMultiDict

from recloser import policies, redact
from recloser.cli import main as commands
from recloser.cli.overview import overview
from recloser.cli.terminal.wording import describe_change
from recloser.cli.top import _update
from recloser.fsm.decisions import Context, Hold, Phase, Policy, Retry, Stop
from recloser.fsm.record import Cause, Close, Origin
from recloser.inspector import Inspector
from recloser.inspector.rows import Moment, row_of
from recloser.inspector.site import Request, Site
from recloser.journal import Reader
from recloser.journal.alarms import PastAlarms
from recloser.journal.replay import Replay
from recloser.journal.suspicions import Suspicions
from recloser.journal.totals import Totals
from recloser.outbox.errors import OutboxUnusable
from recloser.outbox.file.database import Database
from recloser.outbox.file.recovery import salvage
from recloser.outbox.file.stored_message import StoredMessage
from recloser.testing.doubles.faults import ScriptError, parse_script
from recloser.transport import classify
from recloser.transport.compression import unfit_answer
from recloser.transport.handshake import invalid_upgrade, one_line, retry_after
from recloser.transport.proxies import ProxyUnusable, excepted, proxy_of_environment
from tests.fuzz.source import Source

_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_TOKEN: Final = "a token of this fuzzer"
_MESSAGES: Final = 20
_MEMORY: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files stand, if the system has such a place: SQLite would wait for the disk."""


def answer(data: bytes) -> None:
    """The headers and the body of a server that answers the upgrade."""
    source = Source(data)
    names = ("retry-after", "date", "upgrade", "connection", "sec-websocket-protocol")
    headers = CIMultiDict({name: source.text() for name in names})
    seconds = retry_after(headers, _NOW)
    assert seconds is None or (isfinite(seconds) and seconds >= 0), seconds
    invalid_upgrade(headers, CIMultiDict({"sec-websocket-protocol": "chat"}))
    unfit_answer(source.text(), source.choice(("", "permessage-deflate; client_max_window_bits")))
    assert "\n" not in one_line(source.rest())


@cache
def _shipped() -> tuple[Policy, ...]:
    catalogue = (policies.service(name).policy() for name in policies.services())
    return (policies.basic(), policies.standard(), *catalogue)


def decision(data: bytes) -> None:
    """An end of any kind, put to every shipped policy."""
    source = Source(data)
    close = classify.close_frame(source.number(2), source.text(), source.choice((None, 1000, 1002)))
    if source.flag():
        close = Close(
            code=source.number(2),
            origin=source.choice(list(Origin)),
            cause=source.choice(list(Cause)),
            reason=source.text(),
            status=source.choice((None, 100 + source.number(2) % 900)),
            body=source.text(),
            retry_after=source.choice((None, float(source.number(8)))),
            spread=source.choice((None, float(source.number(8)))),
            advice=source.choice((None, source.text())),
        )
    context = Context(
        phase=source.choice(list(Phase)),
        attempt=1 + source.number(4),
        streak=1 + source.number(2),
        roll=source.number(2) / 2**16,
        can_refresh=source.flag(),
        refreshed=source.flag(),
    )
    for policy in _shipped():
        found = policy.decide(close, context)
        assert isinstance(found, Retry | Hold | Stop)
        if isinstance(found, Retry):
            assert isfinite(found.delay)
            assert found.delay >= 0


def text(data: bytes) -> None:
    """A text of a peer that goes into a log line, and to a terminal."""
    said = data.decode(errors="surrogateescape")
    shown = redact.line(said)
    assert shown.isprintable()
    shown.encode()
    redact.headers({"set-cookie": said, "x-reason": said})
    assert "\n" not in redact.line(f"wss://me:{said}@feed.example/?token={said}")


def journal(data: bytes) -> None:
    """A file that `recloser journal`, `replay`, `top` and the live page are given."""
    totals, suspicions, alarms = Totals(), Suspicions(), PastAlarms()
    replay = Replay(_shipped()[1])
    inspector = Inspector()
    for entry in Reader(BytesIO(data)):
        assert describe_change(entry.change).isprintable()
        for each in (totals, suspicions, alarms):
            each.add(entry)
        replay.add(entry)
        inspector.add(Moment(entry.engine, entry.time, entry.change))
        json.dumps(row_of(Moment(entry.engine, entry.time, entry.change)))
    suspicions.found()
    overview(inspector.rows(), inspector.totals(), 10)


def page(data: bytes) -> None:
    """What `recloser top` reads of a server that may be no live page."""
    source = Source(data)
    rows: dict[str, dict[str, object]] = {}
    event = source.choice(("snapshot", "rows", "gone", "totals", "other"))
    try:
        totals = _update(rows, event, json.loads(source.rest()))
    except (ValueError, TypeError, KeyError, RecursionError):
        return  # those that `top` turns into one line
    if totals is not None:
        shown = overview(rows.values(), totals, 10)
        assert all(line.isprintable() for line in shown.split("\n"))


@cache
def _outbox() -> bytes:
    """The file of an outbox with some messages."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        path = Path(folder) / "outbox.db"
        database = Database(str(path), fsync=False)
        rows = [
            StoredMessage(number, number, None, f"message {number}", None, 0)
            for number in range(1, _MESSAGES + 1)
        ]
        database.write(rows, {}, ())
        database.close()
        return path.read_bytes()


def outbox(data: bytes) -> None:
    """The file of an outbox of which some bytes are not as they were written."""
    source, found = Source(data), bytearray(_outbox())
    if source.flag():
        del found[source.number(2) % len(found) :]
    for _ in range(source.number() % 32):
        if found:
            found[source.number(2) % len(found)] = source.number()
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        path = Path(folder) / "outbox.db"
        path.write_bytes(found)
        rows: list[StoredMessage] = []
        try:
            database = Database(str(path), fsync=False)
            try:
                rows = database.rows()
                database.last()
            finally:
                database.close()
        except OutboxUnusable:
            rows = []
        assert all(row.data == f"message {row.number}" for row in rows), "what was not written"
        path.write_bytes(found)
        try:
            saved = salvage(path, Path(folder) / "new.db")
        except OutboxUnusable:
            return
        assert saved.messages <= _MESSAGES


def explain(data: bytes) -> None:
    """The command line of `recloser explain`."""
    source = Source(data)
    words = ["explain"]
    options = (
        *("--status", "--reason", "--retry-after", "--spread", "--advice", "--origin", "--cause"),
        *("--phase", "--attempt", "--uptime", "--engines", "--budget-in", "--server", "--event"),
        *("--intentional", "--been-open", "--no-refresh", "--json", "-p", ""),
    )
    for _ in range(source.number() % 6):
        option = source.choice(options)
        words += [option] if option else []
        if option == "-p":  # a name with a colon would be imported
            words.append(source.choice(("basic", "discord", source.text().replace(":", ""))))
        elif not option.startswith(("--int", "--been", "--no", "--json")):
            words.append(source.choice((source.text(), str(source.number(2)), "peer", "nan")))
    _run(words)


def _run(words: list[str]) -> None:
    with (
        contextlib.redirect_stdout(StringIO()),
        contextlib.redirect_stderr(StringIO()),
        contextlib.suppress(click.UsageError),  # bad input: one line, and status 2
    ):
        commands.main(words, standalone_mode=False)


def script(data: bytes) -> None:
    """A fault script, as `recloser serve` is given one."""
    try:
        faults = parse_script(data.decode(errors="replace"))
    except ScriptError:
        return
    assert all(fault.title for fault in faults)


@cache
def _site() -> tuple[Site, asyncio.AbstractEventLoop]:
    return Site(Inspector(), token=_TOKEN), asyncio.new_event_loop()


def inspector(data: bytes) -> None:
    """A request to the live page."""
    source = Source(data)
    site, loop = _site()
    request = Request(
        method=source.choice(("GET", "POST", source.text())),
        path=source.choice(("", "timeline", "options", "connect", "close", source.text())),
        query={"engine": source.text()},
        headers={
            "host": source.choice(("localhost", "127.0.0.1:80", "[::1]", source.text())),
            "origin": source.choice(("http://localhost", source.text())),
            "authorization": source.choice((f"Bearer {_TOKEN}", source.text())),
        },
        remote=source.choice(("127.0.0.1", "::1", None, source.text())),
        body=source.rest(),
    )
    if request.path != "events":
        found = loop.run_until_complete(site.answer(request))
        assert found.status in (200, 400, 401, 403, 404, 405)


def proxy(data: bytes) -> None:
    """The variables of the environment that name a proxy, and the hosts that need none."""
    source = Source(data)
    host = source.choice(("feed.example", "10.1.2.3", "::1"))
    excepted(host, source.text())
    variables = {"http_proxy": source.text(), "no_proxy": source.text()}
    with contextlib.suppress(ProxyUnusable):
        proxy_of_environment(yarl.URL("ws://feed.example/"), variables)


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    each.__name__: each
    for each in (
        *(answer, decision, text, journal, page, outbox),
        *(explain, script, inspector, proxy),
    )
}
