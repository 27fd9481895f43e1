"""Pictures of the live machine: what `recloser diagram` and `make diagrams` draw."""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Final

from recloser.diagram.edges import edges
from recloser.diagram.mermaid import mermaid
from recloser.diagram.text import text
from recloser.fsm.table import Row

FORMATS: Final = MappingProxyType[str, Callable[[Sequence[Row]], str]](
    {"mermaid": mermaid, "text": text}
)
"""A renderer for each format; each is a pure function of the edges."""

__all__ = ["FORMATS", "edges", "mermaid", "text"]
