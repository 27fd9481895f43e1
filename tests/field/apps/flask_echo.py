"""An echo over flask-sock, which stands on simple-websocket; it takes $STARTUP seconds to load."""

import os
import threading
from pathlib import Path

from flask import Flask
from flask_sock import Sock
from received import note

if "STARTUP" in os.environ:
    Path("starting").touch()
    threading.Event().wait(float(os.environ["STARTUP"]))

app = Flask(__name__)
if "PINGS" in os.environ:
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": float(os.environ["PINGS"])}
sock = Sock(app)


@sock.route("/")
def echo(ws: object) -> None:
    """Answer each message with itself."""
    while True:
        message = ws.receive()
        note(message)
        ws.send(message)


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ["PORT"]), threaded=True)
