"""`%%choline` cells in Notebook 7's own page: the same kernel, the same outputs, one notebook a page."""

from __future__ import annotations

import pytest

from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]

CELLS = (
    "%load_ext choline_jupyter",
    "%%choline\nimport os\nprint('there', os.getpid())\n6 * 7",
    "%%choline\nname = input('who? ')\nprint('hello', name)",
    "%%choline\n1 / 0",
)


def test_cells_run_there(notebook_page: NotebookPage, lab: LabServer) -> None:
    notebook_page.open_notebook(lab.write_notebook("seven.ipynb", *CELLS), "notebooks")
    assert "/notebooks/" in notebook_page.page.url
    notebook_page.run_all()
    notebook_page.wait_for_text(1, "there")
    notebook_page.wait_for_text(1, "42")
    notebook_page.answer("Ann")
    notebook_page.wait_for_text(2, "hello Ann")
    notebook_page.wait_for_text(3, "ZeroDivisionError")
    notebook_page.wait_done()
    assert [notebook_page.execution_count(index) for index in range(4)] == [1, 2, 3, 4]
