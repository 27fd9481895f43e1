"""`recloser diagram`: draw the live machine, or the life of one close event.

Each format has a renderer of its own, and only the one that is asked for is loaded.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click

from recloser.diagram.canvas import UNICODE
from recloser.diagram.picture import Picture, count_changes, live_rows, parse_highlight
from recloser.fsm.states import State
from recloser.fsm.table import Row

THEMES: Final = ("light", "dark", "auto")
"""The last one, of SVG alone, is light or dark as the reader prefers."""
FORMATS: Final = (
    "mermaid",
    "dot",
    "svg",
    "png",
    "html",
    "plantuml",
    "xstate",
    "scxml",
    "promela",
    "text",
    "terminal",
)
SUBJECTS: Final = ("machine", "close-event", "outbox")
_DRAWN: Final = ("svg", "png", "html")
_PLAIN: Final = ("text", "terminal")
_COLOURED: Final = ("mermaid", "dot", "plantuml")
_MACHINES: Final = ("html", "plantuml", "xstate", "scxml", "promela")
"""Formats that show the machine alone."""
_SUFFIXES: Final = {
    "": "terminal",
    ".mmd": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".svg": "svg",
    ".png": "png",
    ".html": "html",
    ".txt": "terminal",
    ".puml": "plantuml",
    ".scxml": "scxml",
    ".pml": "promela",
}
_NOTES: Final = ("policy", "journal", "highlight")

Subject = Picture | str
"""The machine with its notes, or the name of the module that draws another subject."""


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
@click.option(
    "--story",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Of html: play the stories of this file, written by recloser check --json.",
)
@click.option("--highlight", help="A state, or a path: open,backoff,connecting.")
@click.option(
    "--theme",
    type=click.Choice(THEMES),
    help="Of what is drawn; auto: an SVG for light and dark pages.  [default: light]",
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
    story: Path | None,
    **notes: Any,
) -> None:
    """Draw the live state machine as every engine runs it.

    Or draw the life of one close event, or the states of one message of an outbox.

    SVG, PNG and HTML need pygraphviz: pip install pygraphviz. HTML is one file to click through;
    it plays a journal or a story step by step.
    """
    given = [name for name in _NOTES if notes[name] is not None]
    if subject != "machine" and given:
        raise click.UsageError(f"--{given[0]} is for the machine: leave out {subject}")
    if json_wanted:
        if kind is not None or theme is not None or plain:
            raise click.UsageError("--json has no --format, --theme or --ascii: leave them out")
    else:
        kind = _checked_format(kind, theme, output, plain=plain)
        if subject != "machine" and kind in _MACHINES:
            raise click.UsageError(f"{kind} is for the machine: leave out {subject}")
    shown: Subject = (
        annotated_machine(**notes) if subject == "machine" else subject.replace("-", "_")
    )
    if story is not None and kind != "html":
        raise click.UsageError("--story is played by html: give -f html, or -o with .html")
    if kind is None:
        picture = render_json(shown)
    elif isinstance(shown, Picture) and kind == "html":
        picture = _page(shown, notes["journal"], story)
    else:
        encoding = "utf-8" if output is not None or kind not in _PLAIN else sys.stdout.encoding
        plain = plain or not _encodes(encoding)
        picture = render(shown, kind, theme=theme or THEMES[0], plain=plain, encoding=encoding)
    _write(picture, output)


def _checked_format(
    kind: str | None, theme: str | None, output: Path | None, *, plain: bool
) -> str:
    """Return the format, by default that of the suffix; refuse options that do not fit it."""
    if kind is None:
        suffix = "" if output is None else output.suffix
        if suffix not in _SUFFIXES:
            raise click.UsageError(f"the suffix {suffix} stands for no format: give --format too")
        kind = _SUFFIXES[suffix]
    if theme is not None and kind not in (*_COLOURED, *_DRAWN):
        raise click.UsageError(f"{kind} has no colours: leave out --theme")
    if theme is not None and kind == "html":
        raise click.UsageError("html follows its reader: leave out --theme")
    if theme == "auto" and kind != "svg":
        raise click.UsageError(f"{kind} cannot follow its reader: give --theme light or dark")
    if plain and kind != "terminal":
        raise click.UsageError(f"--ascii is for the format terminal, not for {kind}")
    if kind in _DRAWN and output is None and sys.stdout.isatty():
        raise click.UsageError(f"{kind} is not for a terminal: give -o FILE, or a pipe")
    return kind


def _encodes(encoding: str) -> bool:
    """Whether this encoding has all characters of a picture."""
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


def annotated_machine(policy: str | None, journal: Path | None, highlight: str | None) -> Picture:
    """Return the live machine with the notes that the options ask for.

    Raises `click.BadParameter` for a policy, journal or state that cannot be found or read. If
    the policy fails, prints how and raises `click.exceptions.Exit` with status 1.
    """
    rows = live_rows()
    captions = []
    marked, path = frozenset[State](), frozenset[tuple[State, State]]()
    if highlight is not None:
        try:
            marked, path = parse_highlight(highlight, rows)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--highlight") from error
    rules: dict[Row, tuple[str, ...]] = {}
    if policy is not None:
        rules = _rules(policy, rows)
        captions.append(f"rules of the policy {policy}")
    counts: dict[Row, int] = {}
    if journal is not None:
        counts = _counts(journal, rows)
        captions.append(f"{sum(counts.values())} changes of {journal.name}")
    return Picture(
        rows=rows,
        rules=rules,
        counts=counts,
        marked=marked,
        path=path,
        caption="; ".join(captions),
    )


def _rules(policy: str, rows: list[Row]) -> dict[Row, tuple[str, ...]]:
    # Policies take time to load, and a bare diagram needs none.
    from recloser.cli.policy_argument import load_policy  # noqa: PLC0415 - only when asked for
    from recloser.explain.question import PolicyFailedError  # noqa: PLC0415 - only when asked for
    from recloser.explain.transitions import rules_by_transition  # noqa: PLC0415 - only when asked for

    try:
        return rules_by_transition(load_policy(policy), rows)
    except PolicyFailedError as error:
        click.echo(f"recloser diagram: {error}", err=True)
        raise click.exceptions.Exit(1) from error


def _counts(journal: Path, rows: list[Row]) -> dict[Row, int]:
    from recloser.journal.reader import Reader  # noqa: PLC0415 - only when asked for

    try:
        with journal.open("rb") as file:
            reader = Reader(file)
            counts, strange = count_changes(rows, (entry.change for entry in reader))
    except OSError as error:
        raise click.BadParameter(f"{journal}: {error.strerror}", param_hint="--journal") from error
    if reader.lines and not reader.entries:
        text = f"{journal}: none of its {reader.lines} lines tells of a change of state"
        raise click.BadParameter(text, param_hint="--journal")
    skipped = {
        "broken": reader.broken,
        "of a later version": reader.newer,
        "changes that this machine does not have": strange,
        "lost before they were written": reader.lost,
    }
    parts = ", ".join(f"{number} {what}" for what, number in skipped.items() if number)
    if parts:
        click.echo(f"recloser diagram: {journal}: not counted: {parts}", err=True)
    return counts


def render(subject: Subject, kind: str, *, theme: str, plain: bool, encoding: str) -> bytes:
    """Return the machine, or another subject, in this format.

    A character that the encoding lacks, such as one in the name of a policy, is escaped. Raises
    `click.UsageError` if pygraphviz is missing.
    """
    if kind in _DRAWN:
        return _drawn(subject, kind, theme)
    looks: tuple[Any, ...] = ()
    if kind in _COLOURED:
        looks = (_module("theme").THEMES[theme],)
    elif kind == "terminal":
        canvas = _module("canvas")
        looks = (canvas.ASCII if plain else canvas.UNICODE,)
    return _source(subject, kind, *looks).encode(encoding, "backslashreplace")


def _source(subject: Subject, kind: str, *looks: Any) -> str:
    """Call the renderer of a format; a format, its module and its function have one name."""
    text: str
    if isinstance(subject, str):
        text = getattr(_module(subject), f"{subject}_{kind}")(*looks)
    else:
        text = getattr(_module(kind), kind)(subject, *looks)
    return text


def render_json(subject: Subject) -> bytes:
    """Return the machine, or another subject, as JSON."""
    if isinstance(subject, str):
        found = getattr(_module(subject), f"{subject}_listing")()
    else:
        found = _module("listing").machine_listing(subject)
    return f"{import_module('json').dumps(found, indent=2)}\n".encode()


def _page(picture: Picture, journal: Path | None, story: Path | None) -> bytes:
    """Return the HTML file; it plays the journal, the story, or both."""
    svg = _drawn(picture, "html", "auto").decode()
    page = _module("html")
    plays = []
    if journal is not None:
        with journal.open("rb") as file:
            plays += page.journal_plays(import_module("recloser.journal.reader").Reader(file))
    if story is not None:
        try:
            plays += page.story_plays(import_module("json").loads(story.read_bytes()))
        except OSError as error:
            text = f"{story}: {error.strerror}"
            raise click.BadParameter(text, param_hint="--story") from error
        except ValueError as error:
            text = f"{story}: {error}: write it with recloser check POLICY --json"
            raise click.BadParameter(text, param_hint="--story") from error
    found: str = page.html(picture, svg, plays)
    return found.encode()


def _module(name: str) -> ModuleType:
    return import_module(f"recloser.diagram.{name}")


def _drawn(subject: Subject, kind: str, theme: str) -> bytes:
    fixed = "light" if theme == "auto" else theme
    colours = _module("theme").THEMES[fixed]
    try:
        source = _source(subject, "dot", colours)
        drawn = "svg" if kind == "html" else kind
        picture: bytes = _module("graphviz").draw(source, drawn, colours.ground)
        if theme == "auto":
            picture = _module("theme").follow_reader(picture)
    except ImportError as error:
        text = f"{kind} needs pygraphviz: pip install pygraphviz ({error})"
        raise click.UsageError(text) from error
    return picture
