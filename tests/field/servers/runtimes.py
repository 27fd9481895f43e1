"""Deno.serve and Bun.serve."""

from tests.field.events import closes, dies, idle, kill, message, refused
from tests.field.software import APPS, Place, Software
from tests.field.sources import Npm


def _bin(place: Place) -> str:
    return (place.installed.environment or {})["NODE_PATH"] + "/.bin/"


def _deno(place: Place) -> tuple[str, ...]:
    allowed = ("--allow-net", "--allow-env", "--no-prompt")
    return (f"{_bin(place)}deno", "run", *allowed, str(APPS / "deno_echo.ts"))


def _bun(place: Place) -> tuple[str, ...]:
    return (f"{_bin(place)}bun", str(APPS / "bun_echo.js"))


SOFTWARE = (
    Software(
        name="Deno.serve",
        source=Npm(("deno@2.9.6",)),
        command=_deno,
        events=(
            closes("spread", "shutdown()"),
            dies(),
            message("soon"),
            kill(),
            refused("/nowhere"),
        ),
    ),
    Software(
        name="Bun.serve",
        source=Npm(("bun@1.4.4",)),
        command=_bun,
        events=(
            closes("spread", "stop(true)"),
            dies(),
            message("soon"),
            kill(),
            idle("soon", "idleTimeout 8 s, no pings", environment={"IDLE": "8"}, watch=20.0),
            refused("/nowhere"),
        ),
    ),
)
