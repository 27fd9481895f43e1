"""Chromium as a server: its DevTools, at the path that it names anew at each start."""

import json
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests.field.events import kill, refused, stop
from tests.field.recorder import HOST
from tests.field.software import Place, Software
from tests.field.sources import Debian

OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-allow-origins=*")


def _command(place: Place) -> tuple[str, ...]:
    where = (f"--remote-debugging-port={place.port}", f"--user-data-dir={place.folder}/profile")
    return ("chromium", *OPTIONS, *where, "about:blank")


def _locate(place: Place) -> str:
    try:
        with urlopen(f"http://{HOST}:{place.port}/json/version", timeout=5.0) as answer:
            return urlsplit(json.load(answer)["webSocketDebuggerUrl"]).path
    except OSError:
        return "/"


SOFTWARE = (
    Software(
        name="Chromium DevTools",
        source=Debian("chromium", "chromium"),
        command=_command,
        locate=_locate,
        echoes=False,
        events=(
            stop("soon"),
            kill(),
            refused(
                "/devtools/page/none", "spread", how="a tab that is gone", note="500, for good"
            ),
        ),
    ),
)
