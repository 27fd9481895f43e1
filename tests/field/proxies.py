"""Proxies of Debian in front of a WebSocket server: what all of them have, told once."""

from tests.field.events import behind_down, behind_killed, kill
from tests.field.software import Event, Place, Software
from tests.field.sources import Debian


def proxy(
    name: str,
    program: str,
    configuration: tuple[str, str],
    arguments: tuple[str, ...],
    *events: Event,
    package: str = "",
    down_note: str = "",
) -> Software:
    """A proxy with these events, and those that each has: it, or the server behind it, is killed.

    `configuration` is the name of its file and the template for `Place.configured`. Arguments of
    its command name `file`, `folder`, `port` and `upstream` in braces. The package is called like
    the program if it is not given; `down_note` is for a dial while the server behind is down.
    """

    def command(place: Place) -> tuple[str, ...]:
        facts = {
            "file": place.configured(*configuration),
            "folder": place.folder,
            "port": place.port,
            "upstream": place.upstream,
        }
        place.folder.chmod(0o777)  # some proxies give up root, and write there then
        return (program, *(each.format(**facts) for each in arguments))

    return Software(
        name=name,
        source=Debian(program, package or program),
        command=command,
        in_front=True,
        events=(*events, kill(), behind_down(note=down_note), behind_killed()),
    )
