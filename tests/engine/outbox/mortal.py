"""Sends numbered messages in processes that are killed: `test_killed.py` starts it, and says when.

It imports what is needed once and forks for each life, which takes a few milliseconds. On stdin
it is told a life as JSON, then `kill` or `wait`; on stdout it reports, one line each.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import ssl
import sys
import traceback
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from zlib import crc32

import aiohttp
import structlog

import recloser
from recloser import Acknowledgements, Close, Context, Delivery, Drop, Outbox, Retry, State, Stop
from recloser.outbox import Message, core, sender
from recloser.outbox.file import reader, writer
from recloser.outbox.window import ReadWindow

LOADED = (sender, writer)
MODULES = (core, reader)
"""Where the window of an outbox is made."""
"""What an engine would import in each life."""
DELIVERIES = {Delivery.SENT.value, Delivery.QUEUED.value}
SENDERS = 8


@dataclass(frozen=True)
class Life:
    """What one process does until it is killed, or is done."""

    path: str
    url: str
    first: int
    """The number of its first message."""
    count: int
    acknowledged: bool
    window: int = 10
    patient: bool = False
    """Whether it waits until it is open, so that messages go directly."""
    shrunken: bool = False
    """Whether its sockets pass on little, so that much waits in the process."""
    ca: str | None = None
    """The file of the authority that its server's certificate is from; None: plain TCP."""
    senders: int = SENDERS
    """Tasks that send at the same time: several messages share a transaction."""
    read: int | None = None
    """How many messages of the file are read at a time; None: more than there are."""
    padding: int = 0
    """Bytes that each message is longer."""
    killed: bool = False
    """Whether it waits to be killed when it is done."""

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


class Stubborn:
    """Dials again at once, whatever happened."""

    def decide(self, close: Close, context: Context, /) -> Retry | Stop:
        return Stop("left") if close.intentional else Retry(0.002, rule="again")


def text(number: int) -> str:
    """The message of this number; nobody else could have made it up."""
    return f"{number}:{crc32(b'%d' % number)}:" + "x" * (number * 7919 % 2500)


def number_of(message: str) -> int:
    number = int(message.partition(":")[0])
    assert message.rstrip("+") == text(number)
    return number


def render(message: Message) -> str:
    return f"{message.id}/{int(message.redelivered)}/{message.data!s}"


def matcher(message: str | bytes) -> int:
    return int(message)


def say(line: str) -> None:
    """Report at once; what fits into a pipe's buffer is written whole."""
    os.write(1, f"{line}\n".encode())


def dropped(drop: Drop) -> None:
    say(f"dropped {drop.reason.value}")


def shrink(address: Any) -> socket.socket:
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return made


async def live(life: Life) -> None:
    """Send all messages as fast as it goes, and report each one that was accepted."""
    acknowledgements = Acknowledgements(
        matcher=matcher, render=render, window=life.window, timeout=1000.0
    )
    if life.read is not None:
        for module in MODULES:
            vars(module)["ReadWindow"] = partial(
                ReadWindow, messages=life.read, ahead=life.read, most=life.read
            )
    factory = shrink if life.shrunken else None
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=factory))
    ws = recloser.connect(
        life.url,
        policy=Stubborn(),
        session=session,
        ssl=True if life.ca is None else ssl.create_default_context(cafile=life.ca),
        heartbeat=None,
        outbox=Outbox(
            path=life.path,
            max_messages=1_000_000,
            max_bytes=2**40,
            on_drop=dropped,
            acknowledgements=acknowledgements if life.acknowledged else None,
        ),
    )
    ws.connect()
    if life.patient:
        await ws.wait_for(State.OPEN)
        await ws.drain()
    numbers = iter(range(life.first, life.first + life.count))

    async def send() -> None:
        for number in numbers:
            delivery = await ws.send(text(number) + "+" * life.padding)
            say(f"{delivery.value} {number}")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(life.senders):
            tasks.create_task(send())
    await ws.drain()
    await ws.close()
    await session.close()
    if life.killed:
        await asyncio.Event().wait()


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    while line := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            status = 1
            try:
                asyncio.run(live(Life(**json.loads(line))))
                status = 0
            finally:
                if status:
                    traceback.print_exc()
                os._exit(status)
        if sys.stdin.readline() != "wait\n":
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        say(f"over {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
