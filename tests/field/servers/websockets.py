"""The servers of the library websockets: over asyncio, and over threads."""

from tests.field.events import kill, message, refused, stop, unanswered_pings
from tests.field.software import Software, script
from tests.field.sources import Pip

SOFTWARE = (
    Software(
        name="websockets",
        variant="asyncio",
        source=Pip(("websockets==17.4",)),
        command=script("echo.py"),
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
        command=script("sync_echo.py"),
        events=(stop("spread"), message("spread"), kill()),
    ),
)
