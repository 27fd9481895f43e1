"""An echo over trio-websocket; SIGTERM cancels the nursery."""

import os
import signal

import trio
from received import note
from trio_websocket import ConnectionClosed, serve_websocket


async def echo(request):
    """Answer each message with itself."""
    ws = await request.accept()
    try:
        while True:
            message = await ws.get_message()
            note(message)
            await ws.send_message(message)
    except ConnectionClosed:
        return


async def main():
    """Serve until SIGTERM."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_websocket, echo, "127.0.0.1", int(os.environ["PORT"]), None)
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                nursery.cancel_scope.cancel()


trio.run(main)
