"""`recloser inspect`: the live page, of a journal or of engines that meet every fault."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import click
from aiohttp import web

from recloser.assembly import connect
from recloser.cli import journal_file
from recloser.cli.following import FollowedJournal
from recloser.hints.signals import signal_handlers
from recloser.inspector.aiohttp_app import aiohttp_app
from recloser.inspector.inspector import Inspector
from recloser.testing.doubles.faults import DEFAULT_SCRIPT
from recloser.testing.doubles.scripted_server import ScriptedServer

_ENGINES: Final = 60


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--by", metavar="FIELD", help="What tells engines apart in the log of a service.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Any that is free if left out.",
)
def command(*, file: Path | None, by: str | None, port: int) -> None:
    """Serve the live page, of a journal or of a demo.

    It listens on 127.0.0.1 until Ctrl-C.

    With FILE it watches a journal, or the JSON log of a service, also while it grows. Without
    one it shows engines whose server misbehaves by script.
    """
    logging.getLogger("recloser").setLevel(logging.CRITICAL)  # the page tells it all
    asyncio.run(_serve(file, by, port))


async def _serve(file: Path | None, by: str | None, port: int) -> None:
    stopped = asyncio.Event()
    following: asyncio.Task[None] | None = None
    async with AsyncExitStack() as stack:
        stack.enter_context(signal_handlers((signal.SIGINT, signal.SIGTERM), stopped.set))
        if file is None:
            inspector = await _demo(stack)
        else:
            stream = stack.enter_context(journal_file.opened(file))
            journal = FollowedJournal(file, stream, by=by)
            journal.read()
            inspector = journal.inspector
            following = asyncio.create_task(journal.follow(), name="recloser inspect")
            following.add_done_callback(lambda _: stopped.set())
            stack.callback(following.cancel)
        app = web.Application()
        app.add_subapp("/recloser/", aiohttp_app(inspector))
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            text = f"cannot listen on 127.0.0.1:{port}: {error.strerror or error}"
            raise click.UsageError(text, click.get_current_context()) from error
        click.echo(f"http://127.0.0.1:{runner.addresses[0][1]}/recloser/ until Ctrl-C")
        await stopped.wait()
        if following is not None and following.done():
            await following  # the file cannot be read on


async def _demo(stack: AsyncExitStack) -> Inspector:
    """Start engines whose server misbehaves: each connection meets the next fault."""
    server = await stack.enter_async_context(ScriptedServer(DEFAULT_SCRIPT))
    inspector = Inspector()
    for number in range(_ENGINES):
        ws = connect(server.url)
        inspector.watch(f"demo-{number:02}", ws)
        stack.push_async_callback(ws.close)
        ws.connect()
    return inspector
