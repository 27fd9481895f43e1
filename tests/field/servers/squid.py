"""squid as a reverse proxy in front of a WebSocket server."""

from tests.field.events import behind_down, behind_killed, idle, kill, reload, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian

CONFIGURATION = """
http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent {upstream} 0 no-query no-digest originserver name=behind
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
{settings}
"""


def _command(place: Place) -> tuple[str, ...]:
    text = CONFIGURATION.format(
        folder=place.folder, port=place.port, upstream=place.upstream, settings=place.settings
    )
    (place.folder / "squid.conf").write_text(text)
    place.folder.chmod(0o777)
    return ("squid", "-N", "-n", f"field{place.port}", "-f", str(place.folder / "squid.conf"))


SOFTWARE = (
    Software(
        name="squid",
        source=Debian("squid", "squid"),
        command=_command,
        in_front=True,
        events=(
            stop("soon", how="SIGTERM, shutdown_lifetime 1 s"),
            kill(),
            reload("stay", watch=4.0),
            idle("soon", "read_timeout 2 s", settings="read_timeout 2 seconds"),
            behind_down(),
            behind_killed(),
        ),
    ),
)
