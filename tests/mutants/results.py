"""What became of each change, kept in a file, so that a run that is stopped goes on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutants.change import Change
from tests.mutants.layers import Layer, digest


@dataclass(frozen=True)
class Outcome:
    """`status` is "killed", "survived", "invalid" (it does not compile), or "later".

    "later" is what survived the quick tests, and has not met the other ones yet.

    `by` is the test that noticed, "signal" and a number where a limit ended a test (27 and 14 are
    those of the time), "import" where nothing could be collected, and empty for a survivor.
    """

    status: str
    by: str = ""


class Results:
    """A file with a line for each change that was tried; the last line of a change holds."""

    def __init__(self, file: Path, layer: Layer) -> None:
        self._file = file
        self._tests = layer.digest()
        self._sources = {each: digest(each) for each in layer.sources}
        self._known: dict[tuple[str, ...], tuple[str, Outcome]] = {}
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                each = json.loads(line)
                outcome = Outcome(each["status"], each["by"])
                self._known[tuple(each["key"])] = each["tests"], outcome

    def _key(self, change: Change) -> tuple[str, ...]:
        source = self._sources[change.path]
        return change.path.name, source, change.operator, str(change.occurrence)

    def get(self, change: Change) -> Outcome | None:
        """What is known: a survivor is tried again when the tests have changed."""
        tests, outcome = self._known.get(self._key(change), ("", None))
        if outcome is not None and outcome.status in ("survived", "later") and tests != self._tests:
            return None
        return outcome

    def put(self, change: Change, outcome: Outcome) -> None:
        """Write down what became of a change."""
        key = self._key(change)
        self._known[key] = self._tests, outcome
        line = {"key": key, "line": change.line, "tests": self._tests, **asdict(outcome)}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def killers(self, change: Change) -> list[str]:
        """The tests that noticed changes of the same file, the latest first, each once."""
        found = [
            outcome.by
            for key, (_, outcome) in reversed(self._known.items())
            if key[0] == change.path.name and "::" in outcome.by
        ]
        return list(dict.fromkeys(found))
