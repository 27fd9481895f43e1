"""Caddy in front of a WebSocket server."""

from tests.field.events import behind_down, behind_killed, kill, message, reload, runs, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian

CONFIGURATION = """
{{
  admin 127.0.0.1:{spare}
  auto_https off
}}
http://127.0.0.1:{port} {{
  reverse_proxy 127.0.0.1:{upstream}
}}
"""


def _command(place: Place) -> tuple[str, ...]:
    text = CONFIGURATION.format(port=place.port, upstream=place.upstream, spare=place.spare)
    (place.folder / "Caddyfile").write_text(text)
    return ("caddy", "run", "--config", str(place.folder / "Caddyfile"))


RELOAD = ("caddy", "reload", "--config", "{folder}/Caddyfile")

SOFTWARE = (
    Software(
        name="Caddy",
        source=Debian("caddy", "caddy"),
        command=_command,
        in_front=True,
        events=(
            stop("spread"),
            message("spread"),
            reload("spread", "caddy reload --force", act=runs(*RELOAD, "--force")),
            reload("stay", "caddy reload, nothing changed", act=runs(*RELOAD), watch=3.0),
            kill(),
            behind_down(),
            behind_killed(),
        ),
    ),
)
