"""aiohttp.web, run by `web.run_app`."""

from tests.field.events import kill, message, refused, starting, stop, unanswered_pings
from tests.field.software import Software, script
from tests.field.sources import Pip

SOFTWARE = (
    Software(
        name="aiohttp.web",
        source=Pip(("aiohttp==3.14.5",)),
        command=script("aiohttp_echo.py"),
        events=(
            stop("soon", how="SIGTERM, shutdown_timeout 2 s", note="deaf until then: 2 x the time"),
            message("soon", note="deaf until then"),
            kill(),
            unanswered_pings("soon", "heartbeat 2 s", environment={"HEARTBEAT": "2"}),
            refused("/nowhere"),
            starting("spread"),
        ),
    ),
)
