"""An engine whose wall clock steps; run as a process in which libfaketime gives the time.

The file $FAKETIME_TIMESTAMP_FILE says by how many seconds that clock is wrong. The monotonic clock
goes on, as it does when a machine is set.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import recloser
from recloser import Acknowledgements, Outbox
from tests.faults.feed import acknowledged, numbered, running

STEPS = (3600, -3600, 0)
"""Seconds by which the clock is wrong, one after the other."""


def step(seconds: int) -> float:
    """Set the clock; return by how many seconds it went away from the monotonic one."""
    before = time.time() - time.monotonic()
    Path(os.environ["FAKETIME_TIMESTAMP_FILE"]).write_text(f"{seconds:+d}\n")
    return time.time() - time.monotonic() - before


async def main(folder: Path) -> None:
    acks = Acknowledgements(matcher=acknowledged, render=numbered, timeout=10.0)
    outbox = Outbox(path=folder / "outbox.db", acknowledgements=acks)
    budget = recloser.Budget((10, 60.0), path=folder / "dials.db")
    async with running(outbox=outbox, budget=budget) as feed:
        await feed.send(5)
        await feed.tick(12)
        for number, seconds in enumerate(STEPS):
            moved = step(seconds)
            assert abs(moved) > 3000, f"the clock went {moved:.0f} s"
            await feed.tick(25)  # longer than the heartbeat allows
            assert len(feed.closes) == number, "a step ends nothing"
            await feed.ws.send("x", ttl=600.0)
            await feed.send(4)
            await feed.ws.drain()
            async with asyncio.timeout(10.0):
                feed.ws.reconnect()
                await feed.ended()
                await feed.open()
                await feed.tick()
        assert len(feed.closes) == len(STEPS)
    print("well")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
