"""Pictures of the live machine: what `recloser diagram` and `make diagrams` draw."""

from recloser.diagram.dot import dot
from recloser.diagram.edges import edges
from recloser.diagram.mermaid import mermaid
from recloser.diagram.picture import Picture
from recloser.diagram.terminal import terminal
from recloser.diagram.text import text

__all__ = ["Picture", "dot", "edges", "mermaid", "terminal", "text"]
