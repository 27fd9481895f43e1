"""Metrics for Prometheus: the real prometheus-client, its text read back by its own parser."""

import gc
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from recloser import Close, Retry, State, Stop
from recloser.journal import Journal
from recloser.metrics import PrometheusMetrics
from recloser.store_contact import StoreContact
from tests.engine.journal.changes import LOST, OPENED
from tests.engine.rig import CUT, DOWN, KICKED, UP, Answering, opened, pass_time, turns, virtual

ROOT = Path(__file__).parents[3]


OF_PROCESS = ("_stores_away", "_journal_lost_changes_total")
"""What other tests of the process may have left."""


class Scrape:
    """A registry with the metrics, and what a scrape of it says."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = PrometheusMetrics(self.registry)

    @property
    def text(self) -> str:
        return generate_latest(self.registry).decode()

    def samples(self) -> dict[tuple[str, ...], float]:
        """Each sample of engines that is not zero, by its name and its labels' values."""
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
            if sample.value and not sample.name.endswith(("_created", "_bucket", *OF_PROCESS))
        }

    @property
    def stores_away(self) -> float | None:
        """That of the process, whatever other tests have left in it."""
        gc.collect()
        return self.registry.get_sample_value("recloser_stores_away")

    @property
    def lost_changes(self) -> float | None:
        return self.registry.get_sample_value("recloser_journal_lost_changes_total")


@pytest.mark.spec("I6.1")
@virtual
async def test_a_scrape_tells_of_every_change() -> None:
    scrape = Scrape()
    policy = Answering(Retry(1.0, rule="again"), Retry(1.0, rule="again"), Stop("enough"))
    observer = scrape.metrics.bind("ada")
    ws, wire, transport = await opened(UP, DOWN, UP, policy=policy, observers=[observer])
    await pass_time(90)
    wire.end(KICKED)
    await turns()
    assert scrape.samples()["recloser_engines", "backoff"] == 1
    await ws.wait_for(State.OPEN)
    assert scrape.samples()["recloser_engines", "open"] == 1
    transport.wires[-1].end(CUT)
    await turns()
    at = "feed.example:80"
    found = scrape.samples()
    assert ("recloser_engines", "open") not in found
    assert found == {
        ("recloser_dials_total",): 3,
        ("recloser_gave_up_total",): 1,
        ("recloser_closes_total", "1012", "false", "peer", at, "again", ""): 1,
        ("recloser_closes_total", "1006", "false", "peer", at, "again", "503"): 1,
        ("recloser_closes_total", "1006", "false", "network", at, "enough", ""): 1,
        ("recloser_dial_duration_seconds_count", at): 2,
        ("recloser_connection_duration_seconds_count", at): 2,
        ("recloser_connection_duration_seconds_sum", at): pytest.approx(90),
    } | {key: value for key, value in found.items() if key[0].endswith("dial_duration_seconds_sum")}


@pytest.mark.spec("I6.1", "M1.7")
def test_a_store_that_gives_no_answer_is_counted_until_it_does_or_nobody_asks_any_more() -> None:
    scrape = Scrape()
    before = scrape.stores_away
    assert before is not None
    contacts = [StoreContact(), StoreContact()]
    for contact in contacts:
        contact.answered("feed", {})
    assert scrape.stores_away == before
    for contact in (*contacts, *contacts):
        contact.failed("feed", OSError("no route"), {})
    assert scrape.stores_away == before + 2
    contacts[0].answered("feed", {})
    assert scrape.stores_away == before + 1
    del contact, contacts
    assert scrape.stores_away == before


@pytest.mark.spec("I6.1", "I7.4")
def test_a_change_that_a_journal_loses_is_counted(tmp_path: Path) -> None:
    scrape = Scrape()
    before = scrape.lost_changes
    assert before is not None
    with Journal(tmp_path / "x") as journal:
        journal(LOST)
    assert scrape.lost_changes == before
    with pytest.raises(ValueError, match="closed"):
        journal(LOST)
    assert scrape.lost_changes == before + 1


@pytest.mark.spec("I6.1")
@virtual
async def test_an_engine_that_is_open_already_is_counted_from_its_next_change_on() -> None:
    scrape = Scrape()
    ws, wire, _ = await opened(UP, UP)
    ws.subscribe(scrape.metrics.bind("ada"))
    wire.end(KICKED)
    await turns()
    states = {key: value for key, value in scrape.samples().items() if key[0].endswith("engines")}
    assert states == {("recloser_engines", "backoff"): 1}
    await ws.close()
    assert not [key for key in scrape.samples() if key[0].endswith("engines")]


@pytest.mark.spec("I6.3")
@virtual
async def test_an_exemplar_leads_from_a_histogram_to_a_generation() -> None:
    scrape = Scrape()
    ws, _, _ = await opened(observers=[scrape.metrics.bind("ada" * 100)])
    await pass_time(120)
    await ws.close()
    found = [
        sample.exemplar.labels
        for family in text_string_to_metric_families(scrape.text)
        for sample in family.samples
        if sample.exemplar is not None
    ]
    assert found == [{"engine": ("ada" * 100)[:40], "generation": "1"}] * 2


@pytest.mark.spec("I6.2")
def test_the_number_of_series_has_a_bound() -> None:
    scrape = Scrape()
    observer = scrape.metrics.bind("ada")
    for number in range(5000):
        peer = f"{number}.example:443"
        observer(OPENED._replace(previous=State.CLOSED, current=State.CONNECTING))
        observer(OPENED._replace(peer=peer))
        close = Close.frame(3000 + number % 2000)
        observer(LOST._replace(peer=peer, close=close, rule=f"rule {number}"))
    lines = [line for line in scrape.text.splitlines() if not line.startswith("#")]
    assert len(lines) < 10_000
    assert 'peer="other"' in scrape.text
    assert (
        scrape.metrics._instruments._closes.labels("0", "", "peer", "false", "other", "other")
        is not None
    )


@pytest.mark.spec("I6.1")
def test_a_registry_takes_them_once() -> None:
    scrape = Scrape()
    with pytest.raises(ValueError, match="Duplicated"):
        PrometheusMetrics(scrape.registry)


@pytest.mark.spec("I6.5")
def test_dashboard_and_rules_ask_for_metrics_that_there_are() -> None:
    scrape = Scrape()
    there = {family.name for family in scrape.registry.collect()}
    files = sorted((ROOT / "dashboards").glob("*"))
    assert len(files) == 3
    for path in files:
        named = set(re.findall(r"\brecloser_[a-z_]+", path.read_text(encoding="utf-8")))
        bare = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in named}
        assert bare <= there, path.name
        assert bare, path.name
