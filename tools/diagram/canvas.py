"""A sheet of characters to draw on, with the signs of Unicode or of ASCII."""

from typing import Final, NamedTuple


class Box(NamedTuple):
    """The signs of a frame, from the upper left corner clockwise: corner, side, corner ..."""

    signs: str

    def top(self, width: int) -> str:
        """Return the upper side of a box of this width."""
        return self.signs[0] + self.signs[1] * (width - 2) + self.signs[2]

    def bottom(self, width: int) -> str:
        """Return the lower side."""
        return self.signs[6] + self.signs[5] * (width - 2) + self.signs[4]

    def middle(self, text: str, width: int) -> str:
        """Return a line of the inside."""
        return self.signs[7] + text.center(width - 2) + self.signs[3]


class Signs(NamedTuple):
    """The characters of frames, lines and arrows."""

    plain: Box
    final: Box
    rest: Box
    lit: Box
    life: str
    line: str
    heavy: str
    left: str
    right: str
    down: str
    """The heads of arrows."""
    from_left: str
    from_right: str
    """The signs at which an arrow leaves the line of its state, to the right and to the left."""
    out: str
    back: str
    """The two halves of a loop."""
    times: str


UNICODE: Final = Signs(
    plain=Box("╭─╮│╯─╰│"),
    final=Box("╔═╗║╝═╚║"),
    rest=Box("╭╌╮┆╯╌╰┆"),
    lit=Box("┏━┓┃┛━┗┃"),
    life="│",
    line="─",
    heavy="━",
    left="◀",
    right="▶",
    down="▼",
    from_left="├",
    from_right="┤",
    out="├─╮",
    back="│◀╯",
    times="\N{MULTIPLICATION SIGN}",
)
ASCII: Final = Signs(
    plain=Box("+-+|+-+|"),
    final=Box("+=+|+=+|"),
    rest=Box("+.+:+.+:"),
    lit=Box("########"),
    life="|",
    line="-",
    heavy="=",
    left="<",
    right=">",
    down="v",
    from_left="+",
    from_right="+",
    out="+-.",
    back="|<'",
    times="x",
)


class Canvas:
    """Lines of text that are written over from left to right."""

    def __init__(self) -> None:
        self._lines: list[list[str]] = []

    def add(self) -> int:
        """Begin a new line below the others; return its number."""
        self._lines.append([])
        return len(self._lines) - 1

    def put(self, line: int, column: int, text: str) -> None:
        """Write a text at this place, over what was there."""
        signs = self._lines[line]
        signs.extend(" " * (column + len(text) - len(signs)))
        signs[column : column + len(text)] = text

    def __str__(self) -> str:
        return "".join("".join(line).rstrip() + "\n" for line in self._lines)
