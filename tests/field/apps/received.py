"""What has come in, in the file `received`: `tests/field/arrivals.py` compares it with the engine.

An application calls `note` with each message before it answers. The file is that of all processes
of the server, and of the one that comes after it.
"""

import os

_FILE = os.open("received", os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(message: str | bytes | None) -> None:
    """Write down one message, by one system call, so that a kill loses nothing of it."""
    data = message.encode() if isinstance(message, str) else message
    if data is not None:
        os.write(_FILE, data + b"\n")
