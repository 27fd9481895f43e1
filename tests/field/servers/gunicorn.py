"""gunicorn, with the workers that can serve a WebSocket."""

from tests.field.events import asks, kill, message, overload, refused, reload, starting, stop
from tests.field.software import Event, Place, Software
from tests.field.sources import Pip

GRACE = "--graceful-timeout"


def _software(
    variant: str,
    worker: tuple[str, ...],
    app: str,
    packages: tuple[str, ...],
    events: tuple[Event, ...],
) -> Software:
    def command(place: Place) -> tuple[str, ...]:
        bind = ("--bind", f"127.0.0.1:{place.port}")
        return (place.python, "-m", "gunicorn", *bind, GRACE, "3", *worker, app)

    return Software(
        name="gunicorn",
        variant=variant,
        source=Pip(("gunicorn==27.0.1", *packages)),
        command=command,
        events=events,
    )


def _age(should: str) -> Event:
    return Event(
        name="age",
        how=f"--max-requests 3, {GRACE} 3",
        should=should,
        act=asks(3),
        options=("--max-requests", "3"),
        watch=20.0,
    )


PRELOADED = starting(
    "spread", how="a dial in the 3 s of start-up, --preload", options=("--preload",)
)


def _events(fleet: str, reloads: str, *more: Event) -> tuple[Event, ...]:
    return (
        stop(fleet, how=f"SIGTERM, {GRACE} 3", watch=20.0),
        message(fleet, watch=20.0),
        kill(),
        reload(reloads, f"SIGHUP, {GRACE} 3", watch=20.0),
        *more,
    )


SOFTWARE = (
    _software(
        "uvicorn-worker",
        ("-k", "uvicorn_worker.UvicornWorker"),
        "asgi:app",
        ("uvicorn-worker==0.4.0", "uvicorn==0.54.0", "websockets==17.4"),
        _events("spread", "spread", refused("/nowhere"), starting("stay"), _age("spread")),
    ),
    _software(
        "gthread",
        ("-k", "gthread", "--threads", "8"),
        "flask_echo:app",
        ("flask-sock==0.7.0", "simple-websocket==1.1.0"),
        _events(
            "soon",
            "stay",
            refused("/nowhere"),
            starting("stay"),
            PRELOADED,
            overload(2, "spread", "--threads 2", "--threads", "2", watch=4.0),
        ),
    ),
    _software(
        "asgi",
        ("-k", "asgi"),
        "asgi:app",
        (),
        _events("soon", "spread", refused("/nowhere"), starting("stay"), _age("spread")),
    ),
)
