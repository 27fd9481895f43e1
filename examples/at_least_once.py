"""Orders that arrive at least once and are processed exactly once, whoever is killed.

    python examples/at_least_once.py [ORDERS]

The server, real and on loopback, breaks connections before and after it commits, forgets to
acknowledge, and refuses for a while. The client is a process of its own and is killed twice (-9)
while it sends. What stays is two files: the client's outbox and the server's database.
"""

import asyncio
import contextlib
import json
import logging
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import structlog
from aiohttp import web

import recloser
from recloser import Close, Context, Retry, policies
from recloser.outbox import Message

# -- the client: what a service does ----------------------------------------------------


def acknowledged(message: str | bytes) -> int | None:
    """Find the id in an acknowledgement; None is no acknowledgement."""
    found: int | None = json.loads(message).get("ack")
    return found


def written(message: Message) -> str:
    """Write what goes over the wire, each time that it does."""
    order = json.loads(message.data)
    return json.dumps({"id": message.id, "again": message.redelivered, **order})


class Soon:
    """The standard policy with a fiftieth of its delays, so that this ends."""

    def __init__(self) -> None:
        self.standard = policies.standard()

    def decide(self, close: Close, context: Context) -> recloser.fsm.Decision:
        """Answer as `standard`, but sooner."""
        decision = self.standard.decide(close, context)
        if isinstance(decision, Retry):
            return replace(decision, delay=decision.delay / 50)
        return decision


async def client(url: str, file: str, first: int, last: int) -> None:
    """Send the orders of these numbers, and say of each that it was accepted.

    An order has its number as its id, so that one which may have been accepted just before the
    process was killed can be sent again: it is in the outbox still, or the server knows it.
    """
    outbox = recloser.Outbox(
        path=file,
        max_messages=20,  # `send` waits for room, so that the killing finds it at work
        acknowledgements=recloser.Acknowledgements(
            matcher=acknowledged, render=written, window=20, timeout=0.4
        ),
    )
    async with recloser.connect(f"{url}?client=7", policy=Soon(), outbox=outbox) as ws:
        held = {message.id for message in ws.outbox.peek()}
        for number in range(first, last + 1):
            if number not in held:
                await ws.send(json.dumps({"pieces": number % 10}), id=number)
            print(number, flush=True)
        await ws.drain()  # until the server has acknowledged the last


# -- the server: what has to be done there ----------------------------------------------


class Shop:
    """Processes each order once, however often it arrives."""

    def __init__(self, file: str) -> None:
        self.database = sqlite3.connect(file)
        self.database.executescript(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE processed (client TEXT, id INTEGER, PRIMARY KEY (client, id));"
            "CREATE TABLE account (orders INTEGER, pieces INTEGER);"
            "INSERT INTO account VALUES (0, 0);"
        )

    def process(self, client: str, order: dict[str, int]) -> bool:
        """Do what the order says and remember its id in one transaction; False for a double.

        Ids are kept per sender, and for as long as it may repeat them.
        """
        with self.database:  # commits
            known = self.database.execute(
                "INSERT OR IGNORE INTO processed VALUES (?, ?)", (client, order["id"])
            )
            if known.rowcount:
                self.database.execute(
                    "UPDATE account SET orders = orders + 1, pieces = pieces + ?",
                    (order["pieces"],),
                )
        return bool(known.rowcount)

    def figures(self) -> tuple[int, int, int]:
        """Count ids, orders and pieces."""
        [[ids]] = self.database.execute("SELECT count(*) FROM processed")
        [[orders, pieces]] = self.database.execute("SELECT orders, pieces FROM account")
        return ids, orders, pieces


class Server:
    """Serves a shop, and misbehaves at every twenty-fifth order that arrives, in turn."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.arrived = self.doubles = self.marked = self.refused = 0
        self.faults: dict[str, int] = {}
        self._refuse = 0
        self.victim: asyncio.subprocess.Process | None = None
        self.kills: frozenset[int] = frozenset()
        """At which arrivals the client is killed."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take orders until somebody ends the connection."""
        if self._refuse:
            self._refuse -= 1
            self.refused += 1
            return web.Response(status=503)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        with contextlib.suppress(ConnectionError):  # the client was killed
            async for message in ws:
                answer = self._take(request, json.loads(message.data))
                if answer is not None:
                    await ws.send_json(answer)
        return ws

    def _take(self, request: web.Request, order: dict[str, int]) -> dict[str, int] | None:
        """Process one order; None: it is not acknowledged."""
        self.arrived += 1
        if self.arrived in self.kills and self.victim is not None:
            self.victim.kill()
        fault = None
        if self.arrived % 25 == 0:
            turn = self.arrived // 25 % 4
            fault = ("cut before", "cut after", "silent", "cut after and refuse")[turn]
            self.faults[fault] = self.faults.get(fault, 0) + 1
        if fault == "cut before":
            return self._cut(request)
        new = self.shop.process(request.query["client"], order)
        self.doubles += not new
        self.marked += not new and order["again"]
        if fault == "silent":
            return None
        if fault is not None:
            self._refuse = 2 if fault == "cut after and refuse" else 0
            return self._cut(request)
        return {"ack": order["id"]}  # after the commit, and for a double, too

    @staticmethod
    def _cut(request: web.Request) -> None:
        if request.transport is not None:
            request.transport.abort()


# -- the show ---------------------------------------------------------------------------


async def lives(server: Server, url: str, file: str, orders: int) -> int:
    """Run the client until it has ended by itself; how often it lived."""
    accepted = count = 0
    ended: int | None = None
    while ended != 0:
        count += 1
        arguments = ("client", url, file, str(accepted + 1), str(orders))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, *arguments), stdout=asyncio.subprocess.PIPE
        )
        server.victim = process
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        accepted = max([accepted, *map(int, output.split())])
        ended = process.returncode
        print(f"life {count} of the client: {accepted} orders accepted, ended by {ended}")
        if ended not in (0, -signal.SIGKILL):
            raise SystemExit("the client failed")
    return count


async def show(orders: int) -> None:
    """Run everything, and give the account."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(str(Path(folder, "shop.db")))
        with contextlib.closing(shop.database):
            await trade(shop, str(Path(folder, "outbox.db")), orders)


async def trade(shop: Shop, file: str, orders: int) -> None:
    """Serve the shop until the client has ended by itself, and look at the books."""
    server = Server(shop)
    server.kills = frozenset({orders // 3, orders * 2 // 3})
    app = web.Application()
    app.router.add_get("/", server.serve)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        async with asyncio.timeout(60):
            count = await lives(server, url, file, orders)
    finally:
        await runner.cleanup()
    ids, processed, pieces = shop.figures()
    faults = ", ".join(f"{times} x {fault}" for fault, times in server.faults.items())
    print(
        f"\nsent:            {orders} orders, by a client that lived {count} times\n"
        f"faults:          {faults}; {server.refused} dials refused\n"
        f"arrived:         {server.arrived}\n"
        f"arrived again:   {server.doubles}, {server.marked} of them marked as sent again\n"
        f"processed:       {processed}\n"
        f"processed twice: {processed - ids}\n"
        f"lost:            {orders - ids}"
    )
    if (ids, processed, pieces) != (orders, orders, sum(n % 10 for n in range(orders + 1))):
        raise SystemExit("the account is wrong")


def main(*arguments: str) -> Awaitable[None]:
    """Be the show, or one life of the client."""
    if arguments[:1] == ("client",):
        url, file, first, last = arguments[1:]
        return client(url, file, int(first), int(last))
    return show(int(arguments[0]) if arguments else 300)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(main(*sys.argv[1:]))
