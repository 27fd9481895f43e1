"""Servers of Python that are libraries: each is a script of a few lines in `apps`."""

from tests.field.events import dies, idle, kill, message, refused, stop, unanswered_pings
from tests.field.software import Event, Software, script
from tests.field.sources import Pip


def _software(
    name: str, packages: tuple[str, ...], app: str, *events: Event, variant: str = ""
) -> Software:
    command = script(app, *((variant,) if variant else ()))
    return Software(
        name=name, variant=variant, source=Pip(packages), command=command, events=events
    )


SOFTWARE = (
    _software(
        "robyn",
        ("robyn==0.88.0",),
        "robyn_echo.py",
        kill(),
    ),
    _software(
        "socketify",
        ("socketify==0.0.31",),
        "socketify_echo.py",
        stop("soon"),
        message("soon"),
        kill(),
        idle("soon", "idle_timeout 8", environment={"IDLE": "8"}, watch=20.0),
    ),
    _software(
        "trio-websocket",
        ("trio-websocket==0.12.2", "trio==0.35.0"),
        "trio_echo.py",
        stop("soon"),
        message("soon"),
        kill(),
    ),
    *(
        _software(
            "autobahn",
            packages,
            "autobahn_echo.py",
            dies(),
            kill(),
            unanswered_pings("soon", "autoPing of 1 s each", environment={"PINGS": "1"}),
            variant=flavour,
        )
        for flavour, packages in (
            ("asyncio", ("autobahn==26.10.2",)),
            ("twisted", ("autobahn==26.10.2", "twisted==26.10.0")),
        )
    ),
    _software(
        "Flask",
        ("flask==3.1.3", "flask-sock==0.7.0", "simple-websocket==1.1.0"),
        "flask_echo.py",
        stop("soon"),
        message("soon"),
        kill(),
        unanswered_pings("soon", "ping_interval 2", environment={"PINGS": "2"}),
        refused("/nowhere"),
        variant="simple-websocket",
    ),
    _software(
        "gevent-websocket",
        ("gevent-websocket==0.10.1", "gevent==26.9.0"),
        "gevent_echo.py",
        stop("soon"),
        message("soon"),
        kill(),
    ),
    _software(
        "picows",
        ("picows==2.3.1",),
        "picows_echo.py",
        dies(),
        message("soon"),
        kill(),
    ),
)
