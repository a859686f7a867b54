"""The table of a benchmark run: what it shows, how it is printed, where it is kept.

A row compares one quantity of choline with a peer's in the same run. A run replaces its rows in the table of
docs/performance.md, between two markers, one of everything the whole table; a quick one is printed only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.document import Table
from tests.benchmarks.machine import describe_load, describe_machine, find_day
from tests.benchmarks.samples import Samples
from tests.source_tree import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
START, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
SECTIONS = (
    "Warm cell `1+1`",
    "Start, to the first result",
    "Ranks",
    "Output",
    "Over ssh",
    "Names",
    "Files",
    "Foresight",
    "Files on demand",
    "Datasets",
    "Money",
    "Checkpoints",
    "Panel",
    "Memory",
    "Loading",
)


class Unit(NamedTuple):
    """How values are shown: multiplied, with a name."""

    name: str
    scale: float


class Goal(NamedTuple):
    """What a ratio, or a value without a peer, may be at most, or must be at least."""

    bound: float
    is_least: bool = False

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.is_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.is_least else '<='} {self.bound:g}"


MILLISECONDS = Unit("ms", 1e3)


@dataclass(frozen=True)
class Row:
    """One comparison; without a peer the goal is about our own median, as it is shown."""

    what: str
    ours: Samples
    peer: Samples | None = None
    peer_name: str = ""
    goal: Goal | None = None
    unit: Unit = MILLISECONDS
    note: str = ""

    @property
    def verdict(self) -> str:
        """`pass`, `miss`, or nothing without a goal."""
        if self.goal is None:
            return ""
        value = self.ours.median / self.peer.median if self.peer else self.ours.median * self.unit.scale
        return "pass" if self.goal.is_met(value) else "**miss**"

    def render(self) -> str:
        """The row in Markdown."""
        peer = f"{self.peer_name} {self._show(self.peer)}" if self.peer else ""
        goal = "" if self.goal is None else f"{self.goal}{'' if self.peer else ' ' + self.unit.name}"
        cells = (self.what, self._show(self.ours), peer, self._show_ratio(), goal, self.verdict)
        row = " | ".join(cell.replace("|", "\\|") for cell in (*cells, str(len(self.ours.values)), find_day()))
        return f"| {row} |"

    def _show(self, samples: Samples) -> str:
        low, middle, high = (_format(samples.find_quantile(share) * self.unit.scale) for share in (0.1, 0.5, 0.9))
        return f"{middle} ({low} - {high}) {self.unit.name}"

    def _show_ratio(self) -> str:
        if self.peer is None:
            return self.note
        low = self.ours.find_quantile(0.1) / self.peer.find_quantile(0.1)
        ratio = f"{self.ours.median / self.peer.median:.2f} ({low:.2f})"
        return f"{ratio}, {self.note}" if self.note else ratio


def _format(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


class Report:
    """The rows of one run, by section."""

    def __init__(self) -> None:
        self._sections: dict[str, list[Row]] = {section: [] for section in SECTIONS}
        self._load_before = describe_load()

    def add(self, section: str, *rows: Row) -> None:
        self._sections[section].extend(rows)

    def render(self) -> str:
        """The table with the machine it was taken on."""
        return self._render(self._make_table())

    def save(self, document: Path = DOCUMENT) -> None:
        """Put these rows in the place of the same ones of earlier runs; what was not run stays as it is."""
        text = document.read_text(encoding="utf-8")
        before, _, rest = text.partition(START)
        kept, _, after = rest.partition(END)
        table = Table() if all(self._sections.values()) else Table.parse(kept)
        table.merge(self._make_table())
        document.write_text(f"{before}{START}\n{self._render(table)}\n{END}{after}", encoding="utf-8")

    def _make_table(self) -> Table:
        table = Table()
        for section, rows in self._sections.items():
            for row in rows:
                table.put(section, row.render())
        return table

    def _render(self, table: Table) -> str:
        facts = [*describe_machine(), f"load average {self._load_before} before, {describe_load()} after the last run"]
        return "\n\n".join(["\n".join(f"- {fact}" for fact in facts), table.render(SECTIONS)])
