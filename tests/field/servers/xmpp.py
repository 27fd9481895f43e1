"""XMPP over WebSocket: prosody and ejabberd."""

from tests.field.events import kill, refused, stop, unanswered
from tests.field.software import ERLANG_NAMES, Place, Software
from tests.field.sources import Debian

OPEN = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="localhost" version="1.0"/>'
PROSODY = """
daemonize = false
run_as_root = true
pidfile = "{folder}/pid"
data_path = "{folder}"
certificates = "{folder}"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ }}
s2s_ports = {{ }}
legacy_ssl_ports = {{ }}
http_ports = {{ {port} }}
https_ports = {{ }}
http_interfaces = {{ "127.0.0.1" }}
http_default_host = "localhost"
modules_enabled = {{ "saslauth", "websocket" }}
modules_disabled = {{ "s2s", "offline", "posix" }}
consider_websocket_secure = true
authentication = "anonymous"
log = {{ error = "*console" }}
{more}
VirtualHost "localhost"
"""
EJABBERD = """
hosts: [localhost]
loglevel: error
certfiles: []
listen:
  -
    port: {port}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers:
      /xmpp-websocket: ejabberd_http_ws
auth_method: [anonymous]
anonymous_protocol: sasl_anon
modules: {{}}
"""


def _prosody(place: Place) -> tuple[str, ...]:
    return ("prosody", "--config", place.configured("prosody.cfg.lua", PROSODY))


def _ejabberd(place: Place) -> tuple[str, ...]:
    folder = place.folder
    place.configured("ejabberd.yml", EJABBERD)
    script = (
        f"export ERL_EPMD_PORT={place.upstream} HOME={folder}\n"
        f"export EJABBERD_CONFIG_PATH={folder}/ejabberd.yml SPOOL_DIR={folder}\n"
        f"{ERLANG_NAMES}exec erl -noinput -sname field{place.port}@localhost"
        f" -mnesia dir '\"{folder}\"'"
        f" -kernel inet_dist_listen_min {place.spare} inet_dist_listen_max {place.spare}"
        " -pa /usr/lib/*/ejabberd-*/ebin -s ejabberd\n"
    )
    (folder / "node").write_text(script)
    return ("sh", str(folder / "node"))


SOFTWARE = (
    Software(
        name="Prosody",
        source=Debian("prosody", "prosody"),
        command=_prosody,
        path="/xmpp-websocket",
        subprotocols=("xmpp",),
        greeting=(OPEN,),
        echoes=False,
        events=(
            stop("soon", note="a stream error in-band comes first"),
            kill(),
            unanswered(
                "soon",
                "c2s_timeout 2 s",
                settings={"more": "c2s_timeout = 2"},
                note="nobody has signed in",
            ),
            refused("/nowhere"),
        ),
    ),
    Software(
        name="ejabberd",
        source=Debian("ejabberdctl", "ejabberd"),
        command=_ejabberd,
        path="/xmpp-websocket",
        subprotocols=("xmpp",),
        greeting=(OPEN,),
        echoes=False,
        events=(stop("soon"), kill(), refused("/nowhere")),
    ),
)
