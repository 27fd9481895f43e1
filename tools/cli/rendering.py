"""Calls the renderer of each format, and loads no other: each costs time to start."""

from importlib import import_module
from types import ModuleType
from typing import Final

import click

from recloser.diagram.picture import Picture

THEMES: Final = ("light", "dark")


def rendered(
    machine: Picture | None, kind: str, *, theme: str, plain: bool, encoding: str
) -> bytes:
    """Return the machine, or for None the life of one close event, in this format.

    What the encoding lacks, such as a sign in the name of a policy, is escaped. Raises
    `click.UsageError` if pygraphviz is missing.
    """
    text: str
    match kind:
        case "dot":
            text = _dot(machine, theme)
        case "svg" | "png":
            return _drawn(_dot(machine, theme), kind)
        case "mermaid":
            dark = theme == "dark"
            if machine is None:
                text = _module("way").way_mermaid(dark=dark)
            else:
                text = _module("mermaid").mermaid(machine, dark=dark)
        case "terminal":
            canvas = _module("canvas")
            signs = canvas.ASCII if plain else canvas.UNICODE
            if machine is None:
                text = _module("way").way_terminal(signs)
            else:
                text = _module("terminal").terminal(machine, signs)
        case _:
            text = _module("way").way_text() if machine is None else _module("text").text(machine)
    return text.encode(encoding, "backslashreplace")


def listed(machine: Picture | None) -> bytes:
    """Return the same as JSON."""
    listing = _module("listing")
    found = listing.way_listing() if machine is None else listing.machine_listing(machine)
    return f"{import_module('json').dumps(found, indent=2)}\n".encode()


def _module(name: str) -> ModuleType:
    return import_module(f"recloser.diagram.{name}")


def _dot(machine: Picture | None, theme: str) -> str:
    colours = _module("theme").THEMES[theme]
    source: str = (
        _module("way").way_dot(colours) if machine is None else _module("dot").dot(machine, colours)
    )
    return source


def _drawn(source: str, kind: str) -> bytes:
    try:
        picture: bytes = _module("drawn").drawn(source, kind)
    except ImportError as error:
        text = f"{kind} needs pygraphviz: pip install 'recloser[diagram]' ({error})"
        raise click.UsageError(text) from error
    return picture
