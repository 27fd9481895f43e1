"""daphne, the server of Django Channels."""

from tests.field.events import kill, message, refused, stop, unanswered_pings
from tests.field.software import Event, Place, Software
from tests.field.sources import Pip


def _command(place: Place) -> tuple[str, ...]:
    return (place.python, "-m", "daphne", "-p", str(place.port), "asgi:app")


SOFTWARE = (
    Software(
        name="daphne",
        source=Pip(("daphne==4.2.3",)),
        command=_command,
        events=(
            stop("soon"),
            message("soon"),
            kill(),
            Event(
                name="age",
                how="--websocket_timeout 3",
                should="soon",
                options=("--websocket_timeout", "3"),
                note="the default is a day; 1000 is no goodbye",
            ),
            unanswered_pings(
                "soon",
                "--ping-interval 1 --ping-timeout 2",
                *("--ping-interval", "1", "--ping-timeout", "2"),
            ),
            refused("/nowhere"),
        ),
    ),
)
