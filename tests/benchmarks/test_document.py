"""A run of some benchmarks replaces their rows in the document and leaves the others as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.document import Table
from tests.benchmarks.machine import find_day
from tests.benchmarks.report import DOCUMENT, END, SECTIONS, START, Report, Row
from tests.benchmarks.samples import Samples

OLD = f"""Before.

{START}
- 2 x Some CPU
- 2020-01-01

### Output

| what | choline | peer | ratio of medians (p10s) | goal | | n |
|---|---|---|---|---|---|---|
| prints | 1.00 (1.00 - 1.00) ms | plain kernel 2.00 (2.00 - 2.00) ms | 0.50 (0.50) | <= 1 | pass | 3 |
| prints | 1.00 (1.00 - 1.00) ms | `a \\| b` 4.00 (4.00 - 4.00) ms | 0.25 (0.25) | <= 0.1 | **miss** | 3 |

### Unheard of

| what | choline | peer | ratio of medians (p10s) | goal | | n |
|---|---|---|---|---|---|---|
| alone | 1.00 (1.00 - 1.00) MB |  |  |  |  | 1 |

2 goals, 1 missed.
{END}

After.
"""


def make_samples(value: float) -> Samples:
    samples = Samples()
    samples.add(value)
    return samples


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "performance.md"
    path.write_text(OLD)
    return path


def read_rows(document: Path) -> list[str]:
    return [line for line in document.read_text().splitlines() if line.startswith("| ") and "what" not in line]


def test_only_what_was_run_is_replaced(document: Path) -> None:
    report = Report()
    report.add("Output", Row("prints", make_samples(0.007), make_samples(0.014), "`a | b`"))
    report.add("Output", Row("prints", make_samples(0.007), make_samples(0.014), "another peer"))
    report.add("Files", Row("files", make_samples(0.001)))
    report.save(document)
    assert read_rows(document) == [
        "| prints | 1.00 (1.00 - 1.00) ms | plain kernel 2.00 (2.00 - 2.00) ms | 0.50 (0.50) | <= 1 | pass | 3 | 2020-01-01 |",
        f"| prints | 7.00 (7.00 - 7.00) ms | `a \\| b` 14.00 (14.00 - 14.00) ms | 0.50 (0.50) |  |  | 1 | {find_day()} |",
        f"| prints | 7.00 (7.00 - 7.00) ms | another peer 14.00 (14.00 - 14.00) ms | 0.50 (0.50) |  |  | 1 | {find_day()} |",
        f"| files | 1.00 (1.00 - 1.00) ms |  |  |  |  | 1 | {find_day()} |",
        "| alone | 1.00 (1.00 - 1.00) MB |  |  |  |  | 1 | 2020-01-01 |",
    ]
    text = document.read_text()
    assert (text.startswith("Before."), text.endswith("After.\n")) == (True, True)
    assert "1 goals, 0 missed." in text
    sections = [line.removeprefix("### ") for line in text.splitlines() if line.startswith("###")]
    assert sections == ["Output", "Files", "Unheard of"]


def test_the_same_run_again_changes_nothing(document: Path) -> None:
    report = Report()
    report.add("Output", Row("prints", make_samples(0.007), make_samples(0.014), "`a | b`"))
    report.save(document)
    once = read_rows(document)
    report.save(document)
    assert read_rows(document) == once


def test_a_run_of_everything_forgets_rows_that_are_no_more(document: Path) -> None:
    report = Report()
    for section in SECTIONS:
        report.add(section, Row("new", make_samples(0.001)))
    report.save(document)
    assert {line.split(" | ")[0] for line in read_rows(document)} == {"| new"}


def test_the_projects_own_table_is_read_whole() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    kept = text.partition(START)[2].partition(END)[0]
    rows = [line for line in kept.splitlines() if line.startswith("| ") and not line.startswith("| what |")]
    table = Table.parse(kept)
    assert sum(len(found) for found in table.sections.values()) == len(rows)
    assert all(key.what for found in table.sections.values() for key in found)
