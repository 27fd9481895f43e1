"""haproxy in front of a WebSocket server."""

import signal

from tests.field.events import behind_down, behind_killed, idle, kill, overload, reload, sends, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian

CONFIGURATION = """
global
  {globals}
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  {defaults}
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{upstream} {server}
"""


def _command(place: Place) -> tuple[str, ...]:
    said = {"globals": "", "defaults": "timeout tunnel 60s", "server": ""}
    if place.settings:
        key, _, value = place.settings.partition(": ")
        said[key] = value
    text = CONFIGURATION.format(port=place.port, upstream=place.upstream, **said)
    (place.folder / "haproxy.cfg").write_text(text)
    return ("haproxy", "-W", "-db", "-f", str(place.folder / "haproxy.cfg"))


SOFTWARE = (
    Software(
        name="haproxy",
        source=Debian("haproxy", "haproxy"),
        command=_command,
        in_front=True,
        events=(
            stop("soon"),
            stop(
                "soon",
                how="SIGUSR1, hard-stop-after 2 s",
                act=sends(signal.SIGUSR1),
                settings="globals: hard-stop-after 2s",
            ),
            reload("stay", "SIGUSR2", act=sends(signal.SIGUSR2), watch=4.0),
            reload(
                "soon",
                "SIGUSR2, hard-stop-after 2 s",
                act=sends(signal.SIGUSR2),
                settings="globals: hard-stop-after 2s",
            ),
            kill(),
            idle("soon", "timeout tunnel 2 s", settings="defaults: timeout tunnel 2s"),
            overload(
                1,
                "spread",
                "maxconn 1 of the server, timeout queue 1 s",
                settings="server: maxconn 1",
            ),
            behind_down(),
            behind_killed(),
        ),
    ),
)
