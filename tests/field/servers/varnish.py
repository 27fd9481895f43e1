"""Varnish with a pipe to a WebSocket server."""

from tests.field.events import behind_down, behind_killed, idle, kill, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian

CONFIGURATION = """
vcl 4.1;
backend behind {{ .host = "127.0.0.1"; .port = "{upstream}"; }}
sub vcl_recv {{ return (pipe); }}
sub vcl_pipe {{
  set bereq.http.Upgrade = req.http.Upgrade;
  set bereq.http.Connection = req.http.Connection;
}}
"""


def _command(place: Place) -> tuple[str, ...]:
    (place.folder / "pipe.vcl").write_text(CONFIGURATION.format(upstream=place.upstream))
    where = ("-a", f"127.0.0.1:{place.port}", "-n", str(place.folder / "varnish"))
    small = ("-s", "default,8m", "-j", "none", "-p", "vsl_space=1M")
    return ("varnishd", "-F", "-f", str(place.folder / "pipe.vcl"), *where, *small)


SOFTWARE = (
    Software(
        name="Varnish",
        source=Debian("varnishd", "varnish"),
        command=_command,
        in_front=True,
        events=(
            stop("soon"),
            kill(),
            idle("soon", "pipe_timeout 2 s", "-p", "pipe_timeout=2"),
            behind_down(note="it closes TCP in place of an answer"),
            behind_killed(),
        ),
    ),
)
