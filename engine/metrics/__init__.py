"""Metrics and spans of engines, for Prometheus and for OpenTelemetry.

from recloser.metrics import PrometheusMetrics

metrics = PrometheusMetrics()
ws = recloser.connect(url, observers=[metrics.bind("ada")])

Each needs its library, and loads it when it is first used: prometheus-client or
opentelemetry-api.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from recloser.metrics.opentelemetry import OpenTelemetryMetrics
    from recloser.metrics.prometheus import PrometheusMetrics
    from recloser.metrics.spans import GenerationSpans

__all__ = ["GenerationSpans", "OpenTelemetryMetrics", "PrometheusMetrics"]

_HOMES: Final = {
    "GenerationSpans": ("recloser.metrics.spans", "opentelemetry"),
    "OpenTelemetryMetrics": ("recloser.metrics.opentelemetry", "opentelemetry"),
    "PrometheusMetrics": ("recloser.metrics.prometheus", "prometheus_client"),
}
_ADVICE: Final = {
    "opentelemetry": "needs OpenTelemetry: pip install opentelemetry-api",
    "prometheus_client": "needs prometheus-client: pip install prometheus-client",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        from recloser.fsm.spelling import UnknownName  # noqa: PLC0415 - a mistake needs it

        raise UnknownName("recloser.metrics", name, __all__)
    home, library = _HOMES[name]
    if find_spec(library) is None:
        raise ImportError(f"{name} {_ADVICE[library]}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
