"""The report of a check: a verdict for each law, and the story of each broken one."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill
from typing import Final, Protocol

_WIDTH: Final = 96


class Promise(Protocol):
    """What a law of any kind says of itself."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def claim(self) -> str:
        """What it promises."""
        ...

    @property
    def why(self) -> str:
        """Why that matters."""
        ...

    @property
    def incident(self) -> str:
        """Who broke it."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """One law, and the result of the search."""

    law: Promise
    problem: str | None = None
    """The fault in one sentence; None if the law holds as far as was searched."""
    story: str = ""
    """The counterexample as a numbered list; empty if the law holds."""
    path: str = ""
    """The way of the story over the states of the machine."""
    moments: tuple[Mapping[str, object], ...] = ()
    """The moments of the story: `at` in seconds, `event`, `from`, `to`, and the `decision`."""
    test: str = ""
    """A test to paste: it runs, and fails while the law is broken."""

    @property
    def word(self) -> str:
        """`holds` or `broken`."""
        return "holds" if self.problem is None else "broken"

    def __str__(self) -> str:
        law = self.law
        if self.problem is None:
            return f"{law.name}: holds"
        parts = [f"{law.name} is broken: {self.problem}", ""]
        for word, text in (("The law", law.claim), ("Why", law.why), ("Seen in", law.incident)):
            if text:
                parts.append(
                    fill(
                        text,
                        _WIDTH,
                        initial_indent=f"  {word + ':':9} ",
                        subsequent_indent=" " * 12,
                    )
                )
        parts += ["", self.story]
        parts += ["", f"  The path: {self.path}"] if self.path else []
        parts += ["", "As a test to paste:", "", self.test.rstrip()]
        return "\n".join(parts)

    def figures(self) -> dict[str, object]:
        """Return the verdict for JSON; missing parts are null."""
        return {
            "name": self.law.name,
            "verdict": self.word,
            "claim": self.law.claim,
            "why": self.law.why,
            "incident": self.law.incident,
            "problem": self.problem,
            "story": self.story or None,
            "path": self.path or None,
            "moments": list(self.moments),
            "test": self.test or None,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All verdicts, in the order of the laws, and the size of the search."""

    verdicts: tuple[Verdict, ...]
    questions: int
    """Questions that the policy was asked one by one."""
    stories: int
    """Lives and stories that it led an engine through."""
    seed: int

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """The verdicts of the laws that are broken."""
        return tuple(each for each in self.verdicts if each.problem is not None)

    @property
    def sound(self) -> bool:
        """Whether every law holds, as far as was searched."""
        return not self.broken

    def __str__(self) -> str:
        if self.sound:
            return (
                f"{len(self.verdicts)} laws hold, over {self.questions:,} questions and "
                f"{self.stories:,} stories (seed {self.seed})"
            )
        return "\n\n".join(str(each) for each in self.broken)


class BrokenLaw(AssertionError):
    """A law is broken; the message is the story. `verdicts` holds those that are broken."""

    def __init__(self, verdicts: tuple[Verdict, ...]) -> None:
        super().__init__(verdicts)
        self.verdicts = verdicts

    def __str__(self) -> str:
        return "\n\n".join(str(each) for each in self.verdicts)
