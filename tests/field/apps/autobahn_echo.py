"""An echo over autobahn, on asyncio or on Twisted: autobahn_echo.py FLAVOUR; $PINGS sets pings."""

import os
import sys

from received import note

flavour, port = sys.argv[1], int(os.environ["PORT"])
if flavour == "twisted":
    from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
else:
    from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol


class Echo(WebSocketServerProtocol):
    """Answer each message with itself."""

    def onMessage(self, payload, isBinary):  # noqa: N802, N803 - the names that autobahn calls
        """Answer."""
        note(payload)
        self.sendMessage(payload, isBinary)


def factory():
    """Make the factory, in the loop that it is to use."""
    made = WebSocketServerFactory(f"ws://127.0.0.1:{port}")
    made.protocol = Echo
    if "PINGS" in os.environ:
        pings = float(os.environ["PINGS"])
        made.setProtocolOptions(autoPingInterval=pings, autoPingTimeout=pings)
    return made


if flavour == "twisted":
    from twisted.internet import reactor

    reactor.listenTCP(port, factory(), interface="127.0.0.1")
    reactor.run()
else:
    import asyncio

    async def main():
        """Serve until the process ends."""
        loop = asyncio.get_running_loop()
        await loop.create_server(factory(), "127.0.0.1", port)
        await asyncio.Event().wait()

    asyncio.run(main())
