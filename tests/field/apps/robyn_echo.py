"""An echo over robyn."""

import os

from robyn import Robyn, WebSocketDisconnect

app = Robyn(__file__)


@app.websocket("/")
async def echo(websocket):
    """Answer each message with itself."""
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        return


app.start(host="127.0.0.1", port=int(os.environ["PORT"]))
