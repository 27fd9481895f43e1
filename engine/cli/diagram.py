"""`recloser diagram`: draw the live machine, or the life of one close event."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from recloser.cli.noted import noted
from recloser.diagram.canvas import ASCII, UNICODE, Signs
from recloser.diagram.dot import dot
from recloser.diagram.listing import machine_listing, way_listing
from recloser.diagram.mermaid import mermaid
from recloser.diagram.picture import Picture
from recloser.diagram.terminal import terminal
from recloser.diagram.text import text
from recloser.diagram.theme import THEMES
from recloser.diagram.way import way_dot, way_mermaid, way_terminal, way_text

FORMATS: Final = ("mermaid", "dot", "svg", "png", "text", "terminal")
SUBJECTS: Final = ("machine", "close-event")

_DRAWN: Final = ("svg", "png")
_PLAIN: Final = ("text", "terminal")
_SUFFIXES: Final = {
    "": "terminal",
    ".mmd": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".svg": "svg",
    ".png": "png",
    ".txt": "terminal",
}
_NOTES: Final = ("policy", "journal", "highlight")


@click.command()
@click.argument("subject", type=click.Choice(SUBJECTS), default="machine", required=False)
@click.option(
    "-f",
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="By default what the name of -o says, else terminal; text is a matrix.",
)
@click.option("-p", "--policy", help="Write on each way of an end which rules take it.")
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write on each way how often it was taken; a journal, or a log in JSON lines.",
)
@click.option("--highlight", help="A state, or a path: open,backoff,connecting.")
@click.option(
    "--theme", type=click.Choice(list(THEMES)), help="Of what is drawn.  [default: light]"
)
@click.option("--ascii", "plain", is_flag=True, help="No other signs, in a terminal.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of the terminal.",
)
def command(
    *,
    subject: str,
    kind: str | None,
    theme: str | None,
    plain: bool,
    json_wanted: bool,
    output: Path | None,
    **notes: Any,
) -> None:
    """Draw the live state machine as every engine runs it, or the life of one close event.

    SVG and PNG need pygraphviz: pip install 'recloser[diagram]'.
    """
    given = [name for name in _NOTES if notes[name] is not None]
    if subject != "machine" and given:
        raise click.UsageError(f"--{given[0]} is for the machine: leave out {subject}")
    if json_wanted:
        if kind is not None or theme is not None or plain:
            raise click.UsageError("--json has no --format, --theme or --ascii: leave them out")
    else:
        kind = _checked(kind, theme, output, plain=plain)
    machine = noted(**notes) if subject == "machine" else None
    if kind is None:
        listing = way_listing() if machine is None else machine_listing(machine)
        picture = f"{json.dumps(listing, indent=2)}\n".encode()
    elif kind in _DRAWN:
        picture = _drawn(_dot(machine, theme), kind)
    else:
        encoding = "utf-8" if output is not None or kind not in _PLAIN else sys.stdout.encoding
        signs = ASCII if plain or not _encodes(encoding) else UNICODE
        picture = _text(machine, kind, theme, signs).encode(encoding, "backslashreplace")
    _write(picture, output)


def _checked(kind: str | None, theme: str | None, output: Path | None, *, plain: bool) -> str:
    """Return the format, told from the file's name if need be; refuse what does not go together."""
    if kind is None:
        suffix = "" if output is None else output.suffix
        if suffix not in _SUFFIXES:
            raise click.UsageError(f"{suffix} tells no format: give --format too")
        kind = _SUFFIXES[suffix]
    if theme is not None and kind in _PLAIN:
        raise click.UsageError(f"{kind} has no colours: leave out --theme")
    if plain and kind != "terminal":
        raise click.UsageError(f"--ascii is for the format terminal, not for {kind}")
    if kind in _DRAWN and output is None and sys.stdout.isatty():
        raise click.UsageError(f"{kind} is not for a terminal: give -o FILE, or a pipe")
    return kind


def _dot(machine: Picture | None, theme: str | None) -> str:
    colours = THEMES[theme or "light"]
    return way_dot(colours) if machine is None else dot(machine, colours)


def _text(machine: Picture | None, kind: str, theme: str | None, signs: Signs) -> str:
    dark = theme == "dark"
    match kind:
        case "dot":
            return _dot(machine, theme)
        case "mermaid":
            return way_mermaid(dark=dark) if machine is None else mermaid(machine, dark=dark)
        case "text":
            return way_text() if machine is None else text(machine)
        case _:
            return way_terminal(signs) if machine is None else terminal(machine, signs)


def _drawn(source: str, kind: str) -> bytes:
    # It loads a temporary file's module and, when called, Graphviz.
    from recloser.diagram.drawn import drawn  # noqa: PLC0415 - only when asked for

    try:
        return drawn(source, kind)
    except ImportError as error:
        text = f"{kind} needs pygraphviz: pip install 'recloser[diagram]' ({error})"
        raise click.UsageError(text) from error


def _encodes(encoding: str) -> bool:
    """Whether this encoding has all the signs that a picture may need."""
    try:
        repr(UNICODE).encode(encoding)  # it has the signs, and else only ASCII
    except UnicodeEncodeError:
        return False
    return True


def _write(picture: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(picture)
        sys.stdout.flush()
        return
    try:
        output.write_bytes(picture)
    except OSError as error:
        raise click.BadParameter(f"{output}: {error.strerror}", param_hint="-o") from error
