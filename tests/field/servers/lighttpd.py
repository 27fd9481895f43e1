"""lighttpd in front of a WebSocket server."""

import signal

from tests.field.events import behind_down, behind_killed, idle, kill, reload, sends, stop
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
            stop(
                "soon",
                how="SIGINT, graceful-shutdown-timeout 2, nothing said",
                act=sends(signal.SIGINT),
                settings='server.feature-flags = ("server.graceful-shutdown-timeout" => 2)',
                quiet=True,
            ),
            reload(
                "stay",
                "SIGUSR1",
                act=sends(signal.SIGUSR1),
                watch=4.0,
                note="nobody else is let in until it has ended",
            ),
            kill(),
            idle("soon", "max-read-idle 2 s", settings="server.max-read-idle = 2"),
            behind_down(),
            behind_killed(),
        ),
    ),
)
