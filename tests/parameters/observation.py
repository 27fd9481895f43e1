"""The parameters of what counts and measures: close statistics, metrics, spans."""

from recloser.statistics import CloseAlarm, CloseStatistics
from tests.engine.journal.changes import LOST
from tests.parameters.rows import Table, kept, made_by, probes, shown

OBSERVER = "engine/statistics/test_observer.py::"
PROMETHEUS = "engine/metrics/test_prometheus.py::"
OPEN = "engine/metrics/test_opentelemetry.py::"
PAGE = "engine/inspector/test_inspector.py::"
SEEN = f"{PAGE}test_a_page_gets_a_snapshot_and_then_what_changes"
NAMED = f"{PAGE}test_a_name_belongs_to_one_engine_and_can_be_forgotten"
MOUNTED = "engine/inspector/test_mounted.py::test_in_an_aiohttp_server"
ASGI = "engine/inspector/test_mounted.py::test_as_an_asgi_application"
TOKEN = "engine/inspector/test_site.py::test_buttons_need_the_token_and_the_origin_of_the_page"
REMOTE = "engine/inspector/test_site.py::test_it_is_for_this_machine_alone"
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
    **shown("Inspector", closes=f"{PAGE}test_statistics_of_the_service_are_shown", wall=SEEN),
    **shown("Inspector.bind", engine=SEEN),
    **shown("Inspector.watch", engine=NAMED, ws=NAMED),
    **shown("Inspector.engine", name=NAMED),
    **shown("Inspector.row", engine=SEEN),
    **shown("Inspector.timeline", engine=SEEN),
    **made_by("Inspector.bind", "Inspector.add", "moment"),
    **shown("aiohttp_app", inspector=MOUNTED, token=TOKEN, allow_remote=REMOTE),
    **shown("asgi_app", inspector=ASGI, token=TOKEN, allow_remote=REMOTE),
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
    **shown(
        "OpenTelemetryMetrics", provider=f"{OPEN}test_the_same_numbers_go_to_opentelemetry"
    ),
    **shown(
        "OpenTelemetryMetrics.bind",
        engine=f"{OPEN}test_the_same_numbers_go_to_opentelemetry",
        spans=f"{OPEN}test_an_exemplar_has_the_span_of_its_generation",
    ),
    **shown(
        "GenerationSpans",
        engine=f"{SPANS}test_each_generation_is_a_span_that_leads_to_the_one_before",
        provider=f"{SPANS}test_each_generation_is_a_span_that_leads_to_the_one_before",
    ),
}  # fmt: skip
