"""The clients that stand side by side, the server they talk to, and where each of them runs."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import structlog

import recloser

T = TypeVar("T")

RAW = "aiohttp"
ENGINE = "recloser"
WEBSOCKETS = "websockets"
PICOWS = "picows"
ENGINE_PICOWS = f"{ENGINE}, picows"

HERE = Path(__file__).parent


def silence() -> None:
    """Let no log line through: what a line costs has a table of its own."""
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)


def cores() -> tuple[set[int], set[int]]:
    """Give the client's core and the server's; the same one where there is but one."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    free = sorted(os.sched_getaffinity(0))
    return {free[0]}, {free[-1]}


@contextmanager
def server(route: str, certificate: str | None = None) -> Iterator[str]:
    """Start a server on its core, keep this process on another; gives the URL of a route."""
    ours, theirs = cores()
    before = ours and os.sched_getaffinity(0)
    arguments = [] if certificate is None else [certificate]
    process = subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if ours:
            os.sched_setaffinity(process.pid, theirs)
            os.sched_setaffinity(0, ours)
        scheme = "ws" if certificate is None else "wss"
        yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}{route}"
    finally:
        if before:
            os.sched_setaffinity(0, before)
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def loops() -> dict[str, Callable[[Coroutine[Any, Any, T]], T]]:
    """Give the event loops there are, each by the function that runs a coroutine on it."""
    found: dict[str, Callable[[Coroutine[Any, Any, T]], T]] = {"asyncio": asyncio.run}
    if find_spec("uvloop") is not None:
        import uvloop

        found["uvloop"] = uvloop.run
    return found


Receive = Callable[[], Awaitable[object]]
Send = Callable[[str], Awaitable[object]]


async def open_all(stack: AsyncExitStack, url: str, again: str) -> dict[str, tuple[Send, Receive]]:
    """Connect every client, the raw one twice; `again` is the name of its second."""
    session = await stack.enter_async_context(aiohttp.ClientSession())
    found: dict[str, tuple[Send, Receive]] = {}
    for name in (RAW, again):
        raw = await stack.enter_async_context(session.ws_connect(url))
        found[name] = (raw.send_str, raw.receive)
    engine = await stack.enter_async_context(recloser.connect(url, session=session))
    found[ENGINE] = (engine.send, engine.receive)
    if find_spec("websockets") is not None:
        from websockets.asyncio.client import connect

        peer = await stack.enter_async_context(connect(url, compression=None, proxy=None))
        found[WEBSOCKETS] = (peer.send, peer.recv)
    return found
