"""NATS: its WebSocket listener, to a client that says CONNECT."""

import signal

from tests.field.events import kill, overload, reload, sends, stop
from tests.field.software import Event, Place, Software
from tests.field.sources import Debian

CONFIGURATION = """
listen: 127.0.0.1:{spare}
lame_duck_duration: 30s
lame_duck_grace_period: 2s
websocket {{ listen: '127.0.0.1:{port}', no_tls: true }}
{more}
"""
HELLO = b'CONNECT {"verbose":false,"protocol":1,"user":"me","pass":"secret"}\r\nPING\r\n'


def _command(place: Place) -> tuple[str, ...]:
    return ("nats-server", "-c", place.configured("nats.conf", CONFIGURATION))


SOFTWARE = (
    Software(
        name="NATS",
        source=Debian("nats-server", "nats-server"),
        command=_command,
        greeting=(HELLO,),
        echoes=False,
        policy="nats",
        events=(
            stop("spread"),
            stop(
                "spread",
                how="SIGUSR2, lame duck mode, grace period 2 s",
                act=sends(signal.SIGUSR2),
                watch=60.0,
                note="INFO with ldm comes at once",
            ),
            kill(should="spread"),
            reload("spread", watch=3.0, note="a client that named a user who is not configured"),
            overload(1, "spread", "max_connections 1", settings={"more": "max_connections: 1"}),
            Event(
                name="refused",
                how="bad credentials",
                should="stop",
                settings={"more": "authorization { user: me, password: other }"},
            ),
        ),
    ),
)
