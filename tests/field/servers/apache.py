"""Apache httpd in front of a WebSocket server."""

import signal

from tests.field.events import behind_down, behind_killed, idle, kill, reload, sends, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian

CONFIGURATION = """
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule proxy_wstunnel_module /usr/lib/apache2/modules/mod_proxy_wstunnel.so
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error
Listen 127.0.0.1:{port}
StartServers 1
{settings}
ProxyPass / http://127.0.0.1:{upstream}/ upgrade=websocket retry=0
"""


def _command(place: Place) -> tuple[str, ...]:
    text = CONFIGURATION.format(
        folder=place.folder, port=place.port, upstream=place.upstream, settings=place.settings
    )
    (place.folder / "httpd.conf").write_text(text)
    return ("apache2", "-DFOREGROUND", "-f", str(place.folder / "httpd.conf"))


SOFTWARE = (
    Software(
        name="Apache httpd",
        source=Debian("apache2", "apache2"),
        command=_command,
        in_front=True,
        events=(
            stop("soon"),
            stop(
                "soon",
                how="SIGWINCH, GracefulShutdownTimeout 2",
                act=sends(signal.SIGWINCH),
                settings="GracefulShutdownTimeout 2",
                watch=30.0,
            ),
            reload("soon", "SIGHUP"),
            reload("stay", "SIGUSR1", act=sends(signal.SIGUSR1), watch=4.0),
            kill(),
            idle("soon", "Timeout 2", settings="Timeout 2"),
            behind_down(),
            behind_killed(),
        ),
    ),
)
