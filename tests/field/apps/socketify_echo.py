"""An echo over socketify, which stands on uWebSockets: $IDLE is its idle time-out."""

import os

from socketify import App

app = App()
app.ws(
    "/",
    {
        "idle_timeout": int(os.environ.get("IDLE", "120")),
        "send_pings_automatically": False,
        "message": lambda ws, message, opcode: ws.send(message, opcode),
    },
)
app.listen({"port": int(os.environ["PORT"]), "host": "127.0.0.1"}, lambda config: None)
app.run()
