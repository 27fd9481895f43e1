"""granian, over ASGI."""

from tests.field.events import kill, message, overload, refused, reload, starting, stop
from tests.field.software import Event, Place, Software
from tests.field.sources import Pip


def _command(place: Place) -> tuple[str, ...]:
    return (place.program("granian"), "--interface", "asgi", "--port", str(place.port), "asgi:app")


SOFTWARE = (
    Software(
        name="granian",
        source=Pip(("granian==2.8.7",)),
        command=_command,
        events=(
            stop("soon"),
            message("soon"),
            kill(),
            reload("soon", watch=20.0),
            refused("/nowhere"),
            Event(
                name="age",
                how="--workers-lifetime 60",
                should="soon",
                options=("--workers-lifetime", "60"),
                watch=100.0,
            ),
            overload(
                1,
                "stay",
                "--backpressure 1",
                *("--backpressure", "1"),
                watch=4.0,
                note="open connections do not count as requests",
            ),
            starting("spread"),
        ),
    ),
)
