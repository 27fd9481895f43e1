"""Tables in Markdown, with the goal of a row beside what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One variant. `goal` is an upper bound for `judged`."""

    name: str
    cells: Sequence[str]
    judged: float | None = None
    goal: float | None = None


@dataclass(slots=True)
class Table:
    """One measure on one event loop."""

    title: str
    columns: Sequence[str]
    judged: str = ""
    """The column that goals are about, and its unit."""
    rows: list[Row] = field(default_factory=list)

    def add(
        self, name: str, *cells: str, judged: float | None = None, goal: float | None = None
    ) -> None:
        """Append a row."""
        self.rows.append(Row(name, cells, judged, goal))

    def plain(self) -> dict[str, object]:
        """Return it as lists of text, for JSON; each row begins with its name."""
        rows = [[row.name, *row.cells] for row in self.rows]
        return {"title": self.title, "columns": list(self.columns), "rows": rows}

    def markdown(self) -> str:
        """Write it out."""
        head = ["", *self.columns, *([f"goal ({self.judged})", ""] if self.judged else [])]
        lines = [head, ["---"] * len(head)]
        for row in self.rows:
            verdict = ["", ""]
            if row.goal is not None and row.judged is not None:
                verdict = [f"≤ {row.goal:g}", "reached" if row.judged <= row.goal else "**missed**"]
            lines.append([row.name, *row.cells, *(verdict if self.judged else [])])
        body = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
        return f"### {self.title}\n\n{body}\n"
