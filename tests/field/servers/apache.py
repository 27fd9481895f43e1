"""Apache httpd in front of a WebSocket server."""

import signal

from tests.field.events import asks, idle, message, overload, reload, sends, stop
from tests.field.proxies import proxy
from tests.field.software import Event

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
{more}
ProxyPass / http://127.0.0.1:{upstream}/ upgrade=websocket retry=0
"""
FULL = "ServerLimit 1\nThreadsPerChild 2\nMaxRequestWorkers 2"

SOFTWARE = (
    proxy(
        "Apache httpd",
        "apache2",
        ("httpd.conf", CONFIGURATION),
        ("-DFOREGROUND", "-f", "{file}"),
        stop("soon"),
        message("soon"),
        stop(
            "soon",
            how="SIGWINCH, GracefulShutdownTimeout 2",
            act=sends(signal.SIGWINCH),
            settings={"more": "GracefulShutdownTimeout 2"},
            watch=30.0,
        ),
        reload("soon", "SIGHUP"),
        reload("stay", "SIGUSR1", act=sends(signal.SIGUSR1), watch=4.0),
        Event(
            name="age",
            how="MaxConnectionsPerChild 3",
            should="stay",
            act=asks(3),
            settings={"more": "MaxConnectionsPerChild 3"},
            watch=4.0,
        ),
        overload(2, "spread", "MaxRequestWorkers 2", settings={"more": FULL}, watch=4.0),
        idle("soon", "Timeout 2", settings={"more": "Timeout 2"}),
    ),
)
