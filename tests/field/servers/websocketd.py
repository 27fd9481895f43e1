"""websocketd and websockify, which put a WebSocket before a program or a TCP server."""

from tests.field.events import behind_down, behind_killed, kill, message, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian, Pip


def _websocketd(place: Place) -> tuple[str, ...]:
    return ("websocketd", "--address=127.0.0.1", f"--port={place.port}", "cat")


def _websockify(place: Place) -> tuple[str, ...]:
    ends = (f"127.0.0.1:{place.port}", f"127.0.0.1:{place.upstream}")
    return (place.program("websockify"), *ends)


SOFTWARE = (
    Software(
        name="websocketd",
        source=Debian("websocketd", "websocketd"),
        command=_websocketd,
        events=(stop("soon"), message("soon"), kill()),
    ),
    Software(
        name="websockify",
        source=Pip(("websockify==0.13.0",)),
        command=_websockify,
        in_front=True,
        echoes=False,
        subprotocols=("binary",),
        events=(
            stop("soon"),
            kill(),
            behind_down(),
            behind_killed("soon", note="the reason is its own; a client comes back"),
        ),
    ),
)
