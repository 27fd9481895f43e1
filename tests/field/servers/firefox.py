"""Firefox as a server: WebDriver BiDi. A client begins with a session, and only one has one."""

import json

from tests.field.events import kill, refused, stop
from tests.field.software import Place, Software
from tests.field.sources import Debian

SESSION = json.dumps({"id": 1, "method": "session.new", "params": {"capabilities": {}}})


def _command(place: Place) -> tuple[str, ...]:
    profile = place.folder / "profile"
    profile.mkdir(exist_ok=True)
    where = ("--remote-debugging-port", str(place.port), "--profile", str(profile))
    return ("firefox-esr", "--headless", "--no-remote", *where)


SOFTWARE = (
    Software(
        name="Firefox BiDi",
        source=Debian("firefox-esr", "firefox-esr"),
        command=_command,
        environment={"MOZ_DISABLE_CONTENT_SANDBOX": "1"},
        path="/session",
        greeting=(SESSION,),
        echoes=False,
        events=(
            stop("soon"),
            kill(),
            refused("/nowhere", how="an unknown path"),
        ),
    ),
)
