"""Hints that make Graphviz's `dot` draw this machine narrow and with few crossings.

Found by an annealing search over the hints that `dot` knows, for the least width, crossings
and labels under foreign arrows, with and without a policy. They shape, and say nothing: without
one of them the same rows are drawn, only less well.
"""

from types import MappingProxyType
from typing import Final

from recloser.diagram.picture import Arrow
from recloser.fsm.states import State

_S = State

ORDER: Final = (_S.CLOSING, _S.CLOSED, _S.OPEN, _S.PASSIVE, _S.CONNECTING, _S.BACKOFF)
"""In which order the states are told to `dot`."""

HINTS: Final = MappingProxyType[Arrow, dict[str, float]](
    {
        (_S.CLOSED, _S.CONNECTING): {"minlen": 2},
        (_S.CONNECTING, _S.CLOSED): {"minlen": 2},
        (_S.CONNECTING, _S.BACKOFF): {"weight": 3},
        (_S.OPEN, _S.BACKOFF): {"weight": 0},
        (_S.OPEN, _S.PASSIVE): {"weight": 8},
        (_S.OPEN, _S.CLOSING): {"minlen": 2},
        (_S.CLOSING, _S.CLOSED): {"weight": 3},
        (_S.CLOSING, _S.PASSIVE): {"minlen": 2},
        (_S.CLOSING, _S.CONNECTING): {"weight": 0},
        (_S.BACKOFF, _S.CLOSED): {"weight": 8},
        (_S.PASSIVE, _S.CLOSED): {"weight": 8},
    }
)
"""What `dot` is told of an arrow."""
