"""hypercorn, with each kind of worker that needs no compiler."""

from tests.field.events import asks, kill, message, refused, starting, stop
from tests.field.software import Event, Place, Software
from tests.field.sources import Pip


def _software(kind: str, *packages: str) -> Software:
    fleet = "soon" if kind == "trio" else "spread"

    def command(place: Place) -> tuple[str, ...]:
        bind = ("--bind", f"127.0.0.1:{place.port}", "--worker-class", kind)
        return (place.python, "-m", "hypercorn", "asgi:app", *bind)

    return Software(
        name="hypercorn",
        variant=kind,
        source=Pip(("hypercorn==0.18.0", *packages)),
        command=command,
        events=(
            stop(fleet, how="SIGTERM, graceful_timeout 3 s"),
            message(fleet),
            kill(),
            refused("/nowhere"),
            Event(
                name="age",
                how="--max-requests 3",
                should=fleet,
                act=asks(3),
                options=("--max-requests", "3"),
                watch=15.0,
            ),
            starting("stay" if kind == "trio" else "spread"),
        ),
    )


SOFTWARE = (_software("asyncio"), _software("trio", "trio==0.35.0"))
