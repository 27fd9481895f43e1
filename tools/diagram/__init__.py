"""Pictures of the live machine, for `recloser diagram`.

A `Picture` holds what is drawn. Each format has a renderer in a module of its own, so that a
command loads one of them alone.
"""

from recloser.diagram.picture import Picture, live_rows

__all__ = ["Picture", "live_rows"]
