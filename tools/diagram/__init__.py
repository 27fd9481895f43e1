"""Pictures of the live machine: what `recloser diagram` and `make diagrams` draw.

A picture is made here; each renderer stands in a module of its own and is loaded alone.
"""

from recloser.diagram.picture import Picture, live_rows

__all__ = ["Picture", "live_rows"]
