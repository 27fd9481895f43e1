"""What one event costs the machine: the core alone, and with its log line."""

import io
import logging
from collections.abc import Callable
from functools import partial

import structlog
from harness import Variant, low, rounds
from table import Table

from recloser import log, policies
from recloser.clock import RUNNING
from recloser.fsm.core import Core
from recloser.fsm.effects import Announce
from recloser.fsm.events import Ask, Event, Expired, Lost, Opened
from recloser.fsm.machine import fire
from recloser.fsm.record import Close
from recloser.fsm.states import State, Trigger, Wish
from recloser.fsm.timeouts import Timeouts

GOAL = 25.0
CYCLES = 10
FIELDS = {"session_id": "5f2c", "user": "alice"}
RESTART = Close.frame(1012, "server restart")
ANSWER = Close.frame(1000)


class Null(io.StringIO):
    """Takes a line and forgets it."""

    def write(self, text: str) -> int:
        return len(text)


def tables(scale: float) -> list[Table]:
    """Measure; there is no event loop in it."""
    from asyncio import run

    return [run(_measure(int(600 * scale)))]


async def _measure(count: int) -> Table:
    variants = {
        "the machine alone": _variant(_fire),
        "core event": _variant(partial(_walk, None)),
        "core event, log line filtered out": _variant(
            partial(_walk, log.state_change), partial(_configure, logging.CRITICAL)
        ),
        "core event and its log line": _variant(
            partial(_walk, log.state_change), partial(_configure, logging.INFO)
        ),
        "the same, structlog's logger cached": _variant(
            partial(_walk, log.state_change), partial(_configure, logging.INFO, cached=True)
        ),
        "the log line of a loss": _variant(_lines, partial(_configure, logging.INFO)),
        "a bare structlog line of three fields": _variant(_bare, partial(_configure, logging.INFO)),
    }
    found = await rounds(variants, count)
    table = Table(
        f"A transition, mean of a life of seven changes, {count} rounds",
        ["µs, low decile", "µs, median"],
        judged="median, µs",
    )
    for name, series in found.items():
        each = [value / (7 * CYCLES) / 1e3 for value in series.wall]
        median = sorted(each)[len(each) // 2]
        table.add(
            name,
            f"{low(series.wall) / (7 * CYCLES) / 1e3:.1f}",
            f"{median:.1f}",
            judged=median,
            goal=GOAL if name == "core event and its log line" else None,
        )
    return table


def _variant(work: Callable[[], None], prepare: Callable[[], None] | None = None) -> Variant:
    async def turn() -> None:
        for _ in range(CYCLES):
            work()

    async def before() -> None:
        if prepare is not None:
            prepare()

    return Variant(turn, before)


def _configure(level: int, *, cached: bool = False) -> None:
    log.LOGGER = structlog.get_logger("recloser")  # what one has cached, it keeps
    structlog.configure(
        cache_logger_on_first_use=cached,
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(Null()),
    )


def _fire() -> None:
    core = _core()
    for trigger in (
        Trigger.CONNECT,
        Trigger.OPENED,
        Trigger.SUSPEND,
        Trigger.SUSPEND,
        Trigger.CLOSE,
        Trigger.SUSPEND,
        Trigger.CONNECT,
    ):
        fire(core, trigger)


def _core() -> Core:
    return Core(_POLICY, timeouts=_TIMEOUTS, roll=lambda: 0.5)


def _walk(tell: Callable[..., None] | None) -> None:
    """Connect, open, lose, wait, open, close, be closed."""
    core = _core()
    now = 0.0

    def handle(event: Event) -> None:
        nonlocal now
        now += 1.0
        for effect in core.handle(event, now):
            if tell is not None and isinstance(effect, Announce):
                tell(effect.change, RUNNING, FIELDS)

    handle(Ask(Wish.CONNECT))
    handle(Opened(1))
    handle(Lost(1, RESTART))
    handle(Expired(core.deadline or 0.0))
    handle(Opened(2))
    handle(Ask(Wish.CLOSE))
    handle(Lost(2, ANSWER))
    if core.state is not State.CLOSED:
        raise RuntimeError(f"the walk must end in closed, not in {core.state}")


def _lost() -> Announce:
    core = _core()
    core.handle(Ask(Wish.CONNECT), 0.0)
    core.handle(Opened(1), 1.0)
    effect = core.handle(Lost(1, RESTART), 2.0)[0]
    assert isinstance(effect, Announce)
    return effect


def _lines() -> None:
    for _ in range(7):
        log.state_change(_LOST.change, RUNNING, FIELDS)


def _bare() -> None:
    for _ in range(7):
        log.LOGGER.info("changed", a="connecting", b="open", c=1)


_POLICY = policies.standard()
_TIMEOUTS = Timeouts()
_LOST = _lost()
