"""Jupyter Server: the socket of its events."""

from tests.field.events import kill, refused, stop
from tests.field.software import Place, Software
from tests.field.sources import Pip


def _command(place: Place) -> tuple[str, ...]:
    options = ("--no-browser", "--allow-root", "--ServerApp.port_retries=0")
    token = ("--IdentityProvider.token=secret", f"--ServerApp.root_dir={place.folder}")
    where = ("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={place.port}")
    return (place.python, "-m", "jupyter_server", *options, *token, *where)


SOFTWARE = (
    Software(
        name="Jupyter Server",
        source=Pip(("jupyter-server==2.21.1",)),
        command=_command,
        path="/api/events/subscribe",
        headers={"Authorization": "token secret"},
        echoes=False,
        events=(
            stop("soon"),
            kill(),
            refused("/api/kernels/none/channels", how="a kernel that is gone"),
        ),
    ),
)
