"""What the fuzzing server found of each agent: counted by section, and compared."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

OUTCOMES: Final = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED")
SECTIONS: Final = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragments",
    "6": "UTF-8",
    "7": "closing handshake",
    "9": "sizes",
    "10": "messages in small frames",
    "12": "compression",
    "13": "compression, parameters",
}
"""The sections that have cases."""

Verdicts = Mapping[str, Mapping[str, Any]]
"""Of one agent: by the name of the case, what the server wrote of it."""


def outcome(verdict: Mapping[str, Any]) -> str:
    """Return which of `OUTCOMES` a case had: one that ended badly has failed, whatever it echoed.

    >>> outcome({"behavior": "OK", "behaviorClose": "UNCLEAN"})
    'FAILED'
    """
    both = verdict["behavior"], verdict["behaviorClose"]
    return str(both[0]) if all(each in OUTCOMES[:-1] for each in both) else "FAILED"


def failed(verdicts: Verdicts) -> list[str]:
    """Return the names of the cases that failed, in the order of the suite.

    >>> failed({"10.1": {"behavior": "FAILED", "behaviorClose": "OK"}})
    ['10.1']
    """
    names = (name for name, verdict in verdicts.items() if outcome(verdict) == "FAILED")
    return sorted(names, key=lambda name: [int(part) for part in name.split(".")])


def faults(ours: Verdicts, library: Verdicts) -> list[str]:
    """Return the cases that fail over a transport of ours, and not with its library alone.

    A case that only one of the two has played is a fault, too: it cannot be compared.
    """
    excused = set(failed(library))
    found = [name for name in failed(ours) if name not in excused]
    return [*found, *sorted(ours.keys() ^ library.keys())]


def table(index: Mapping[str, Verdicts]) -> str:
    """Count the outcomes of each agent by section, as a table of Markdown."""
    rows = [f"| section | {' | '.join(index)} |", "| --- " * (len(index) + 1) + "|"]
    for section, title in SECTIONS.items():
        cells = [_counts(verdicts, f"{section}.") for verdicts in index.values()]
        if any(cells):
            rows.append(f"| {section} {title} | {' | '.join(cells)} |")
    rows.append(f"| all | {' | '.join(_counts(each, '') for each in index.values())} |")
    return "\n".join(rows)


def _counts(verdicts: Verdicts, prefix: str) -> str:
    """Say how often each outcome came in the cases whose names begin so."""
    counts = Counter(outcome(each) for name, each in verdicts.items() if name.startswith(prefix))
    return ", ".join(f"{counts[each]} {each}" for each in OUTCOMES if counts[each])
