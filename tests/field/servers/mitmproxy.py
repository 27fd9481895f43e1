"""mitmproxy as a reverse proxy in front of a WebSocket server."""

from tests.field.events import behind_down, behind_killed, kill
from tests.field.software import Place, Software
from tests.field.sources import Pip


def _command(place: Place) -> tuple[str, ...]:
    mode = f"reverse:http://127.0.0.1:{place.upstream}"
    where = ("--listen-host", "127.0.0.1", "-p", str(place.port))
    home = ("--set", f"confdir={place.folder}")
    return (place.program("mitmdump"), "-q", "--mode", mode, *where, *home)


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
