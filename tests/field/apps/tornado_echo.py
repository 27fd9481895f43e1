"""An echo over tornado: $PINGS is its interval of pings."""

import asyncio
import os

from received import note
from tornado.web import Application
from tornado.websocket import WebSocketHandler


class Echo(WebSocketHandler):
    """Answer each message with itself."""

    def check_origin(self, origin: str) -> bool:
        """Let everybody in."""
        return True

    def on_message(self, message: str | bytes) -> None:
        """Answer."""
        note(message)
        self.write_message(message, binary=isinstance(message, bytes))


async def main() -> None:
    """Serve until the process ends."""
    pings = os.environ.get("PINGS")
    given = {} if pings is None else {"websocket_ping_interval": float(pings)}
    Application([("/", Echo)], **given).listen(int(os.environ["PORT"]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
