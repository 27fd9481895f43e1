"""lighttpd in front of a WebSocket server."""

from tests.field.events import behind_down, behind_killed, idle, kill, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian

CONFIGURATION = """
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/error"
server.modules = ("mod_proxy")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {upstream})))
proxy.header = ("upgrade" => "enable")
{settings}
"""


def _command(place: Place) -> tuple[str, ...]:
    text = CONFIGURATION.format(
        folder=place.folder, port=place.port, upstream=place.upstream, settings=place.settings
    )
    (place.folder / "lighttpd.conf").write_text(text)
    return ("lighttpd", "-D", "-f", str(place.folder / "lighttpd.conf"))


SOFTWARE = (
    Software(
        name="lighttpd",
        source=Debian("lighttpd", "lighttpd"),
        command=_command,
        in_front=True,
        events=(
            stop("soon"),
            kill(),
            idle("soon", "max-read-idle 2 s", settings="server.max-read-idle = 2"),
            behind_down(),
            behind_killed(),
        ),
    ),
)
