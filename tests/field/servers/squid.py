"""squid as a reverse proxy in front of a WebSocket server."""

from tests.field.events import idle, message, overload, reload, stop
from tests.field.proxies import proxy
from tests.field.software import Event

CONFIGURATION = """
http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent {upstream} 0 no-query no-digest originserver name=behind {peer}
http_access allow all
cache_peer_access behind allow all
http_upgrade_request_protocols websocket allow all
pid_filename {folder}/pid
cache_log {folder}/cache.log
access_log none
cache deny all
cache_mem 8 MB
pinger_enable off
shutdown_lifetime 1 seconds
{more}
"""

SOFTWARE = (
    proxy(
        "squid",
        "squid",
        ("squid.conf", CONFIGURATION),
        ("-N", "-n", "field{port}", "-f", "{file}"),
        stop("soon", how="SIGTERM, shutdown_lifetime 1 s"),
        message("soon", how="a message, then SIGTERM, shutdown_lifetime 1 s"),
        Event(
            name="age",
            how="client_lifetime 3 s",
            should="stay",
            settings={"more": "client_lifetime 3 seconds"},
            note="it does not end an upgraded connection",
        ),
        overload(1, "spread", "max-conn=1 of the peer", settings={"peer": "max-conn=1"}),
        reload("stay", watch=4.0),
        idle("soon", "read_timeout 2 s", settings={"more": "read_timeout 2 seconds"}),
    ),
)
