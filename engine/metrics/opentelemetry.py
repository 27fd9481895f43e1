"""`OpenTelemetryMetrics`: the numbers of engines for OpenTelemetry."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, Observation

from recloser.fsm.change import StateChange
from recloser.fsm.states import State
from recloser.journal.line_writer import changes_lost
from recloser.metrics.meter import DURATIONS, UPTIMES, EngineMeter
from recloser.metrics.spans import GenerationSpans, address
from recloser.statistics.kinds import CloseKind, KindBound
from recloser.store_contact import stores_away

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


class OpenTelemetryMetrics:
    """Gives the numbers of all engines of a process to a meter of OpenTelemetry.

        metrics = OpenTelemetryMetrics()
        ws = recloser.connect(url, observers=[metrics.bind("ada")])

    Names and units follow OpenTelemetry's conventions, and attributes that have a semantic
    convention have its name: `server.address`, `server.port`, `http.response.status_code`. The
    number of attribute sets has the bound of `KindBound`.

    provider: the global meter provider if None.
    """

    def __init__(self, provider: MeterProvider | None = None) -> None:
        self._bound = KindBound()
        self._shared = _Shared(provider)

    def bind(
        self, engine: str, spans: GenerationSpans | None = None
    ) -> Callable[[StateChange], None]:
        """Return an observer for one engine.

        spans: the spans of the same engine, given to it *before* this observer; exemplars of
            the histograms then lead to the span of the generation.
        """
        return EngineMeter(engine, _Instruments(self._shared, spans), self._bound)


class _Shared:
    """The instruments of one meter."""

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = metrics.get_meter("recloser", meter_provider=provider)
        self.engines = meter.create_up_down_counter(
            "recloser.engines", unit="{engine}", description="Engines in each state but closed."
        )
        self.dials = meter.create_counter(
            "recloser.dials", unit="{dial}", description="Dials that were started."
        )
        self.closes = meter.create_counter(
            "recloser.closes", unit="{close}", description="Ends of connections and failed dials."
        )
        self.dial_seconds = meter.create_histogram(
            "recloser.dial.duration",
            unit="s",
            description="Time from the start of a dial until the connection is open.",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self.open_seconds = meter.create_histogram(
            "recloser.connection.duration",
            unit="s",
            description="Time for which a connection that has ended was open.",
            explicit_bucket_boundaries_advisory=UPTIMES,
        )
        self.undelivered = meter.create_counter(
            "recloser.undelivered_messages",
            unit="{message}",
            description="Received messages that no consumer gets.",
        )
        self.gave_up = meter.create_counter(
            "recloser.gave_up",
            unit="{engine}",
            description="Engines that ended without being asked to.",
        )
        meter.create_observable_counter(
            "recloser.journal.lost_changes",
            [lambda _: [Observation(changes_lost())]],
            unit="{change}",
            description="Changes that the journals of this process have lost.",
        )
        meter.create_observable_gauge(
            "recloser.stores_away",
            [lambda _: [Observation(stores_away())]],
            unit="{user}",
            description="Leases, governors and others whose store gives no answer.",
        )


class _Instruments:
    """The instruments as one engine uses them: with the context of its latest span."""

    __slots__ = ("_shared", "_spans")

    def __init__(self, shared: _Shared, spans: GenerationSpans | None) -> None:
        self._shared = shared
        self._spans = spans

    def move(self, previous: State, current: State) -> None:
        if previous is not State.CLOSED:
            self._shared.engines.add(-1, {"recloser.state": previous.value})
        if current is not State.CLOSED:
            self._shared.engines.add(1, {"recloser.state": current.value})

    def dialled(self) -> None:
        self._shared.dials.add(1)

    def opened(self, peer: str, seconds: float, origin: Mapping[str, str]) -> None:
        del origin  # the context names the generation
        self._shared.dial_seconds.record(seconds, address(peer), self._context)

    def closed(self, kind: CloseKind) -> None:
        attributes: dict[str, AttributeValue] = {
            **address(kind.peer),
            "recloser.close.code": kind.code,
            "recloser.close.origin": kind.origin,
            "recloser.close.intentional": kind.intentional,
            "recloser.rule": kind.rule,
        }
        if kind.status is not None:
            attributes["http.response.status_code"] = kind.status
        self._shared.closes.add(1, attributes)

    def lived(self, peer: str, seconds: float, origin: Mapping[str, str]) -> None:
        del origin  # the context names the generation
        self._shared.open_seconds.record(seconds, address(peer), self._context)

    def undelivered(self, count: int) -> None:
        self._shared.undelivered.add(count)

    def gave_up(self) -> None:
        self._shared.gave_up.add(1)

    @property
    def _context(self) -> Context | None:
        return None if self._spans is None else self._spans.context
