"""Varnish with a pipe to a WebSocket server."""

from tests.field.events import idle, message, overload, stop
from tests.field.proxies import proxy

CONFIGURATION = """
vcl 4.1;
backend behind {{ .host = "127.0.0.1"; .port = "{upstream}"; {backend} }}
sub vcl_recv {{ return (pipe); }}
sub vcl_pipe {{
  set bereq.http.Upgrade = req.http.Upgrade;
  set bereq.http.Connection = req.http.Connection;
}}
"""
ARGUMENTS = (
    *("-F", "-f", "{file}", "-a", "127.0.0.1:{port}", "-n", "{folder}/varnish"),
    *("-s", "default,8m", "-j", "none", "-p", "vsl_space=1M"),
)

SOFTWARE = (
    proxy(
        "Varnish",
        "varnishd",
        ("pipe.vcl", CONFIGURATION),
        ARGUMENTS,
        stop("soon"),
        message("soon"),
        overload(1, "spread", ".max_connections 1", settings={"backend": ".max_connections = 1;"}),
        idle("soon", "pipe_timeout 2 s", "-p", "pipe_timeout=2"),
        package="varnish",
        down_note="it closes TCP in place of an answer",
    ),
)
