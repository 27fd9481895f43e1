"""The parameters of what counts and measures: close statistics, metrics, spans."""

from recloser.statistics import CloseAlarm, CloseStatistics
from tests.engine.journal.changes import LOST
from tests.parameters.rows import Table, kept, made_by, probes, shown

OBSERVER = "engine/statistics/test_observer.py::"
PROMETHEUS = "engine/metrics/test_prometheus.py::"
OPEN = "engine/metrics/test_opentelemetry.py::"
SPANS = "engine/metrics/test_spans.py::"


def counted(**span: float) -> object:
    """An end, and the counts ten minutes later."""
    times = iter((0.0, 600.0, 600.0))
    closes = CloseStatistics(clock=lambda: next(times, 600.0))
    closes(LOST)
    next(times)
    return dict(closes.counts(**span))


TABLE: Table = {
    **kept(CloseAlarm),
    **shown(
        "CloseStatistics",
        on_alarm=f"{OBSERVER}test_an_alarm_is_one_line_and_one_call_and_clears",
        fields=f"{OBSERVER}test_an_alarm_is_one_line_and_one_call_and_clears",
        clock=f"{OBSERVER}test_an_alarm_is_one_line_and_one_call_and_clears",
    ),
    **probes("CloseStatistics.counts", counted, {"within": 60.0}),
    **shown("PrometheusMetrics", registry=f"{PROMETHEUS}test_a_registry_takes_them_once"),
    **shown(
        "PrometheusMetrics.bind", engine=f"{PROMETHEUS}test_a_scrape_tells_of_every_change"
    ),
    **made_by("PrometheusMetrics.bind", "PrometheusMetrics.move", "previous", "current"),
    **made_by("PrometheusMetrics.bind", "PrometheusMetrics.opened", "peer", "seconds", "origin"),
    **made_by("PrometheusMetrics.bind", "PrometheusMetrics.closed", "kind"),
    **made_by("PrometheusMetrics.bind", "PrometheusMetrics.lived", "peer", "seconds", "origin"),
    **made_by("PrometheusMetrics.bind", "PrometheusMetrics.undelivered", "count"),
    **shown(
        "OpenTelemetryMetrics", provider=f"{OPEN}test_the_same_numbers_go_to_opentelemetry"
    ),
    **shown(
        "OpenTelemetryMetrics.bind",
        engine=f"{OPEN}test_the_same_numbers_go_to_opentelemetry",
        spans=f"{OPEN}test_an_exemplar_has_the_span_of_its_generation",
    ),
    **made_by(
        "OpenTelemetryMetrics.bind", "OpenTelemetryMetrics.record",
        "name", "value", "peer", "context",
    ),
    **made_by("OpenTelemetryMetrics.bind", "OpenTelemetryMetrics.move", "previous", "current"),
    **made_by("OpenTelemetryMetrics.bind", "OpenTelemetryMetrics.closed", "kind"),
    **made_by("OpenTelemetryMetrics.bind", "OpenTelemetryMetrics.undelivered", "count"),
    **shown(
        "GenerationSpans",
        engine=f"{SPANS}test_each_generation_is_a_span_that_leads_to_the_one_before",
        provider=f"{SPANS}test_each_generation_is_a_span_that_leads_to_the_one_before",
    ),
}  # fmt: skip
