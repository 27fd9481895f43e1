"""python-socketio under uvicorn: a client of Socket.IO begins with "40", and gets pings as text."""

from tests.field.events import kill, stop, unanswered
from tests.field.software import Place, Software
from tests.field.sources import Pip


def _command(place: Place) -> tuple[str, ...]:
    return (place.python, "-m", "uvicorn", "socketio_app:app", "--port", str(place.port))


SOFTWARE = (
    Software(
        name="python-socketio",
        source=Pip(("python-socketio==5.18.1", "uvicorn==0.54.0", "websockets==17.4")),
        command=_command,
        path="/socket.io/?EIO=4&transport=websocket",
        greeting=("40",),
        echoes=False,
        events=(
            stop("spread"),
            kill(),
            unanswered(
                "soon",
                "no pong of Engine.IO, ping_interval 1, ping_timeout 1",
                note="its pings are the text 2; who does not answer with 3 is dropped",
            ),
        ),
    ),
)
