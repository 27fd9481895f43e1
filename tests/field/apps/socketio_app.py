"""An ASGI application of python-socketio that refuses the token "bad"."""

import socketio

sio = socketio.AsyncServer(async_mode="asgi", ping_interval=1, ping_timeout=1)
app = socketio.ASGIApp(sio)


@sio.event
async def connect(sid: str, environ: object, auth: object) -> None:
    """Let in whoever has no bad token."""
    if auth == {"token": "bad"}:
        raise socketio.exceptions.ConnectionRefusedError("not you")
