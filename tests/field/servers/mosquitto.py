"""mosquitto: MQTT over WebSocket."""

from tests.field.events import idle, kill, reload, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian

CONFIGURATION = """
listener {spare} 127.0.0.1
listener {port} 127.0.0.1
protocol websockets
allow_anonymous true
"""
CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x02\x00\x00"
"""A clean session without a name, with a keepalive of 2 s."""


def _command(place: Place) -> tuple[str, ...]:
    return ("mosquitto", "-c", place.configured("mosquitto.conf", CONFIGURATION))


SOFTWARE = (
    Software(
        name="mosquitto",
        source=Debian("mosquitto", "mosquitto"),
        command=_command,
        path="/mqtt",
        subprotocols=("mqtt",),
        greeting=(CONNECT,),
        echoes=False,
        policy="mqtt",
        events=(
            stop("spread"),
            kill(should="spread"),
            reload("stay", watch=1.0),
            idle("spread", "no PINGREQ, keepalive 2 s", note="no DISCONNECT packet says why"),
        ),
    ),
)
