"""A connection whose event loop was closed over it; it pins what is private to asyncio."""

import asyncio
import gc
import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress

import pytest
import uvloop

from recloser.transport.closed_loop import close_without_loop
from recloser.transport.layers import layers

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


def shake_hands(peer: socket.socket, context: ssl.SSLContext) -> None:
    """Be a server of TLS until the client has gone."""
    with suppress(OSError), context.wrap_socket(peer, server_side=True) as secured:
        while secured.recv(100):
            pass


@pytest.mark.spec("J2.5")
@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_the_socket_is_closed_and_nothing_is_said(
    tls: Contexts, make: Callable[[], asyncio.AbstractEventLoop], *, secure: bool
) -> None:
    here, there = socket.socketpair()
    thread = threading.Thread(target=shake_hands, args=(there, tls[0]))
    if secure:
        thread.start()
    loop = make()
    connecting = loop.create_connection(
        asyncio.Protocol,
        sock=here,
        ssl=tls[1] if secure else None,
        server_hostname="127.0.0.1" if secure else None,
    )
    transport = loop.run_until_complete(connecting)[0]
    found = layers(transport)
    assert found is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of uvloop, while it is closed
        loop.close()
    for _ in range(2):
        close_without_loop(found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # and what is raised where nobody catches it fails the test
        del transport, found, connecting
        gc.collect()
    if secure:
        thread.join()  # it has seen the end
    else:
        assert there.recv(1) == b""
    there.close()
    here.close()
