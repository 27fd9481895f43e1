"""An echo over the threads of `websockets`: it listens at $PORT, and stops at SIGTERM."""

import os
import signal
import threading

from received import note
from websockets.sync.server import ServerConnection, serve


def echo(connection: ServerConnection) -> None:
    """Answer each message with itself."""
    for message in connection:
        note(message)
        connection.send(message)


with serve(echo, "127.0.0.1", int(os.environ["PORT"])) as server:
    leave = threading.Thread(target=server.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: leave.start())
    server.serve_forever()
