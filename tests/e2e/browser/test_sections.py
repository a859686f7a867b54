"""The panel's sections on checkpoints and on the active cell's files, with a machine that is reached by ssh."""

from __future__ import annotations

import json
import shutil

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.accessibility import find_faults, use_theme
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import WAIT, PanelPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

LOAD = "%load_ext choline_jupyter"
TRAIN = """%%choline
from choline_jupyter import checkpoint, resume
class Model(dict):
    def state_dict(self): return dict(self)
    def load_state_dict(self, state): self.update(state)
model = Model(weight=1.5)
start = resume(model=model).step + 1
for step in range(start, start + 2):
    checkpoint(step, loss=1 / (step + 1), model=model)
print('trained from', start)"""

SAVE = """from choline_jupyter import checkpoint
class Model(dict):
    def state_dict(self): return dict(self)
checkpoint(7, loss=0.25, model=Model(weight=1.5))
print('saved')"""


def test_checkpoints_are_listed_and_resumed(notebook_page: NotebookPage, lab: LabServer) -> None:
    notebook_page.open_notebook(lab.write_notebook("train.ipynb", LOAD, TRAIN))
    panel = PanelPage(notebook_page.page)
    panel.open()
    notebook_page.run_all()
    notebook_page.wait_for_text(1, "trained from 0", timeout=60)
    panel.button("Checkpoints").click()
    kept = panel.panel.locator("[data-checkpoint]")
    expect(kept).to_have_count(2, timeout=WAIT)
    expect(kept.first).to_contain_text("step 1, loss 0.5")
    expect(kept.first).to_contain_text("here")
    kept.first.get_by_role("button", name="Resume").click()
    notebook_page.wait_for_text(2, "trained from 2", timeout=60)
    expect(kept.first).to_contain_text("step 3", timeout=WAIT)


def test_files_of_the_active_cell(notebook_page: NotebookPage, lab: LabServer) -> None:
    (lab.root / "rows.csv").write_text("a,b\n" * 300)
    (lab.root / ".env").write_text("KEY=1\n")
    cells = (
        "%%choline --host me@big\nopen('rows.csv')\nopen('.env')",
        "open('rows.csv')",
        "%%choline\nopen('rows.csv')",
    )
    notebook_page.open_notebook(lab.write_notebook("files.ipynb", *cells))
    page, panel = notebook_page.page, PanelPage(notebook_page.page)
    panel.open()
    panel.button("Files of the active cell").click()
    files = panel.panel.locator("[data-file]")
    expect(files).to_have_count(2, timeout=WAIT)
    expect(panel.panel.locator('[data-file="rows.csv"]')).to_contain_text("1.2 kB")
    expect(panel.panel.locator('[data-file=".env"]')).to_contain_text("stays here")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        use_theme(page, theme)
        assert find_faults(page) == [], json.dumps(find_faults(page), indent=1)
        panel.take_picture(f"files-{theme.rpartition(' ')[2].lower()}")
    section = panel.panel.get_by_role("region", name="Files of the active cell")
    for cell, said in ((1, "has no %%choline line"), (2, "nothing is copied")):
        page.evaluate("cell => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = cell; }", cell)
        expect(section).to_contain_text(said, timeout=WAIT)
    assert [notebook_page.execution_count(cell) for cell in range(3)] == [None] * 3


def test_a_checkpoint_that_its_machine_still_has_is_pulled(notebook_page: NotebookPage, lab: LabServer) -> None:
    cell = f"%%choline --isolated\n{SAVE}"
    notebook_page.open_notebook(lab.write_notebook("pull.ipynb", LOAD, cell))
    panel = PanelPage(notebook_page.page)
    panel.open()
    notebook_page.run_all()
    notebook_page.wait_for_text(1, "saved", timeout=60)
    panel.button("Checkpoints").click()
    kept = panel.panel.locator("[data-checkpoint]").filter(has_text="pull.ipynb")
    expect(kept).to_contain_text("step 7, loss 0.25", timeout=WAIT)
    expect(kept).to_have_attribute("data-home", "true", timeout=WAIT)
    shutil.rmtree(lab.root / "checkpoints")
    for _ in range(2):  # folded and unfolded, it looks anew
        panel.button("Checkpoints").click()
    expect(kept).to_contain_text("on its machine only", timeout=WAIT)
    kept.get_by_role("button", name="Pull").click()
    expect(kept).to_have_attribute("data-home", "true", timeout=WAIT)
    assert list((lab.root / "checkpoints").glob("*/*.json"))
