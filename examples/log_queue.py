"""Log lines through structlog and a queue, so that no slow disk holds up the event loop.

python examples/log_queue.py
"""

import asyncio
import logging
import logging.handlers
import queue
import sys

import structlog

import recloser
from recloser.testing import Fault, ScriptedServer


def configure() -> logging.handlers.QueueListener:
    """Send every line, recloser's and others', as JSON through one queue to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
    ]
    # The formatter belongs to the handler that fills the queue: behind the queue a record is
    # text already, and structlog's formatter fails on each of its own lines there.
    handler = logging.handlers.QueueHandler(queue.SimpleQueue())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    listener = logging.handlers.QueueListener(handler.queue, logging.StreamHandler(sys.stderr))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return listener


async def main() -> None:
    async with (
        ScriptedServer([Fault(do="serve", times=0, send=["hello"])]) as server,
        recloser.connect(server.url, fields={"user": "ada"}) as ws,
    ):
        print(await ws.receive())


if __name__ == "__main__":
    listener = configure()
    listener.start()
    try:
        asyncio.run(main())
    finally:
        listener.stop()
