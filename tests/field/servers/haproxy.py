"""haproxy in front of a WebSocket server."""

import signal

from tests.field.events import idle, message, overload, reload, sends, stop
from tests.field.proxies import proxy

CONFIGURATION = """
global
  {globals}
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  {defaults}
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{upstream} {server}
"""
RELOADS = sends(signal.SIGUSR2)
SHORT = {"globals": "hard-stop-after 2s"}

SOFTWARE = (
    proxy(
        "haproxy",
        "haproxy",
        ("haproxy.cfg", CONFIGURATION),
        ("-W", "-db", "-f", "{file}"),
        stop("soon"),
        message("soon"),
        stop("soon", how="SIGUSR1, hard-stop-after 2 s", act=sends(signal.SIGUSR1), settings=SHORT),
        reload("stay", "SIGUSR2", act=RELOADS, watch=4.0),
        reload("soon", "SIGUSR2, hard-stop-after 2 s", act=RELOADS, settings=SHORT),
        idle("soon", "timeout tunnel 2 s", settings={"defaults": "timeout tunnel 2s"}),
        overload(
            1,
            "spread",
            "maxconn 1 of the server, timeout queue 1 s",
            settings={"server": "maxconn 1"},
        ),
        overload(1, "spread", "maxconn 1", settings={"defaults": "maxconn 1"}, watch=4.0),
    ),
)
