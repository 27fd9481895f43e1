"""The colours of drawn pictures, light and dark, and what each colour means."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

from recloser.fsm.states import Trigger

FONT: Final = "Helvetica,Arial,sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours by use; the contrast of each text to its ground is at least 4.5."""

    ground: str
    ink: str
    quiet: str
    """Notes."""
    node: str
    frame: str
    accent: str
    """Frame of a highlighted state, and a highlighted arrow."""
    lit: str
    """Ground of a highlighted state."""
    application: str
    wire: str
    ended: str
    time: str

    def of(self, trigger: Trigger) -> str:
        """Return the colour of an arrow: it says who fires this trigger."""
        if trigger is Trigger.LOST:
            return self.ended
        if trigger is Trigger.OPENED:
            return self.wire
        if trigger in (Trigger.RETRY, Trigger.STABLE, Trigger.WAKE):
            return self.time
        return self.application


COLOURS: Final = (
    ("application", Trigger.CONNECT),
    ("peer or network ended it", Trigger.LOST),
    ("dial succeeded", Trigger.OPENED),
    ("time or hint", Trigger.RETRY),
)
"""The meaning of each colour of an arrow, and a trigger that has it."""

THEMES: Final = MappingProxyType(
    {
        "light": Theme(
            ground="#ffffff",
            ink="#1f2328",
            quiet="#59636e",
            node="#eef2f7",
            frame="#59636e",
            accent="#bc4c00",
            lit="#fff1e5",
            application="#0550ae",
            wire="#116329",
            ended="#a40e26",
            time="#6639ba",
        ),
        "dark": Theme(
            ground="#0d1117",
            ink="#f0f6fc",
            quiet="#9198a1",
            node="#1c2430",
            frame="#9198a1",
            accent="#ffa657",
            lit="#3d2a14",
            application="#79c0ff",
            wire="#7ee787",
            ended="#ff9492",
            time="#d2a8ff",
        ),
    }
)


def meanings(theme: Theme, triggers: Iterable[Trigger]) -> list[tuple[str, str]]:
    """Return the meaning and the colour for each colour that these triggers have."""
    used = {theme.of(trigger) for trigger in triggers}
    return [(words, theme.of(trigger)) for words, trigger in COLOURS if theme.of(trigger) in used]


def follow_reader(svg: bytes) -> bytes:
    """Make an SVG in the light theme take the dark colours where the reader prefers them."""
    light, dark = THEMES["light"], THEMES["dark"]
    pairs = {getattr(light, each.name): getattr(dark, each.name) for each in fields(Theme)}
    rules = "".join(
        f'[{use}="{old}"]{{{use}:{new}}}'
        for old, new in pairs.items()
        for use in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>\n"
    head = svg.index(b">", svg.index(b"<svg")) + 1
    return svg[:head] + b"\n" + style.encode() + svg[head:].lstrip(b"\n")
