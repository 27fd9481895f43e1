"""An echo over gevent-websocket."""

import os

from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler
from received import note


def app(environ, start_response):
    """Answer each message with itself, until there is none."""
    ws = environ.get("wsgi.websocket")
    if ws is None:
        start_response("404 Not Found", [])
        return [b"no WebSocket"]
    while (message := ws.receive()) is not None:
        note(message)
        ws.send(message)
    return []


WSGIServer(
    ("127.0.0.1", int(os.environ["PORT"])), app, handler_class=WebSocketHandler, log=None
).serve_forever()
