"""What reconnecting clients do when they are ended: python -m tests.field.clients [NAME ...].

Each client is ended in each way by a scripted server, and the moments of its dials are written
down. The results go to `results.json`, and the page is written anew with them.
"""

import asyncio
import datetime as dt
import json
import os
import signal
import sys
from contextlib import nullcontext, suppress
from importlib import metadata

from recloser.testing.doubles.raw_server import raw_server
from tests.field.clients.known import CLIENTS, Client
from tests.field.clients.page import DATA, write
from tests.field.clients.peer import ENDS, WORDS, Peer
from tests.field.software import APPS
from tests.field.sources import Installed, Unavailable

WATCH = {"lost": 75.0}
"""Seconds for which an end is watched from the first one on; the others take `USUAL`."""
USUAL = 12.0
AT_ONCE = 6


async def install(client: Client) -> Installed:
    """What a client needs; raises `Unavailable`."""
    if client.source is None:
        return Installed({client.name: metadata.version(client.name)})
    name = f"client-{client.name.replace('@', '').replace('/', '-')}"
    return await client.source.install(name)


async def dials_after(client: Client, end: str, where: Installed) -> dict[str, object]:
    """Run one client, end it in one way, and note its dials."""
    runner = "node" if client.program.endswith(".mjs") else where.python
    async with raw_server() as server:
        peer = Peer(server, WORDS[client.words], end)
        serving = asyncio.create_task(peer.serve())
        process = await asyncio.create_subprocess_exec(
            *(runner, str(APPS / client.program), client.name, server.url),
            env={**os.environ, **(where.environment or {})},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = asyncio.get_running_loop().time() + 30.0
            while not peer.ends and asyncio.get_running_loop().time() < deadline:
                await asyncio.wait({serving}, timeout=0.1)
            if not peer.ends:
                raise Unavailable("it did not open a connection")
            await asyncio.wait({serving}, timeout=WATCH.get(end, USUAL))
        finally:
            serving.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            with suppress(asyncio.CancelledError):
                await serving
        first = peer.ends[0]
        return {"dials": [round(at - first, 2) for at in peer.dials if at > first]}


async def one(client: Client, where: Installed, room: asyncio.Semaphore) -> dict[str, object]:
    """Run one client through all ends, several at a time."""

    async def in_turn(end: str) -> tuple[str, dict[str, object]]:
        async with room if end not in WATCH else nullcontext():
            found = await dials_after(client, end, where)
            print(f"{client.name}, {end}: {found}", flush=True)
            return end, found

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(in_turn(end)) for end in ENDS]
    (version, *_) = where.versions.values()
    return {
        "version": version,
        "note": client.note,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "ends": dict(task.result() for task in tasks),
    }


async def main(names: list[str]) -> int:
    """Run what was asked for; status 1 if a client could not be run."""
    known = [client for client in CLIENTS if not names or client.name in names]
    results = json.loads(DATA.read_text(encoding="utf-8")) if DATA.is_file() else {}
    room, missing = asyncio.Semaphore(AT_ONCE), list[str]()

    async def run(client: Client) -> None:
        try:
            async with room:
                where = await install(client)
            results[client.name] = await one(client, where, room)
        except* Unavailable as errors:
            missing.append(client.name)
            print(f"skipped {client.name}: {errors.exceptions[0]}", flush=True)

    await asyncio.gather(*map(run, known))
    order = {client.name: place for place, client in enumerate(CLIENTS)}
    kept = dict(sorted(results.items(), key=lambda each: order.get(each[0], len(order))))
    DATA.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    write()
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
