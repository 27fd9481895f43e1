"""aria2, whose RPC is a WebSocket."""

from tests.field.events import kill, refused, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian


def _command(place: Place) -> tuple[str, ...]:
    rpc = ("--enable-rpc", f"--rpc-listen-port={place.port}")
    return ("aria2c", *rpc, f"--dir={place.folder}", "--no-conf")


SOFTWARE = (
    Software(
        name="aria2",
        source=Debian("aria2c", "aria2"),
        command=_command,
        path="/jsonrpc",
        echoes=False,
        events=(stop("soon"), kill(), refused("/nowhere")),
    ),
)
