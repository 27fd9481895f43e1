"""Write examples/feed.jsonl: a day in the life of one engine, in virtual time.

    python examples/journal.py FILE

A service does the same with one argument more: `observers=[Journal("feed.jsonl")]`. Then
`recloser journal FILE` tells the story, and `recloser replay FILE --policy P` another one.
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import structlog

import recloser
from recloser import Close, State
from recloser.fsm import Cause
from recloser.journal import Journal
from recloser.testing import Plan, ScriptedTransport, run

MORNING = datetime(2025, 3, 3, 8, tzinfo=UTC).timestamp()
HOUR = 3600.0


def failed(close: Close) -> Plan:
    """Make a dial that comes to nothing."""
    return Plan(takes=0.08, refused=close)


NO_NAME = failed(Close.cut(Cause.DNS))
NOBODY = failed(Close.cut(Cause.TCP))
UP = Plan(takes=0.12)
BUSY = failed(Close.refused(503, retry_after=20.0))
CUT = Close.cut(Cause.RESET)
SILENT = Close.by_engine(Cause.HEARTBEAT)

DAY = (
    (2.0 * HOUR, Close.frame(1012, "deploying"), [BUSY, BUSY, UP]),
    (
        1.5 * HOUR,
        CUT,
        [
            failed(Close.cut(Cause.DNS)),
            failed(Close.cut(Cause.TCP)),
            failed(Close.cut(Cause.TCP)),
            UP,
        ],
    ),
    (1.0 * HOUR, Close.frame(1000, "shift is over"), [UP]),
    (4.0, Close.frame(1000, "shift is over"), [UP]),
    (0.8 * HOUR, Close.frame(4004, "unknown topic"), [UP]),
    (1.2 * HOUR, SILENT, [failed(Close.by_engine(Cause.CONNECT_TIMEOUT)), UP]),
    (0.5 * HOUR, Close.frame(1001, "going away"), [UP]),
)
"""How long the connection lasts, what ends it, and how the next dials go."""


async def live(journal: Journal) -> None:
    """Live through the day, and leave in the evening."""
    plans = [UP, *(plan for _, _, dials in DAY for plan in dials)]
    transport = ScriptedTransport(plans)
    ws = recloser.connect("wss://feed.example/v1", transport=transport, observers=[journal], seed=1)
    async with ws:
        for uptime, end, _ in DAY:
            await asyncio.sleep(uptime)
            transport.wires[-1].end(end)
            await ws.wait_for(State.OPEN)
        await asyncio.sleep(0.25 * HOUR)


async def main(path: str) -> None:
    """Write the journal."""
    clock = asyncio.get_running_loop().time
    with Journal(path, engine="feed", wall=lambda: MORNING + clock()) as journal:
        await live(journal)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    Path(sys.argv[1]).unlink(missing_ok=True)
    run(main(sys.argv[1]))
