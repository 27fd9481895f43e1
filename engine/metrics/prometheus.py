"""`PrometheusMetrics`: the numbers of engines for prometheus-client."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from recloser.fsm.change import StateChange
from recloser.fsm.states import State
from recloser.journal.line_writer import changes_lost
from recloser.metrics.meter import DURATIONS, UPTIMES, EngineMeter
from recloser.statistics.kinds import CloseKind, KindBound
from recloser.store_contact import stores_away


class PrometheusMetrics:
    """Keeps the metrics of all engines of a process in a registry of prometheus-client.

        metrics = PrometheusMetrics()
        ws = recloser.connect(url, observers=[metrics.bind("ada")])

    One is enough for a registry. The number of label values has a bound: at most 100 peers and
    100 rules, 50 codes, and some 2,500 series of closes; the rest is "other". Histograms have
    exemplars that name engine and generation, for a scrape in the OpenMetrics format.

    registry: prometheus-client's default registry unless another is given. Raises `ValueError`
        if it has these metrics already.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._bound = KindBound()
        self._instruments = _Instruments(registry)

    def bind(self, engine: str) -> Callable[[StateChange], None]:
        """Return an observer for one engine; the name stands in exemplars alone."""
        return EngineMeter(engine, self._instruments, self._bound)


class _Instruments:
    """The metrics of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._engines = Gauge(
            "recloser_engines",
            "Engines in each state but closed.",
            ["state"],
            registry=registry,
        )
        for state in State:
            if state is not State.CLOSED:
                self._engines.labels(state.value)
        self._dials = Counter("recloser_dials", "Dials that were started.", registry=registry)
        self._closes = Counter(
            "recloser_closes",
            "Ends of connections and failed dials.",
            ["code", "status", "origin", "intentional", "peer", "rule"],
            registry=registry,
        )
        self._dial_seconds = Histogram(
            "recloser_dial_duration_seconds",
            "Time from the start of a dial until the connection is open.",
            ["peer"],
            buckets=DURATIONS,
            registry=registry,
        )
        self._open_seconds = Histogram(
            "recloser_connection_duration_seconds",
            "Time for which a connection that has ended was open.",
            ["peer"],
            buckets=UPTIMES,
            registry=registry,
        )
        self._undelivered = Counter(
            "recloser_undelivered_messages",
            "Received messages that no consumer gets.",
            registry=registry,
        )
        self._gave_up = Counter(
            "recloser_gave_up", "Engines that ended without being asked to.", registry=registry
        )
        self._stores_away = Gauge(
            "recloser_stores_away",
            "Leases, governors and others whose store gives no answer.",
            registry=registry,
        )
        self._stores_away.set_function(stores_away)
        registry.register(_LostChanges())

    def move(self, previous: State, current: State) -> None:
        if previous is not State.CLOSED:
            self._engines.labels(previous.value).dec()
        if current is not State.CLOSED:
            self._engines.labels(current.value).inc()

    def dialled(self) -> None:
        self._dials.inc()

    def opened(self, peer: str, seconds: float, origin: Mapping[str, str]) -> None:
        self._dial_seconds.labels(peer).observe(seconds, dict(origin))

    def closed(self, kind: CloseKind) -> None:
        self._closes.labels(
            code=str(kind.code),
            status="" if kind.status is None else str(kind.status),
            origin=kind.origin,
            intentional=str(kind.intentional).lower(),
            peer=kind.peer,
            rule=kind.rule,
        ).inc()

    def lived(self, peer: str, seconds: float, origin: Mapping[str, str]) -> None:
        self._open_seconds.labels(peer).observe(seconds, dict(origin))

    def undelivered(self, count: int) -> None:
        self._undelivered.inc(count)

    def gave_up(self) -> None:
        self._gave_up.inc()


class _LostChanges(Collector):
    """A counter that journals keep; prometheus-client's own counters call no function."""

    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily(
            "recloser_journal_lost_changes",
            "Changes that the journals of this process have lost.",
            value=changes_lost(),
        )

    describe = collect
