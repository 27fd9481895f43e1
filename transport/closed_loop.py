"""Closes a connection whose event loop has been closed: nothing that needs the loop works there.

A transport of asyncio closes its socket in a callback of its loop. Left alone, it warns of itself
when it is forgotten.
"""

import asyncio
from contextlib import suppress
from typing import Any, cast


def close_without_loop(layers: tuple[asyncio.Transport, ...]) -> None:
    """Close the socket under these layers, the last of which stands on it; nobody is told.

    uvloop closes its sockets when it is closed itself, and its transports take no call afterwards.
    `test_closed_loop.py` pins what is private here.
    """
    *above, lowest = layers
    # The loop takes no callback: that is raised after a layer has marked itself as closed.
    for layer in above:
        if not layer.is_closing():
            with suppress(RuntimeError):
                layer.close()
    on_socket = cast("Any", lowest)
    if getattr(on_socket, "_sock", None) is not None:
        with suppress(RuntimeError):
            on_socket.abort()
        on_socket.set_protocol(asyncio.Protocol())
        on_socket._call_connection_lost(None)  # noqa: SLF001 - see above
