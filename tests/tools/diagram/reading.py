"""Reads pictures back: what an arrow says, as rows of the table with their notes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from recloser.fsm.states import Guard, State, Trigger
from recloser.fsm.table import Row

LABEL = re.compile(
    r"(?P<trigger>\w+)(?: \[(?P<guard>[^\]]+)\])?(?P<stays> \(stays\))?"
    "(?: [x\N{MULTIPLICATION SIGN}](?P<count>[0-9]+))?"
)
NOTE = re.compile(r"no rule|\d+ rules?(:.*)?")
SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class Read:
    """What was read: rows in order, their counts, and the words of their notes."""

    rows: list[Row] = field(default_factory=list)
    counts: dict[Row, int] = field(default_factory=dict)
    notes: dict[Row, str] = field(default_factory=dict)

    def arrow(self, source: State, target: State | None, lines: Iterable[str]) -> None:
        """Take the lines of one label: a row each, a guard or a note below its row."""
        whole: list[tuple[str, list[str]]] = []
        for line in lines:
            if NOTE.match(line):
                whole[-1][1].append(line)
            elif whole and whole[-1][1]:
                if LABEL.fullmatch(line) and line.split()[0].split("[")[0] in TRIGGERS:
                    whole.append((line, []))
                else:
                    whole[-1][1].append(line)
            elif line.startswith("["):
                whole[-1] = (f"{whole[-1][0]} {line}", [])
            else:
                whole.append((line, []))
        for label, notes in whole:
            row = self.row(source, target, label)
            if notes:
                self.notes[row] = " ".join(notes)

    def row(self, source: State, target: State | None, label: str) -> Row:
        """Take one label."""
        parts = LABEL.fullmatch(label)
        assert parts is not None, label
        assert (parts["stays"] is not None) is (target is None), label
        guard = None if parts["guard"] is None else Guard(parts["guard"])
        row = Row(source, Trigger(parts["trigger"]), guard, target)
        self.rows.append(row)
        if parts["count"] is not None:
            self.counts[row] = int(parts["count"])
        return row


TRIGGERS = {trigger.value for trigger in Trigger}


def svg_groups(picture: bytes) -> dict[str, list[str]]:
    """The texts of an SVG by the title of their group: a state, or `source->target`."""
    groups: dict[str, list[str]] = {}
    for group in ET.fromstring(picture).iter(f"{SVG}g"):
        title = group.find(f"{SVG}title")
        if title is not None and title.text is not None and group.get("class") != "graph":
            assert title.text not in groups, "two groups of one title"
            groups[title.text] = lines_of(group)
    return groups


def lines_of(group: ET.Element) -> list[str]:
    """The texts of a group; those on one height, but for a bold letter's, are one line."""
    found: list[tuple[float, list[str]]] = []
    for text in group.iter(f"{SVG}text"):
        height, words = float(text.get("y", "")), "".join(text.itertext()).strip()
        if found and abs(found[-1][0] - height) < 2:
            found[-1][1].append(words)
        else:
            found.append((height, [words]))
    return [" ".join(filter(None, words)) for _, words in found]


def dot_groups(source: str) -> dict[str, list[str]]:
    """The same of a DOT source."""
    groups: dict[str, list[str]] = {}
    for line in source.splitlines():
        parts = re.fullmatch(r"  (\w+(?: -> \w+)?) \[(.*)\]", line)
        if parts is None or parts[1] in ("graph", "node", "edge"):
            continue
        rows = re.findall(r"<tr>(.*?)</tr>", parts[2])
        label = re.search(r'label="([^"]*)"', parts[2])
        texts = rows or ([label[1]] if label is not None and label[1] else [])
        groups[parts[1].replace(" ", "")] = [_plain(each) for each in texts]
    return groups


def _plain(text: str) -> str:
    text = re.sub(r"<[^>]*>", "", text.replace("</td><td", "</td> <td"))
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, sign)
    return text.strip()


def read_groups(groups: dict[str, list[str]]) -> Read:
    """Read the groups of the machine's picture."""
    read = Read()
    for title, lines in groups.items():
        source, _, target = title.partition("->")
        if source == "start":
            assert not lines
        elif target:
            read.arrow(State(source), State(target), lines)
        else:
            assert lines[0] == source
            for line in lines[1:]:
                read.row(State(source), None, line)
    return read
