"""Rendezvous hashing: which member of a group has a key, as each of them finds by itself.

Each pair of member and key has a weight, and the member of the greatest weight has the key
(Thaler and Ravishankar, 1998). So a key moves only where the member that has it goes, or where one
of a greater weight comes.
"""

from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import TypeAlias

_Weight: TypeAlias = tuple[bytes, str]


def _weight(key: str, member: str) -> _Weight:
    # The member comes last: names that are equally heavy still have an order.
    return blake2b(f"{len(member)}:{member}{key}".encode(), digest_size=8).digest(), member


def rendezvous(key: str, members: Iterable[str]) -> str:
    """Return the member that has `key`; raises `ValueError` if there is none."""
    weights = [_weight(key, member) for member in members]
    if not weights:
        raise ValueError("there is no member: wait until one has joined")
    return max(weights)[1]


class Assignment:
    """The keys of a group, and who has each; a change costs a weight or two for each key."""

    __slots__ = ("_best", "_members")

    def __init__(self, keys: Iterable[str]) -> None:
        self._best: dict[str, _Weight | None] = dict.fromkeys(keys)
        self._members: frozenset[str] = frozenset()

    @property
    def members(self) -> frozenset[str]:
        """The members of the group."""
        return self._members

    def change(self, members: Collection[str]) -> None:
        """Let these be the members."""
        present = frozenset(members)
        joined = present - self._members
        self._members = present
        for key, best in self._best.items():
            if best is None or best[1] not in present:
                self._best[key] = max((_weight(key, member) for member in present), default=None)
            elif joined:
                self._best[key] = max(best, *(_weight(key, member) for member in joined))

    def of(self, member: str) -> frozenset[str]:
        """Return the keys that a member has."""
        found = (key for key, best in self._best.items() if best is not None and best[1] == member)
        return frozenset(found)
