"""One span for each generation: real tracers, in memory and over OTLP to a real HTTP receiver."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from recloser import Close, Retry, State
from recloser.metrics import GenerationSpans
from recloser.metrics.spans import address
from tests.engine.rig import DOWN, UP, Answering, opened, turns, virtual


async def life(provider: TracerProvider) -> None:
    """A connection that is kicked with a secret, a dial that fails, a connection that is closed."""
    policy = Answering(Retry(1.0, rule="again"))
    spans = GenerationSpans("ada", provider=provider)
    ws, wire, _ = await opened(UP, DOWN, UP, policy=policy, observers=[spans])
    wire.end(Close.frame(1012, "token=hunter2 restart"))
    await turns()
    await ws.wait_for(State.OPEN)
    await ws.close()


@pytest.mark.spec("I6.4", "I2")
@virtual
async def test_each_generation_is_a_span_that_leads_to_the_one_before() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    await life(provider)
    spans: list[ReadableSpan] = list(exporter.get_finished_spans())
    assert [span.name for span in spans] == ["websocket"] * 3
    assert {span.kind for span in spans} == {SpanKind.CLIENT}
    assert [span.parent for span in spans] == [None] * 3
    contexts = [span.context for span in spans]
    assert [[link.context for link in span.links] for span in spans] == [
        [],
        [contexts[0]],
        [contexts[1]],
    ]
    assert [[event.name for event in span.events] for span in spans] == [
        ["opened", "close"],
        ["close"],
        ["opened", "close"],
    ]
    assert [span.attributes["recloser.generation"] for span in spans] == [1, 2, 3]
    assert [span.attributes["server.port"] for span in spans] == [80] * 3
    assert [span.attributes.get("error.type") for span in spans] == ["close_frame", "503", None]
    assert [span.status.status_code for span in spans] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    close = spans[0].events[-1].attributes
    assert (close["recloser.close.code"], close["recloser.rule"]) == (1012, "again")
    assert close["recloser.close.reason"] == "token=*** restart"
    provider.shutdown()


@pytest.mark.spec("I6.4")
@virtual
async def test_spans_arrive_over_otlp() -> None:
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_request(self, *_: object) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"http://127.0.0.1:{server.server_port}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    try:
        await life(provider)
    finally:
        provider.shutdown()
        server.shutdown()
        thread.join()
        server.server_close()
    spans = [
        span
        for body in received
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert [span.name for span in spans] == ["websocket"] * 3
    assert [link.span_id for link in spans[1].links] == [spans[0].span_id]


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("feed.example:443", {"server.address": "feed.example", "server.port": 443}),
        ("[::1]:80", {"server.address": "[::1]", "server.port": 80}),
        ("other", {"server.address": "other"}),
        ("", {"server.address": ""}),
    ],
)
def test_a_peer_has_the_attributes_of_the_conventions(peer: str, expected: object) -> None:
    assert address(peer) == expected
