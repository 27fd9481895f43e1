"""`recloser diagram`: draw the live machine."""

from pathlib import Path

import click

from recloser.diagram import FORMATS, edges


@click.command()
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="What to draw.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of the terminal.",
)
def command(kind: str, output: Path | None) -> None:
    """Draw the live state machine, as every engine runs it."""
    picture = FORMATS[kind](edges())
    if output is None:
        click.echo(picture, nl=False)
        return
    try:
        output.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{output}: {error.strerror}", param_hint="-o") from error
