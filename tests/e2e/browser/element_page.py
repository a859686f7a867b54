"""Elements of jobs in the cells of a page, and what notebooks keep of them. Made by the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import Locator

from choline_jupyter.magic.job_element import JOB
from choline_jupyter.magic.rank_output import RANKS
from tests.e2e.browser.notebook_page import NotebookPage


class ElementPage:
    """The elements in the notebook that is open."""

    def __init__(self, page: NotebookPage) -> None:
        self._page = page

    def find(self, cell: int) -> Locator:
        """What is drawn of the job in a cell."""
        return self._page.output_area(cell).locator(".jp-choline-Element")

    def list_bundles(self, cell: int) -> list[dict[str, Any]]:
        """What the notebook keeps."""
        return [output["data"] for output in self._page.outputs(cell) if JOB in output.get("data", {})]


def write_outputs(path: Path, *bundles: dict[str, Any]) -> None:
    """A notebook that somebody has sent: a cell for each of these outputs."""
    cells = []
    for bundle in bundles:
        data = {"text/plain": "choline: as it was", **bundle}
        cells.append(new_code_cell("%%choline\ntrain()", outputs=[new_output("display_data", data)]))
    nbformat.write(new_notebook(cells=cells), path)


__all__ = ["JOB", "RANKS", "ElementPage", "write_outputs"]
