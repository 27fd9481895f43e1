"""tornado, as a script without a handler of signals."""

from tests.field.events import kill, message, refused, stop, unanswered_pings
from tests.field.software import APPS, Place, Software
from tests.field.sources import Pip


def _command(place: Place) -> tuple[str, ...]:
    return (place.python, str(APPS / "tornado_echo.py"))


SOFTWARE = (
    Software(
        name="tornado",
        source=Pip(("tornado==6.6.1",)),
        command=_command,
        events=(
            stop("soon"),
            message("soon"),
            kill(),
            unanswered_pings("soon", "websocket_ping_interval 2", environment={"PINGS": "2"}),
            refused("/nowhere"),
        ),
    ),
)
