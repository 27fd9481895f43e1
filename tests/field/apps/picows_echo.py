"""An echo over picows."""

import asyncio
import os

from picows import WSListener, WSMsgType, ws_create_server
from received import note


class Echo(WSListener):
    """Answer each message with itself."""

    def on_ws_frame(self, transport, frame):
        """Answer, and close as the client does."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            message = frame.get_payload_as_bytes()
            note(message)
            transport.send(frame.msg_type, message)


async def main():
    """Serve until the process ends."""
    await ws_create_server(lambda request: Echo(), "127.0.0.1", int(os.environ["PORT"]))
    await asyncio.Event().wait()


asyncio.run(main())
