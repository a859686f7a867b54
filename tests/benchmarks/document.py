"""The table that docs/performance.md keeps: rows of earlier runs stay until a run measures them anew.

Used by `report`. A row is known by its section, what it says and whom it compares with; its last cell is the day of its run.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD = "| what | choline | peer | ratio of medians (p10s) | goal | | n | run |\n|---|---|---|---|---|---|---|---|"
_CELLS = HEAD.partition("\n")[0].count("|") - 1
_VERDICT = 5
_MEASURED = re.compile(r"(.*?) ?[\d,.]+ \([\d,.]+ - [\d,.]+\) .*\Z|")


class RowKey(NamedTuple):
    """What makes two rows the same comparison."""

    what: str
    peer: str


class Table:
    """Sections of rendered rows, in order."""

    def __init__(self) -> None:
        self.sections: dict[str, dict[RowKey, str]] = {}

    @classmethod
    def parse(cls, text: str) -> Table:
        """The table in a document's text; rows that do not say when they were run are of the day above them."""
        table, section, day = cls(), "", ""
        for line in text.splitlines():
            if line.startswith("### "):
                section = line.removeprefix("### ")
            elif match := re.match(r"- (\d{4}-\d{2}-\d{2})", line):
                day = match[1]
            elif line.startswith("| ") and not line.startswith("| what |"):
                cells = _split(line)
                table.put(section, line if len(cells) == _CELLS else f"{line} {day} |")
        return table

    def put(self, section: str, line: str) -> None:
        """A row, in the place of the one that it is newer than, else behind the others of its section."""
        self.sections.setdefault(section, {})[_find_key(line)] = line

    def merge(self, newer: Table) -> None:
        """Take over the rows of a later run."""
        for section, rows in newer.sections.items():
            for line in rows.values():
                self.put(section, line)

    def render(self, order: tuple[str, ...]) -> str:
        """The sections in this order, others behind them, and how many goals are missed."""
        names = sorted(self.sections, key=lambda name: order.index(name) if name in order else len(order))
        blocks = ["\n".join([f"### {name}", "", HEAD, *self.sections[name].values()]) for name in names]
        return "\n\n".join([*blocks, self._count()])

    def _count(self) -> str:
        verdicts = [_split(line)[_VERDICT] for rows in self.sections.values() for line in rows.values()]
        told = [verdict for verdict in verdicts if verdict]
        return f"{len(told)} goals, {sum(verdict != 'pass' for verdict in told)} missed."


def _split(line: str) -> list[str]:
    """The cells of a row; a bar in code is written with a backslash."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _find_key(line: str) -> RowKey:
    what, _, peer, *_ = _split(line)
    match = _MEASURED.match(peer)
    return RowKey(what, match[1] or "" if match else peer)
