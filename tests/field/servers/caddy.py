"""Caddy in front of a WebSocket server."""

from tests.field.events import message, reload, runs, stop
from tests.field.proxies import proxy

CONFIGURATION = """
{{
  admin 127.0.0.1:{spare}
  auto_https off
}}
http://127.0.0.1:{port} {{
  reverse_proxy 127.0.0.1:{upstream}
}}
"""
RELOAD = ("caddy", "reload", "--config", "{folder}/Caddyfile")

SOFTWARE = (
    proxy(
        "Caddy",
        "caddy",
        ("Caddyfile", CONFIGURATION),
        ("run", "--config", "{file}"),
        stop("spread"),
        message("spread"),
        reload("spread", "caddy reload --force", act=runs(*RELOAD, "--force")),
        reload("stay", "caddy reload, nothing changed", act=runs(*RELOAD), watch=3.0),
    ),
)
