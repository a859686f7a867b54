"""The cells of the quickstart notebook, trained for a moment only, for tests that run them on other machines."""

from __future__ import annotations

import json
import re

from tests.source_tree import ROOT

SHORTER = (
    (r"(batch_size, steps, learning_rate = \d+), \d+,", r"\1, {steps},"),
    (r"report_every = \d+", "report_every = {each}"),
    (r"length: int = \d+", "length: int = {length}"),
)


def read_cells(steps: int, each: int = 50, length: int = 500) -> list[tuple[str, str]]:
    """The code cells that run in the session or make its data, by their names: so many steps, a report after `each`, and
    `length` bytes of a sample.
    """
    cells = json.loads((ROOT / "notebooks" / "quickstart.ipynb").read_text())["cells"]
    found = [(cell["id"], "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    for pattern, new in SHORTER:
        shorter = [
            (name, re.sub(pattern, new.format(steps=steps, each=each, length=length), code)) for name, code in found
        ]
        assert sum(re.search(pattern, code) is not None for _, code in found) == 1, pattern
        found = shorter
    return [(name, code) for name, code in found if name not in ("load", "status", "stop")]
