"""granian, over ASGI."""

from tests.field.events import kill, message, refused, reload, starting, stop
from tests.field.software import Place, Software
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
            starting("spread"),
        ),
    ),
)
