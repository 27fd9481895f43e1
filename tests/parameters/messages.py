"""The parameters of what sends and holds messages: outbox, acknowledgements, queries, salvage."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

import recloser
from recloser import Acknowledgements, Outbox, Retry
from recloser.outbox import Drop, Message, Salvaged, UpTo
from tests.engine.outbox import files
from tests.engine.outbox.engines import connection_of
from tests.engine.rig import CUT, DOWN, UP, Answering, engine, opened, pass_time, turns
from tests.parameters.rows import Probe, Table, kept, made_by, probes, shown


def fails(drop: Drop) -> None:
    raise LookupError("dropped")


async def bounded(*, resend_of: str = "left", **options: Any) -> object:
    """Four messages wait, one at a time; the second connection reads what is left."""
    with capture_logs() as logs:
        ws, _ = engine(DOWN, UP, outbox=Outbox(**options), policy=Answering(Retry(5.0)))
        ws.connect()
        await turns()
        outcomes: list[object] = []
        for each in ("aaaa", "bbbb", "cccc", "dddd"):
            task = asyncio.ensure_future(ws.send(each))
            await turns()
            outcomes.append(
                repr(task.exception()) if task.done() and task.exception() else task.done()
            )
            if not task.done():
                task.cancel()
        held = [each.data for each in ws.outbox.peek()]
        await ws.close()
    return outcomes, held, [each["event"] for each in logs]


async def resting(**options: Any) -> object:
    """A message is sent in passive."""
    ws, _, _ = await opened(UP, outbox=Outbox(**options))
    await ws.suspend()
    try:
        delivery: object = await ws.send("x")
    except recloser.NotOpen:
        delivery = "refused"
    await ws.close()
    return delivery


async def left(**options: Any) -> object:
    """A message is in the write buffer when the connection is lost."""
    ws, wire, transport = await opened(UP, UP, outbox=Outbox(**options))
    wire.stall()
    task = asyncio.ensure_future(ws.send("x"))
    await turns()
    wire.end(CUT)
    await pass_time(10)
    found = [each.sent for each in transport.wires], repr(task.exception() or task.result())
    await ws.close()
    return found


async def held_while_open(**options: Any) -> object:
    """How much an outbox holds of a message that has left."""
    ws, _, _ = await opened(UP, outbox=Outbox(**options))
    await ws.send("x")
    held = len(ws.outbox)
    await ws.close()
    return held


async def acknowledged(*, says: tuple[str, ...] = ("ack 1",), **options: Any) -> object:
    """Three messages; the peer acknowledges the first. Then an hour, and another connection."""
    options.setdefault("matcher", lambda said: int(said[4:]) if said[:4] == "ack " else None)
    ws, wire, transport = await opened(
        UP, UP, outbox=Outbox(acknowledgements=Acknowledgements(**options))
    )
    for each in ("a", "b", "c"):
        await ws.send(each)
    await turns()
    before = list(wire.sent)
    for text in says:
        wire.deliver(text)
    wire.deliver("news")
    received = await ws.receive()
    left = [each.data for each in ws.outbox.peek()]
    await pass_time(100)
    found = before, received, left, [list(each.sent) for each in transport.wires], len(ws.outbox)
    await ws.close()
    return found


def renders(message: Message) -> str:
    return f"{message.id}:{message.data!r}"


def flushes(**options: Any) -> object:
    """How far SQLite waits for the disk: 2 is FULL, 1 is NORMAL (sqlite.org/pragma.html)."""

    async def story() -> object:
        async with files.away(Path(folder, "outbox"), **options) as ws:
            [level] = connection_of(ws).execute("PRAGMA synchronous").fetchone()
            return level

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(story())


OUTBOX: Table = {
    **probes("Outbox", bounded, {
        "max_bytes": 8,
        "max_messages": 2,
        "when_full": "drop-oldest",
    }, when_full="raise", max_messages=3),
    **probes("Outbox", bounded, {"on_drop": fails}, when_full="drop-oldest", max_messages=2),
    **probes("Outbox", resting, {"in_passive": True}),
    **probes("Outbox", left, {"resend": False}),
    **probes("Outbox", held_while_open, {"acknowledgements": Acknowledgements()}),
    **probes("Outbox", flushes, {"fsync": True}),
    **shown(
        "Outbox",
        path="engine/outbox/test_durable.py::"
        "test_what_was_queued_goes_out_after_a_restart_in_order",
    ),
    **probes("Acknowledgements", acknowledged, {
        "matcher": lambda said: None,
        "pass_on": True,
        "render": renders,
        "window": 1,
        "timeout": 300.0,
        "max_deliveries": 2,
    }, timeout=30.0, window=2),
    **probes("Acknowledgements", acknowledged, {"numbered": False}, says=()),
}  # fmt: skip


# -- the view ---------------------------------------------------------------------------------


async def viewed(*, id: object = 1, up_to: bool = False) -> object:  # noqa: A002 - as in `ack`
    ws, _, _ = await opened(UP, outbox=Outbox(acknowledgements=Acknowledgements()))
    for each in ("a", "b", "c"):
        await ws.send(each)
    settled = ws.outbox.ack(id, up_to=up_to), len(ws.outbox)  # type: ignore[arg-type] # any id
    await ws.close()
    return settled


async def moved(*, other: str = "first") -> object:
    source, _ = engine(DOWN, outbox=Outbox())
    targets = {name: engine(DOWN, outbox=Outbox())[0] for name in ("first", "second")}
    engines = (source, *targets.values())
    for ws in engines:
        ws.connect()
    await turns()
    await source.send("x")
    source.outbox.move_to(targets[other])
    held = [len(ws.outbox) for ws in engines]
    for ws in engines:
        await ws.close()
    return held


def delivered(*, times: int) -> object:
    return Message("x", 1, number=1).delivered(times)


def compared(found: Message) -> tuple[object, ...]:
    return tuple(getattr(found, name) for name in Message._fields)


async def matched(*, id: int) -> object:  # noqa: A002 - the field of `UpTo`
    return await acknowledged(matcher=lambda said: UpTo(id) if said == "ack 1" else None)


DAMAGED = "engine/outbox/test_damaged.py::"
VIEW: Table = {
    **made_by("ReconnectingWebSocket.outbox", "OutboxView", "sender"),
    **made_by("connect", "Message.suspected", "suspect"),
    **made_by("connect", "Acknowledgements.text_of", "message"),
    **probes("OutboxView.ack", viewed, {"id": 9, "up_to": True}, id=3),
    **probes("OutboxView.move_to", moved, {"other": "second"}),
    **probes(
        "Message.delivered", lambda times: compared(delivered(times=times)), {"times": 2}, times=1
    ),
    **probes("UpTo", matched, {"id": 2}, id=1),
    **shown(
        "salvage",
        path=f"{DAMAGED}test_all_but_the_damaged_pages_is_saved",
        to=f"{DAMAGED}test_an_engine_goes_on_with_what_was_saved",
    ),
    **kept(Message),
    **kept(Salvaged),
    **kept(Drop),
    **kept(recloser.OutboxFull),
    **kept(recloser.OutboxUnusable),
    **kept(recloser.OutboxDamaged),
    **kept(recloser.OutboxForeign),
    **kept(recloser.OutboxInUse),
    **kept(recloser.OutboxNotSaved),
}


# -- questions and answers --------------------------------------------------------------------


async def asked(
    *,
    ws: str = "one",
    answer_key: Callable[[str | bytes], object] = lambda said: str(said)[:1],
    backlog: int = 10,
    message: str = "1 time?",
    key: str = "1",
    within: float = 10.0,
) -> object:
    """A question after three messages that nobody consumes; the answer comes after five seconds."""
    engines = {}
    wires = {}
    for name in ("one", "two"):
        engines[name], wires[name], _ = await opened(UP)
    queries = recloser.Queries(engines[ws], key=answer_key, backlog=backlog)
    asking = asyncio.ensure_future(queries.ask(message, key, within=within))
    await turns()
    for each in ("a", "b", "c"):
        wires[ws].deliver(each)
    await pass_time(5)
    wires[ws].deliver("1 noon")
    wires[ws].deliver("2 midnight")
    await turns()
    early = asking.done()
    news = await queries.receive()
    await pass_time(20)
    outcome = repr(asking.exception() or asking.result())
    sent = [wire.sent for wire in wires.values()]
    for each in engines.values():
        await each.close()
    return early, news, outcome, sent


def first_two(said: str | bytes) -> object:
    return str(said)[:2]


QUERIES: Table = {
    **probes("Queries", asked, {"ws": "two", "backlog": 2}),
    ("Queries", "key"): Probe(asked, {}, {"answer_key": first_two}),
    **probes("Queries.ask", asked, {"message": "1 date?", "key": "2", "within": 2.0}),
}


def first_letter(message: str | bytes) -> str:
    return str(message)[:1]


async def distinct(
    ws: str = "one", key: Callable[[str | bytes], str] = str, keep: int = 9
) -> list[str | bytes]:
    """The messages that come through when some come twice."""
    engines, wires = {}, {}
    for name in ("one", "two"):
        engines[name], wires[name], _ = await opened(UP)
    feed = recloser.Distinct(engines[ws], key=key, keep=keep)
    for message in ("a1", "a2", "a1", "b1"):
        wires["one"].deliver(message)
    wires["two"].deliver("of the other")
    await turns()
    for each in engines.values():
        await each.close()
    return [message async for message in feed]


DISTINCT: Table = probes("Distinct", distinct, {"ws": "two", "key": first_letter, "keep": 1})

TABLE: Table = OUTBOX | VIEW | QUERIES | DISTINCT
