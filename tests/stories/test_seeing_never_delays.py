"""Nothing that watches delays a transition: each is made to raise or to block, and life goes on."""

import io
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from recloser import Retry, State, StateChange
from recloser.journal import Journal
from recloser.metrics import GenerationSpans, PrometheusMetrics
from recloser.statistics import CloseStatistics
from tests.engine.rig import CUT, UP, Answering, now, opened, turns, virtual


async def life(*observers: Callable[[StateChange], object]) -> list[State]:
    """A connection that is lost and comes back: all in no more time than the backoff."""
    seen: list[State] = []
    started = now()
    ws, wire, _ = await opened(
        UP,
        UP,
        policy=Answering(Retry(1.0)),
        observers=[*observers, lambda change: seen.append(change.current)],
    )
    wire.end(CUT)
    assert ws.state is State.BACKOFF
    await ws.wait_for(State.OPEN)
    await ws.close()
    await turns()
    assert now() - started < 1.1
    return seen


LIFE = [
    *(State.CONNECTING, State.OPEN, State.BACKOFF, State.CONNECTING, State.OPEN),
    *(State.CLOSING, State.CLOSED),
]


class Blocks:
    """Blocks the thread that calls `wait`, until the test is over."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.begun.set()
        self.over.wait(60)


@pytest.fixture
def blocks() -> Iterator[Blocks]:
    found = Blocks()
    yield found
    found.over.set()


@pytest.mark.spec("I3.6")
@virtual
async def test_an_exporter_of_spans_that_blocks(blocks: Blocks) -> None:
    class Stuck(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            blocks.wait()
            return SpanExportResult.FAILURE

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Stuck(), max_export_batch_size=1))
    spans = GenerationSpans("ada", provider=provider)
    assert await life(spans) == LIFE
    assert await life(spans) == LIFE
    blocks.over.set()
    provider.shutdown()


@pytest.mark.spec("I3.6")
@virtual
async def test_a_scrape_that_blocks(blocks: Blocks) -> None:
    class Stuck(Collector):
        def collect(self) -> Iterable[Metric]:
            blocks.wait()
            return []

        def describe(self) -> Iterable[Metric]:
            return []

    registry = CollectorRegistry()
    registry.register(Stuck())
    metrics = PrometheusMetrics(registry)
    scrape = threading.Thread(target=generate_latest, args=[registry], daemon=True)
    scrape.start()
    assert blocks.begun.wait(60)
    assert await life(metrics.bind("ada")) == LIFE
    assert scrape.is_alive()
    blocks.over.set()
    scrape.join()


def fails(*_: Any) -> Any:
    raise RuntimeError("no room")


class FullDisk:
    """A stream that takes nothing."""

    write = flush = fails


@pytest.mark.spec("I3.6", "I3.2")
@pytest.mark.parametrize("what", ["observer", "journal", "metrics", "statistics"])
@virtual
async def test_an_observer_that_raises(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = PrometheusMetrics(CollectorRegistry())
    monkeypatch.setattr(metrics._instruments, "move", fails)
    statistics = CloseStatistics(clock=fails)
    watching: dict[str, Callable[[StateChange], object]] = {
        "observer": fails,
        "journal": Journal(FullDisk()),
        "metrics": metrics.bind("ada"),
        "statistics": statistics,
    }
    assert await life(watching[what]) == LIFE


@pytest.mark.spec("I3.6", "I7.1")
@virtual
async def test_a_journal_whose_disk_blocks(blocks: Blocks) -> None:
    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            blocks.wait()
            return super().write(text)

    stream = Stuck()
    with Journal(stream) as journal:
        assert await life(journal) == LIFE
        assert blocks.begun.wait(60)
        assert await life(journal) == LIFE
        assert not stream.getvalue()
        blocks.over.set()
    assert len(stream.getvalue().splitlines()) == 2 * len(LIFE)


@pytest.mark.spec("I3.6", "I3.4")
@virtual
async def test_an_observer_that_blocks_finds_the_transition_made() -> None:
    """It holds up its event loop and is named in the log, but nothing is left to be done."""
    at: list[tuple[State, State, bool]] = []
    ws, wire, _ = await opened(UP, UP, policy=Answering(Retry(1.0)))
    iterating = ws.changes()

    def looks(change: StateChange) -> None:
        told = iterating._queue[-1] is change
        at.append((change.current, ws.state, told))

    ws.subscribe(looks)
    wire.end(CUT)
    await ws.wait_for(State.OPEN)
    await ws.close()
    assert all(state is current and told for current, state, told in at)
    assert len(at) == 5
