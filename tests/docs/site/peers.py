"""Clients of four packages as their users write them: what each does when its server misbehaves.

`python -m tests.docs.site.peers` runs each against each server, and prints the words that stand in
docs/peers.md. It is a process of its own: some clients leave sockets and tasks behind.
"""

import asyncio
import json
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import picows.websockets
import websocket
import websockets.asyncio.client
import websockets.exceptions

import recloser
from recloser.testing import Fault, ScriptedServer

LIMIT = 60.0
"""Seconds within which something must happen; far more than it takes."""

AT_ONCE = 0.5
"""Seconds between two dials below which there was no wait; every wait here is longer."""

Client = Callable[[str, bool], Awaitable[None]]
"""Takes a URL, and whether the client closes its connection after the first message."""


async def of_recloser(url: str, leaves: bool) -> None:
    async with recloser.connect(url) as ws:
        async for _ in ws:
            if leaves:
                await ws.close()


async def of_websockets(url: str, leaves: bool) -> None:
    async for ws in websockets.asyncio.client.connect(url):
        with suppress(websockets.exceptions.ConnectionClosed):
            async for _ in ws:
                if leaves:
                    await ws.close()


async def of_picows(url: str, leaves: bool) -> None:
    async for ws in picows.websockets.connect(url):
        with suppress(picows.websockets.ConnectionClosed):
            async for _ in ws:
                if leaves:
                    await ws.close()


async def of_websocket_client(url: str, leaves: bool) -> None:
    """It has a thread of its own, which is ended with the task."""

    def on_message(app: websocket.WebSocketApp, _: str) -> None:
        if leaves:
            app.close()

    app = websocket.WebSocketApp(url, on_message=on_message)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def live() -> None:
        app.run_forever(reconnect=1)
        loop.call_soon_threadsafe(ended.set)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        await ended.wait()
    finally:
        while thread.is_alive():
            app.keep_running = False
            app.close()
            await asyncio.to_thread(thread.join, 0.1)
        await ended.wait()


CLIENTS: dict[str, Client] = {
    "recloser": of_recloser,
    "websockets": of_websockets,
    "picows": of_picows,
    "websocket-client": of_websocket_client,
}

SITUATIONS = {
    "the program closes the connection": Fault(do="serve", send=("a",), times=0),
    "the server closes with 1000": Fault(do="close", code=1000, after=0.05, times=0),
    "the server accepts, and closes with 1012": Fault(do="close", code=1012, times=0),
    "the server cuts the connection": Fault(do="reset", after=0.05, times=0),
    "the upgrade is answered with 401": Fault(do="refuse", status=401, times=0),
    "the upgrade is answered with 503": Fault(do="refuse", status=503, times=0),
    "the upgrade is answered with 429, Retry-After: 4": Fault(
        do="refuse", status=429, headers={"Retry-After": "4"}, times=0
    ),
}
"""What the server does, by the row of the page."""

TOLD = 4.0
"""Seconds of the Retry-After above."""


async def observe(client: Client, situation: str) -> str:
    """Run a client until its second dial or its end; returns what it does, in a word."""
    leaves = situation == "the program closes the connection"
    async with ScriptedServer([SITUATIONS[situation]]) as server:
        task = asyncio.ensure_future(client(server.url, leaves))
        again = asyncio.ensure_future(server.timeline.until("dialled", times=2, within=LIMIT))
        await asyncio.wait({task, again}, return_when=asyncio.FIRST_COMPLETED)
        assert task.done() or not again.exception(), "nothing happened"
        raised = task.done() and task.exception() is not None
        dials = [entry.at for entry in server.timeline.of("dialled")]
        left = asyncio.all_tasks() - {asyncio.current_task()}  # clients leave some behind
        for each in left:
            each.cancel()
        await asyncio.wait(left)
    if len(dials) < 2:
        return "gives up: raises" if raised else "ends"
    gap = dials[1] - dials[0]
    if "Retry-After" in situation:
        return "waits as told" if gap >= TOLD else "waits, not as told"
    if "upgrade" in situation:
        return "dials again after a wait"  # of a random length
    return "dials again at once" if gap < AT_ONCE else "dials again after a wait"


def main() -> None:
    """Print a list of client, situation and word; each pair has an event loop of its own."""

    def one(pair: tuple[str, str]) -> tuple[str, str, str]:
        client, situation = pair
        return client, situation, asyncio.run(observe(CLIENTS[client], situation))

    pairs = [(client, situation) for situation in SITUATIONS for client in CLIENTS]
    with ThreadPoolExecutor(8) as threads:
        json.dump(list(threads.map(one, pairs)), sys.stdout)


if __name__ == "__main__":
    main()
