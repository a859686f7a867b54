"""`%%choline` cells in a real JupyterLab: stop button, prompts, widgets, and the quickstart by Run All."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.source_tree import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(420)]

LOAD = "%load_ext choline_jupyter"


def test_stop_button_interrupts_the_cell_and_keeps_the_session(notebook_page: NotebookPage, lab: LabServer) -> None:
    waiting = "%%choline\nimport time\nkept = 1\nprint('started')\ntime.sleep(120)"
    notebook_page.open_notebook(lab.write_notebook("stop-there.ipynb", LOAD, waiting, "%%choline\nkept + 40"))
    notebook_page.run_cell(0)
    notebook_page.wait_done()
    notebook_page.run_cell(1)
    notebook_page.wait_for_text(1, "started")
    notebook_page.interrupt()
    notebook_page.wait_done()
    assert notebook_page.outputs(1)[-1]["ename"] == "KeyboardInterrupt"
    notebook_page.run_cell(2)
    notebook_page.wait_for_text(2, "41")


def test_a_widget_made_there_works_here(notebook_page: NotebookPage, lab: LabServer) -> None:
    make = (
        "%%choline\nimport ipywidgets\nbutton = ipywidgets.Button(description='press')\n"
        "label = ipywidgets.Label('not yet')\n"
        "button.on_click(lambda _: setattr(label, 'value', 'pressed there'))\nipywidgets.VBox([button, label])"
    )
    notebook_page.open_notebook(lab.write_notebook("widget-there.ipynb", LOAD, make))
    notebook_page.run_all()
    area = notebook_page.output_area(1)
    expect(area).to_contain_text("not yet", timeout=60_000)
    area.get_by_role("button", name="press").click()
    expect(area).to_contain_text("pressed there", timeout=60_000)
    notebook_page.wait_done()


def test_the_quickstart_runs_by_run_all(notebook_page: NotebookPage, lab: LabServer) -> None:
    name = _copy_quickstart(lab)
    notebook_page.open_notebook(name)
    notebook_page.run_all()
    ask = _find_cell(name, lab, "ask")
    notebook_page.page.locator(".jp-Stdin-input").wait_for(timeout=300_000)
    notebook_page.answer("def main(")
    notebook_page.wait_for_text(_find_cell(name, lab, "stop"), "nothing of it runs any more", timeout=120)
    assert "def main(" in notebook_page.text(ask)
    assert notebook_page.outputs(_find_cell(name, lab, "raise"))[-1]["ename"] == "ValueError"
    figures = [output for output in notebook_page.outputs(_find_cell(name, lab, "train")) if "data" in output]
    assert any("image/png" in output["data"] for output in figures)


def _copy_quickstart(lab: LabServer) -> str:
    """The quickstart with its model beside it, trained for a moment only: what is learned is not the matter here."""
    source = (ROOT / "notebooks" / "quickstart.ipynb").read_text()
    shorter, found = re.subn(r"(batch_size, steps, learning_rate = \d+), \d+,", r"\1, 100,", source)
    assert found == 1
    (lab.root / "quickstart.ipynb").write_text(shorter)
    shutil.copy(ROOT / "notebooks" / "model.py", lab.root)
    return "quickstart.ipynb"


def _find_cell(name: str, lab: LabServer, cell_id: str) -> int:
    cells = json.loads(Path(lab.root / name).read_text())["cells"]
    return next(index for index, cell in enumerate(cells) if cell["id"] == cell_id)
