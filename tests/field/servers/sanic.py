"""sanic, with one process and with workers."""

from tests.field.events import kill, message, refused, starting, stop, unanswered_pings
from tests.field.software import Software, script
from tests.field.sources import Pip


def _software(variant: str, **environment: str) -> Software:
    return Software(
        name="sanic",
        variant=variant,
        source=Pip(("sanic==25.12.1",)),
        command=script("sanic_echo.py"),
        environment=environment,
        events=(
            stop("soon", note="1000 is no goodbye"),
            message("soon"),
            kill(),
            unanswered_pings("spread", "interval and timeout 2 s", environment={"PINGS": "2"}),
            refused("/nowhere"),
            starting("stay"),
        ),
    )


SOFTWARE = (_software("single process"), _software("workers", WORKERS="1"))
