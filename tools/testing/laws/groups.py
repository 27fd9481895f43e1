"""The laws of the kit, in the order in which they are told."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from recloser.testing.laws import (
    client_law,
    decision_laws,
    fleet_laws,
    life_laws,
    optional_laws,
)
from recloser.testing.laws.law import Law

LAWS: Final = (
    decision_laws.TOTAL,
    decision_laws.PURE,
    decision_laws.BOUNDED,
    decision_laws.INTENTIONAL,
    life_laws.HOT_LOOP,
    decision_laws.REASON,
    decision_laws.INTEGERS,
    life_laws.SETTLES,
    life_laws.REFRESH_ONCE,
    fleet_laws.SPREADS,
    fleet_laws.SURVIVES,
    life_laws.MACHINE,
    client_law.CLIENT,
)
"""The laws that every sound policy keeps."""

OPTIONAL_LAWS: Final = (
    life_laws.STRICT_GAPS,
    fleet_laws.RETRY_AFTER_SPREAD,
    optional_laws.RETRY_AFTER,
    optional_laws.REFUSALS,
    optional_laws.PEER_NORMAL,
    optional_laws.NEVER,
    life_laws.ENDS,
    optional_laws.NAMED,
)
"""The laws that some services want; checked when named."""

_GROUPS: Final = {"default": LAWS, "optional": OPTIONAL_LAWS, "all": (*LAWS, *OPTIONAL_LAWS)}


def choose(wanted: Iterable[Law | str] | None) -> tuple[Law, ...]:
    """Return laws by name or as they are, each once; None means `LAWS`.

    The names `default`, `optional` and `all` stand for several. Raises `ValueError` for a
    name that no law has, and `TypeError` unless each is a name or a law.
    """
    chosen: dict[str, Law] = {}
    for each in ("default",) if wanted is None else wanted:
        for law in _named(each):
            chosen[law.name] = law
    if not chosen:
        raise ValueError("no law to check: name one, or leave laws out for the default ones")
    return tuple(chosen.values())


def _named(wanted: Law | str) -> tuple[Law, ...]:
    if isinstance(wanted, Law):
        return (wanted,)
    if not isinstance(wanted, str):
        raise TypeError(f"a law is a Law or the name of one, not {wanted!r}")
    known = {law.name: (law,) for law in _GROUPS["all"]} | _GROUPS
    if wanted not in known:
        near = get_close_matches(wanted, known, n=2, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(known)}"
        raise ValueError(f"there is no law {wanted!r}: {hint}")
    return known[wanted]
