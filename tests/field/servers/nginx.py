"""nginx in front of a WebSocket server."""

import signal

from tests.field.events import (
    behind_down,
    behind_killed,
    idle,
    kill,
    message,
    overload,
    refused,
    reload,
    sends,
    stop,
)
from tests.field.software import Place, Software
from tests.field.sources import Debian

CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error; worker_processes 1;
{main}
events {{ worker_connections 100; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  limit_conn_zone $binary_remote_addr zone=all:1m;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
      {location}
    }}
  }}
}}
"""


def _command(place: Place) -> tuple[str, ...]:
    main = place.settings if place.settings.startswith("worker") else ""
    text = CONFIGURATION.format(
        folder=place.folder,
        port=place.port,
        upstream=place.upstream,
        main=main,
        location="" if main else place.settings,
    )
    (place.folder / "nginx.conf").write_text(text)
    return ("nginx", "-c", str(place.folder / "nginx.conf"))


SOFTWARE = (
    Software(
        name="nginx",
        source=Debian("nginx", "nginx"),
        command=_command,
        in_front=True,
        events=(
            stop("soon"),
            stop(
                "soon",
                how="SIGQUIT, worker_shutdown_timeout 2 s",
                act=sends(signal.SIGQUIT),
                settings="worker_shutdown_timeout 2s;",
            ),
            message("soon"),
            reload("stay", watch=4.0),
            reload(
                "soon",
                "SIGHUP, worker_shutdown_timeout 2 s",
                settings="worker_shutdown_timeout 2s;",
            ),
            kill(),
            idle("soon", "proxy_read_timeout 2 s", settings="proxy_read_timeout 2s;"),
            overload(1, "spread", "limit_conn 1", settings="limit_conn all 1;"),
            behind_down(),
            refused("/nowhere"),
            behind_killed(),
        ),
    ),
)
