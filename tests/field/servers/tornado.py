"""tornado, as a script without a handler of signals."""

from tests.field.events import kill, message, refused, stop, unanswered_pings
from tests.field.software import Software, script
from tests.field.sources import Pip

SOFTWARE = (
    Software(
        name="tornado",
        source=Pip(("tornado==6.6.1",)),
        command=script("tornado_echo.py"),
        events=(
            stop("soon"),
            message("soon"),
            kill(),
            unanswered_pings("soon", "websocket_ping_interval 2", environment={"PINGS": "2"}),
            refused("/nowhere"),
        ),
    ),
)
