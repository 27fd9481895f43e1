"""RabbitMQ: MQTT and STOMP over WebSocket, from a node of its own with an epmd of its own."""

from tests.field.events import idle, kill, stop
from tests.field.software import ERLANG_NAMES, Place, Software
from tests.field.sources import Debian

CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x04\x00\x00"
STOMP = "CONNECT\naccept-version:1.2\nheart-beat:4000,4000\nlogin:guest\npasscode:guest\n\n\x00"
CONFIGURATION = """
listeners.tcp = none
mqtt.listeners.tcp = none
stomp.listeners.tcp = none
mqtt.allow_anonymous = true
mqtt.default_user = guest
mqtt.default_pass = guest
web_{plugin}.tcp.ip = 127.0.0.1
web_{plugin}.tcp.port = {port}
"""


def _software(plugin: str, subprotocol: str, path: str, greeting: str | bytes) -> Software:
    def command(place: Place) -> tuple[str, ...]:
        folder = place.folder
        configuration = place.configured("rabbitmq.conf", CONFIGURATION, plugin=plugin)
        (folder / "plugins").write_text(f"[rabbitmq_web_{plugin}].\n")
        facts = {
            "HOME": folder,
            "ERL_EPMD_PORT": place.upstream,
            "RABBITMQ_NODENAME": f"field{place.port}@localhost",
            "RABBITMQ_DIST_PORT": place.spare,
            "RABBITMQ_CONFIG_FILE": configuration,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
            "RABBITMQ_FEATURE_FLAGS_FILE": folder / "flags",
            "RABBITMQ_MNESIA_BASE": folder / "data",
            "RABBITMQ_LOG_BASE": folder / "log",
            "RABBITMQ_PID_FILE": folder / "pid",
        }
        folder.chmod(0o777)
        script = "".join(f"export {name}={value}\n" for name, value in facts.items())
        (folder / "node").write_text(f"{script}{ERLANG_NAMES}exec rabbitmq-server\n")
        return ("sh", str(folder / "node"))

    return Software(
        name="RabbitMQ",
        variant=f"web-{plugin}",
        source=Debian("rabbitmq-server", "rabbitmq-server"),
        command=command,
        path=path,
        subprotocols=(subprotocol,),
        greeting=(greeting,),
        echoes=False,
        policy=plugin,
        events=(
            stop("spread"),
            kill(should="spread"),
            idle("spread", "no heart-beat of the protocol, 4 s", watch=20.0),
        ),
    )


SOFTWARE = (
    _software("mqtt", "mqtt", "/ws", CONNECT),
    _software("stomp", "v12.stomp", "/ws", STOMP),
)
