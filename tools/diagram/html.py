"""The machine as one HTML file: a state or an event is clicked, a journal or a story is played.

Nothing in it comes from elsewhere, and nothing leaves it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any, Final, Protocol

from recloser.diagram.listing import machine_listing
from recloser.diagram.picture import Picture
from recloser.fsm.change import StateChange
from recloser.fsm.states import State

_PAGE: Final = files("recloser.diagram") / "page"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of state of a play, or one moment at which the state stays."""

    time: str
    text: str
    from_state: State
    to_state: State


@dataclass(frozen=True, slots=True)
class Play:
    """What the page can play, step by step: the life of an engine, or a story."""

    title: str
    steps: Sequence[Step]


class Entry(Protocol):
    """A change of state that a journal has kept."""

    @property
    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    @property
    def engine(self) -> str:
        """The name of the engine; empty if it has none."""
        ...

    @property
    def change(self) -> StateChange:
        """The change."""
        ...


def journal_plays(entries: Iterable[Entry]) -> list[Play]:
    """Return the life of each engine of a journal, in the order in which they come first."""
    lives: dict[str, list[Step]] = {}
    start: float | None = None
    for entry in entries:
        start = entry.time if start is None else start
        change = entry.change
        parts = [change.trigger.value]
        if change.close is not None:
            close = change.close
            parts += [f"{close.code} {close.cause.value} by {close.origin.value}", close.reason]
        if change.rule:
            parts.append(f"rule {change.rule}")
        if change.delay is not None:
            parts.append(f"again in {change.delay:.3g} s")
        text = ", ".join(part for part in parts if part)
        step = Step(f"{entry.time - start:,.3f} s", text, change.previous, change.current)
        lives.setdefault(entry.engine, []).append(step)
    return [Play(engine or "the engine", steps) for engine, steps in lives.items()]


def story_plays(verdicts: object) -> list[Play]:
    """Return the story of each broken law, of what `recloser check --json` prints.

    Raises `ValueError` if it is something else.
    """
    try:
        laws: list[dict[str, Any]] = verdicts["laws"]  # type: ignore[index] # checked by trying
        return [
            Play(
                f"{law['name']}: {law['problem']}",
                [
                    Step(
                        f"{each['at']:,.3f} s",
                        ", ".join(part for part in (each["event"], each["decision"]) if part),
                        State(each["from"]),
                        State(each["to"]),
                    )
                    for each in law["moments"]
                ],
            )
            for law in laws
            if law["moments"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("it is not what `recloser check --json` prints") from error


def html(picture: Picture, svg: str, plays: Sequence[Play] = ()) -> str:
    """Return the page around an SVG of the same picture."""
    found = machine_listing(picture)
    found["plays"] = [
        {
            "title": play.title,
            "steps": [
                {
                    "time": step.time,
                    "text": step.text,
                    "from": step.from_state.value,
                    "to": step.to_state.value,
                }
                for step in play.steps
            ],
        }
        for play in plays
    ]
    data = json.dumps(found, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        name: (_PAGE / f"picture.{suffix}").read_text(encoding="utf-8").rstrip()
        for name, suffix in (("style", "css"), ("script", "js"))
    }
    page = Template((_PAGE / "picture.html").read_text(encoding="utf-8"))
    return page.substitute(parts, svg=svg[svg.index("<svg") :].rstrip(), data=data)
