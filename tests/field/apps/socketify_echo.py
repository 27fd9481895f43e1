"""An echo over socketify, which stands on uWebSockets: $IDLE is its idle time-out."""

import os

from received import note
from socketify import App


def echo(ws, message, opcode):
    """Answer each message with itself."""
    note(message)
    ws.send(message, opcode)


app = App()
app.ws(
    "/",
    {
        "idle_timeout": int(os.environ.get("IDLE", "120")),
        "send_pings_automatically": False,
        "message": echo,
    },
)
app.listen({"port": int(os.environ["PORT"]), "host": "127.0.0.1"}, lambda config: None)
app.run()
