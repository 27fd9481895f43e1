"""`GenerationSpans`: one OpenTelemetry span for each generation of an engine."""

from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
)
from opentelemetry.util.types import AttributeValue

from recloser import redact
from recloser.fsm import closecodes
from recloser.fsm.change import StateChange
from recloser.fsm.record import Close
from recloser.fsm.states import State

SPAN: Final = "websocket"
"""The name of every span: names of spans must not grow with hosts or generations."""


class GenerationSpans:
    """Makes one span for each generation: an observer for one engine.

        ws = recloser.connect(url, observers=[GenerationSpans("ada")])

    A span begins with the dial and ends with the close. It is a trace of its own, linked to the
    span of the generation before, since a connection outlives every request. `opened` and
    `close` are events of it. An end that nobody asked for gives it the status error.

    engine: the attribute `recloser.engine` of each span.
    provider: the global tracer provider if None.
    """

    __slots__ = ("_engine", "_last", "_span", "_tracer")

    def __init__(self, engine: str, *, provider: TracerProvider | None = None) -> None:
        self._engine = engine
        self._tracer = trace.get_tracer("recloser", tracer_provider=provider)
        self._span: Span | None = None
        self._last: Span | None = None

    @property
    def context(self) -> Context | None:
        """The context of the latest span, for what is recorded about it; None before the first."""
        return None if self._last is None else trace.set_span_in_context(self._last, Context())

    def __call__(self, change: StateChange) -> None:
        """Begin, tell or end the span of the generation."""
        if change.close is not None and self._span is not None:
            self._end(self._span, change, change.close)
        if change.current is State.CONNECTING:
            self._begin(change)
        elif change.current is State.OPEN and self._span is not None:
            self._span.set_attributes(address(change.peer))
            self._span.add_event("opened")

    def _begin(self, change: StateChange) -> None:
        before: SpanContext | None = None if self._last is None else self._last.get_span_context()
        self._span = self._last = self._tracer.start_span(
            SPAN,
            Context(),  # no parent: what asked for the dial ends long before it
            kind=SpanKind.CLIENT,
            attributes={
                "network.protocol.name": "websocket",
                "recloser.engine": self._engine,
                "recloser.generation": change.generation,
                "recloser.attempt": change.attempt,
            },
            links=[] if before is None else [Link(before)],
        )

    def _end(self, span: Span, change: StateChange, close: Close) -> None:
        self._span = None
        attributes: dict[str, AttributeValue] = {
            "recloser.close.code": close.code,
            "recloser.close.code_name": closecodes.name(close.code),
            "recloser.close.reason": redact.line(close.reason),
            "recloser.close.origin": close.origin.value,
            "recloser.close.cause": close.cause.value,
            "recloser.close.intentional": close.intentional,
            "recloser.rule": change.rule,
        }
        if close.status is not None:
            attributes["http.response.status_code"] = close.status
        span.set_attributes(address(change.peer))
        span.add_event("close", attributes)
        if not close.intentional:
            span.set_attribute("error.type", str(close.status or close.cause.value))
            span.set_status(Status(StatusCode.ERROR, f"{close.code} by {close.origin.value}"))
        span.end()


def address(peer: str) -> dict[str, AttributeValue]:
    """Return the attributes of a "host:port" by the semantic conventions."""
    host, colon, port = peer.rpartition(":")
    if not colon or not port.isdecimal():
        return {"server.address": peer}
    return {"server.address": host, "server.port": int(port)}
