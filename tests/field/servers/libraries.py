"""Servers of Python that are libraries: each is a script of a few lines in `apps`."""

from tests.field.events import idle, kill, message, stop, unanswered_pings
from tests.field.software import APPS, Event, Place, Software
from tests.field.sources import Pip


def _software(
    name: str, packages: tuple[str, ...], script: str, *events: Event, variant: str = ""
) -> Software:
    def command(place: Place) -> tuple[str, ...]:
        return (place.python, str(APPS / script), *((variant,) if variant else ()))

    return Software(
        name=name, variant=variant, source=Pip(packages), command=command, events=events
    )


UNTOLD = "no handler of signals: the process dies"

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
            stop("soon", note=UNTOLD),
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
        stop("soon", note=UNTOLD),
        message("soon"),
        kill(),
    ),
)
