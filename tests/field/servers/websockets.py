"""The servers of the library websockets, and of simple-websocket beneath Flask's own server."""

from collections.abc import Callable

from tests.field.events import kill, message, refused, stop, unanswered_pings
from tests.field.software import APPS, Place, Software
from tests.field.sources import Pip


def _script(name: str) -> Callable[[Place], tuple[str, ...]]:
    def command(place: Place) -> tuple[str, ...]:
        return (place.python, str(APPS / name))

    return command


SOFTWARE = (
    Software(
        name="websockets",
        variant="asyncio",
        source=Pip(("websockets==17.4",)),
        command=_script("echo.py"),
        events=(
            stop("spread"),
            message("spread"),
            kill(),
            unanswered_pings("spread", "interval and timeout 1 s", environment={"PINGS": "1"}),
            refused("/nowhere"),
        ),
    ),
    Software(
        name="websockets",
        variant="sync",
        source=Pip(("websockets==17.4",)),
        command=_script("sync_echo.py"),
        events=(stop("spread"), message("spread"), kill()),
    ),
    Software(
        name="Flask",
        variant="simple-websocket",
        source=Pip(("flask==3.1.3", "flask-sock==0.7.0", "simple-websocket==1.1.0")),
        command=_script("flask_echo.py"),
        events=(
            stop("soon"),
            message("soon"),
            kill(),
            unanswered_pings("soon", "ping_interval 2", environment={"PINGS": "2"}),
            refused("/nowhere"),
        ),
    ),
)
