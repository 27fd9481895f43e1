"""nginx in front of a WebSocket server."""

import signal

from tests.field.events import idle, message, overload, refused, reload, sends, stop
from tests.field.proxies import proxy

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
QUIT = sends(signal.SIGQUIT)
SHORT = {"main": "worker_shutdown_timeout 2s;"}

SOFTWARE = (
    proxy(
        "nginx",
        "nginx",
        ("nginx.conf", CONFIGURATION),
        ("-c", "{file}"),
        stop("soon"),
        stop("soon", how="SIGQUIT, worker_shutdown_timeout 2 s", act=QUIT, settings=SHORT),
        message("soon"),
        reload("stay", watch=4.0),
        reload("soon", "SIGHUP, worker_shutdown_timeout 2 s", settings=SHORT),
        idle("soon", "proxy_read_timeout 2 s", settings={"location": "proxy_read_timeout 2s;"}),
        overload(1, "spread", "limit_conn 1", settings={"location": "limit_conn all 1;"}),
        overload(
            1,
            "spread",
            "limit_conn 1, limit_conn_status 429",
            settings={"location": "limit_conn all 1; limit_conn_status 429;"},
        ),
        refused("/nowhere"),
    ),
)
