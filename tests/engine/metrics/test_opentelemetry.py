"""Metrics for OpenTelemetry: the real SDK, read by its in-memory reader and over OTLP."""

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from recloser import Retry, State
from recloser.journal import Journal
from recloser.metrics import GenerationSpans, OpenTelemetryMetrics
from recloser.store_contact import StoreContact
from tests.engine.journal.changes import LOST
from tests.engine.rig import DOWN, KICKED, UP, Answering, opened, pass_time, virtual


class Reading:
    """A meter provider that keeps what it is given, and its points by instrument."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def points(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.mark.spec("I6.1")
@virtual
async def test_the_same_numbers_go_to_opentelemetry() -> None:
    reading = Reading()
    metrics = OpenTelemetryMetrics(reading.provider)
    policy = Answering(Retry(1.0, rule="again"))
    ws, wire, _ = await opened(UP, DOWN, UP, policy=policy, observers=[metrics.bind("ada")])
    await pass_time(90)
    wire.end(KICKED)
    await ws.wait_for(State.BACKOFF)
    await ws.wait_for(State.OPEN)
    points = reading.points()
    assert [point.value for point in points["recloser.dials"]] == [3]
    states = {p.attributes["recloser.state"]: p.value for p in points["recloser.engines"]}
    assert states == {"connecting": 0, "open": 1, "backoff": 0}
    closes = {
        (p.attributes["recloser.close.code"], p.attributes.get("http.response.status_code")): p
        for p in points["recloser.closes"]
    }
    assert {key: point.value for key, point in closes.items()} == {(1012, None): 1, (1006, 503): 1}
    assert dict(closes[1012, None].attributes) == {
        "server.address": "feed.example",
        "server.port": 80,
        "recloser.close.code": 1012,
        "recloser.close.origin": "peer",
        "recloser.close.intentional": False,
        "recloser.rule": "again",
    }
    [lived] = points["recloser.connection.duration"]
    assert (lived.count, lived.sum) == (1, pytest.approx(90))
    assert 300.0 in lived.explicit_bounds
    assert [point.count for point in points["recloser.dial.duration"]] == [2]
    await ws.close()
    reading.provider.shutdown()


@pytest.mark.spec("I6.3")
@virtual
async def test_an_exemplar_has_the_span_of_its_generation() -> None:
    reading, tracers = Reading(), TracerProvider(shutdown_on_exit=False)
    metrics = OpenTelemetryMetrics(reading.provider)
    spans = GenerationSpans("ada", provider=tracers)
    ws, _, _ = await opened(observers=[spans, metrics.bind("ada", spans)])
    span = spans._span
    assert span is not None
    await ws.close()
    [lived] = reading.points()["recloser.connection.duration"]
    assert [each.span_id for each in lived.exemplars] == [span.get_span_context().span_id]
    reading.provider.shutdown()
    tracers.shutdown()


@pytest.mark.spec("I6.1", "M1.7")
def test_a_store_that_gives_no_answer_is_counted() -> None:
    reading = Reading()
    metrics = OpenTelemetryMetrics(reading.provider)
    contact = StoreContact()
    (before,) = reading.points()["recloser.stores_away"]
    contact.failed("feed", OSError("no route"), {})
    (away,) = reading.points()["recloser.stores_away"]
    assert away.value == before.value + 1
    contact.answered("feed", {})
    (back,) = reading.points()["recloser.stores_away"]
    assert back.value == before.value
    del metrics


@pytest.mark.spec("I6.1", "I7.4")
def test_a_change_that_a_journal_loses_is_counted(tmp_path: Path) -> None:
    reading = Reading()
    metrics = OpenTelemetryMetrics(reading.provider)
    (before,) = reading.points()["recloser.journal.lost_changes"]
    journal = Journal(tmp_path / "x")
    journal.close()
    with pytest.raises(ValueError, match="closed"):
        journal(LOST)
    (after,) = reading.points()["recloser.journal.lost_changes"]
    assert after.value == before.value + 1
    del metrics
