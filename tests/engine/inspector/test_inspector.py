"""What the live page is told: rows of real engines, in virtual time."""

import asyncio
from typing import Any

import pytest

from recloser import Close, Retry, State
from recloser.inspector import Inspector
from recloser.inspector.inspector import MOST, PAGES, WAITING, TooManyPagesError
from recloser.inspector.rows import Moment
from recloser.statistics import CloseStatistics
from tests.engine.inspector.pages import Page
from tests.engine.journal.changes import LOST, OPENED
from tests.engine.rig import DOWN, UP, Answering, engine, opened, others, pass_time, turns, virtual


async def watched(*plans: Any, name: str = "ada", **options: Any) -> Any:
    """An open engine that an inspector watches from its beginning."""
    inspector = Inspector()
    ws, transport = engine(*(plans or (UP,)), **options)
    forget = inspector.watch(name, ws)
    ws.connect()
    await ws.wait_for(State.OPEN)
    return inspector, ws, transport, forget


@pytest.mark.spec("I9.1")
@virtual
async def test_a_page_gets_a_snapshot_and_then_what_changes() -> None:
    policy = Answering(Retry(30.0, rule="again"))
    inspector, ws, transport, _ = await watched(UP, DOWN, UP, policy=policy)
    page = Page(inspector)
    snapshot = await page.read("snapshot")
    [row] = snapshot["rows"]
    assert (row["engine"], row["state"], row["generation"]) == ("ada", "open", 1)
    assert snapshot["totals"]["states"]["open"] == 1
    transport.wires[-1].end(Close.frame(1012, "<b>restart</b> token=hunter2"))
    [row] = await page.read("rows")
    assert (row["state"], row["code"], row["name"]) == ("backoff", 1012, "Service Restart")
    assert (row["rule"], row["reason"]) == ("again", "<b>restart</b> token=***")
    assert row["due"] == pytest.approx(row["since"] + 30)
    totals = await page.read("totals")
    assert totals["rules"] == {"again": 1}
    assert totals["minutes"] == [{"1012": 1}]
    await ws.wait_for(State.OPEN)
    await pass_time(1)
    await page.close()
    later = inspector.row("ada")
    assert (later["state"], later["status"], later["generation"]) == ("open", 503, 3)
    assert [each["state"] for each in inspector.timeline("ada")] == [
        *("connecting", "open", "backoff", "connecting", "backoff", "connecting", "open")
    ]
    assert inspector.timeline("nobody") == []
    await ws.close()


@pytest.mark.spec("I9.2")
@virtual
async def test_nothing_runs_while_no_page_is_open() -> None:
    inspector, ws, _, _ = await watched()
    before = others()
    one, two = Page(inspector), Page(inspector)
    await one.read("snapshot")
    await two.read("snapshot")
    assert len(others() - before) == 1
    await one.close()
    assert len(others() - before) == 1
    await two.close()
    assert others() == before
    await ws.close()
    assert inspector._dirty == set()


@pytest.mark.spec("I3.6", "I9.2")
@virtual
async def test_a_page_that_does_not_read_delays_nothing_and_begins_anew() -> None:
    inspector, ws, transport, _ = await watched(*[UP] * 40, policy=Answering(Retry(1.0)))
    page = Page(inspector)
    await page.read("snapshot")
    for _ in range(30):
        transport.wires[-1].end(Close.frame(1012))
        assert ws.state is State.BACKOFF
        await ws.wait_for(State.OPEN)
    [queue] = inspector._pages
    assert queue.qsize() <= WAITING
    snapshot = await page.read("snapshot")
    assert snapshot["rows"][0]["generation"] == ws.generation
    await page.close()
    await ws.close()


@pytest.mark.spec("I9.2")
@virtual
async def test_engines_and_pages_have_a_bound() -> None:
    inspector = Inspector()
    for number in range(MOST):
        inspector.add(Moment(f"e{number}", 0.0, OPENED))
    inspector.add(Moment("e7", 0.0, LOST._replace(current=State.CLOSED)))
    inspector.add(Moment("new", 0.0, OPENED))
    assert len(inspector.rows()) == MOST
    with pytest.raises(KeyError):
        inspector.row("e7")
    inspector.add(Moment("newer", 0.0, OPENED))
    with pytest.raises(KeyError):
        inspector.row("e0")
    small = Inspector()
    pages = [Page(small) for _ in range(PAGES)]
    for page in pages:
        await page.read("snapshot")
    with pytest.raises(TooManyPagesError):
        await Page(small).read("snapshot")
    for page in pages:
        await page.close()


@pytest.mark.spec("I9.1")
@virtual
async def test_an_engine_is_shown_as_it_is_when_it_begins_to_be_watched() -> None:
    inspector = Inspector()
    page = Page(inspector)
    assert (await page.read("snapshot"))["rows"] == []
    ws, wire, _ = await opened(UP, policy=Answering(Retry(30.0)))
    forget = inspector.watch("ada", ws)
    [row] = await page.read("rows")
    assert (row["state"], row["generation"], row["gave_up"]) == ("open", 1, False)
    forget()
    assert await page.read("gone") == ["ada"]
    wire.end(Close.frame(1012))
    await pass_time(10)
    inspector.watch("ada", ws)
    row = inspector.row("ada")
    assert (row["state"], row["code"]) == ("backoff", 1012)
    assert row["due"] - row["since"] == pytest.approx(20)
    fresh, _ = engine(UP)
    inspector.watch("fresh", fresh)
    row = inspector.row("fresh")
    assert (row["state"], row["gave_up"]) == ("closed", False)
    await page.close()
    await ws.close()


@pytest.mark.spec("I9.1")
@virtual
async def test_a_name_belongs_to_one_engine_and_can_be_forgotten() -> None:
    inspector, ws, _, forget = await watched()
    other, _ = engine(UP)
    with pytest.raises(ValueError, match="another engine"):
        inspector.watch("ada", other)
    forget()
    forget()
    assert inspector.rows() == []
    assert inspector.engine("ada") is None
    await ws.close()
    assert inspector.rows() == []


@pytest.mark.spec("I9.1")
@virtual
async def test_statistics_of_the_service_are_shown() -> None:
    closes = CloseStatistics()
    inspector = Inspector(closes=closes)
    ws, wire, _ = await opened(UP, observers=[closes, inspector.bind("ada")])
    wire.end(Close.frame(1001))
    await turns()
    assert inspector.totals()["rules"] == {"again": 1}
    await ws.close()
    assert asyncio.current_task() is not None
