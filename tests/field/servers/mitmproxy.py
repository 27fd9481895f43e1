"""mitmproxy as a reverse proxy in front of a WebSocket server."""

from tests.field.events import behind_down, behind_killed, kill
from tests.field.software import Place, Software
from tests.field.sources import Pip


def _command(place: Place) -> tuple[str, ...]:
    mitmdump = place.python.removesuffix("python") + "mitmdump"
    mode = f"reverse:http://127.0.0.1:{place.upstream}"
    home = ("--set", f"confdir={place.folder}")
    return (
        mitmdump,
        "-q",
        "--mode",
        mode,
        "--listen-host",
        "127.0.0.1",
        "-p",
        str(place.port),
        *home,
    )


SOFTWARE = (
    Software(
        name="mitmproxy",
        source=Pip(("mitmproxy==11.0.2",)),
        command=_command,
        in_front=True,
        events=(
            kill(),
            behind_down(),
            behind_killed("soon", note="1000, although the server behind said nothing"),
        ),
    ),
)
