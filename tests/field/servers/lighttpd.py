"""lighttpd in front of a WebSocket server."""

from tests.field.events import idle, message, overload, stop
from tests.field.proxies import proxy

CONFIGURATION = """
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/error"
server.modules = ("mod_proxy")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {upstream})))
proxy.header = ("upgrade" => "enable")
{more}
"""

SOFTWARE = (
    proxy(
        "lighttpd",
        "lighttpd",
        ("lighttpd.conf", CONFIGURATION),
        ("-D", "-f", "{file}"),
        stop("soon"),
        message("soon"),
        overload(
            2,
            "spread",
            "server.max-connections 2",
            settings={"more": "server.max-connections = 2"},
            watch=4.0,
        ),
        idle("soon", "max-read-idle 2 s", settings={"more": "server.max-read-idle = 2"}),
    ),
)
