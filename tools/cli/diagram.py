"""`recloser diagram`: draw the live machine, or the life of one close event."""

import sys
from pathlib import Path
from typing import Any, Final

import click

from recloser.cli.noted import noted
from recloser.cli.rendering import THEMES, listed, rendered
from recloser.diagram.canvas import UNICODE

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
@click.option("--theme", type=click.Choice(THEMES), help="Of what is drawn.  [default: light]")
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
        picture = listed(machine)
    else:
        encoding = "utf-8" if output is not None or kind not in _PLAIN else sys.stdout.encoding
        plain = plain or not _encodes(encoding)
        picture = rendered(machine, kind, theme=theme or THEMES[0], plain=plain, encoding=encoding)
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
