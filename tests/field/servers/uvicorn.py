"""uvicorn, with each of its implementations of WebSocket."""

from tests.field.events import (
    asks,
    kill,
    message,
    overload,
    refused,
    reload,
    starting,
    stop,
    unanswered_pings,
)
from tests.field.software import Event, Place, Software
from tests.field.sources import Pip


def _software(kind: str, package: str) -> Software:
    def command(place: Place) -> tuple[str, ...]:
        arguments = ("asgi:app", "--port", str(place.port), "--ws", kind)
        return (place.python, "-m", "uvicorn", *arguments)

    return Software(
        name="uvicorn",
        variant=kind,
        source=Pip(("uvicorn==0.54.0", package)),
        command=command,
        events=(
            stop("spread"),
            message("spread"),
            kill(),
            reload("spread", "SIGHUP, 2 workers", options=("--workers", "2")),
            Event(
                name="age",
                how="--limit-max-requests 3",
                should="spread",
                act=asks(3),
                options=("--limit-max-requests", "3"),
                ends=True,
            ),
            unanswered_pings(
                "spread",
                "ping interval 1 s, timeout 1 s",
                *("--ws-ping-interval", "1", "--ws-ping-timeout", "1"),
            ),
            refused("/nowhere"),
            overload(
                2,
                "stay",
                "--limit-concurrency 2",
                *("--limit-concurrency", "2"),
                watch=2.0,
                note="no WebSocket is refused; a page over HTTP is",
            ),
            starting("spread"),
        ),
    )


SOFTWARE = (
    _software("websockets", "websockets==17.4"),
    _software("wsproto", "wsproto==1.3.2"),
    _software("websockets-sansio", "websockets==17.4"),
)
