"""What a cell needs, found by reading: how long that takes, and how well it is found over the labelled programs."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest

from choline_jupyter.capture.foresight import Source, foresee, parse
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import Samples, choose
from tests.capture.foresight.program import read_programs, score

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

SECTION = "Foresight"
CELLS, ROUNDS = 50, choose(100, 10)


def test_notebook_of_50_cells(report: Report, tmp_path: Path) -> None:
    """Each round is another notebook: 50 cells of the labelled programs, in one folder with all their files."""
    sources = []
    for program in read_programs():
        program.lay_out(tmp_path)
        sources += [source for source in program.sources if not source.label.endswith(".py")]
    foresee([Source("!ls", "cell 1")], tmp_path, {}, sys.path)  # IPython's parser is loaded in a kernel
    first, again = Samples(), Samples()
    for seed in range(ROUNDS):
        chosen = random.Random(seed).sample(sources, CELLS)
        cells = [Source(source.code, f"cell {number}", number == CELLS) for number, source in enumerate(chosen, 1)]
        parse.parse_cell.cache_clear()
        first.add(_measure(cells, tmp_path))
        again.add(_measure(cells, tmp_path))
    report.add(SECTION, Row("a cell of a notebook of 50, none read before", first, goal=Goal(50)))
    report.add(SECTION, Row("the same, its cells read before", again))


def _measure(cells: list[Source], folder: Path) -> float:
    start = time.perf_counter()
    foresee(cells, folder, {}, sys.path)
    return time.perf_counter() - start


def test_labelled_programs(report: Report, tmp_path: Path) -> None:
    recall, precision = Samples(), Samples()
    found = wanted = right = sent = 0
    for program in read_programs():
        root = tmp_path / program.name
        program.lay_out(root)
        result = score(program, root, program.foresee(root)[0])
        found, wanted = found + result.found, wanted + len(program.needs)
        right, sent = right + result.right, sent + result.right + len(result.wrong)
    recall.add(found / wanted)
    precision.add(right / sent)
    share = Unit("", 1)
    report.add(SECTION, Row("labelled programs, recall", recall, goal=Goal(0.97, is_least=True), unit=share))
    report.add(SECTION, Row("labelled programs, precision", precision, goal=Goal(0.90, is_least=True), unit=share))
