"""An echo over flask-sock, which stands on simple-websocket."""

import os

from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
if "PINGS" in os.environ:
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": float(os.environ["PINGS"])}
sock = Sock(app)


@sock.route("/")
def echo(ws: object) -> None:
    """Answer each message with itself."""
    while True:
        ws.send(ws.receive())


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ["PORT"]), threaded=True)
