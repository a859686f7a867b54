"""The toolbar's button that says where a cell runs, and the badges that show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from tests.e2e.browser.accessibility import find_faults, use_theme
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import WAIT, PanelPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]


class Chooser:
    """The dialog, for the active cell of a page."""

    def __init__(self, page: NotebookPage) -> None:
        self._page = page
        self.dialog = page.page.locator(".jp-Dialog")

    def open(self, cell: int) -> None:
        self._page.page.evaluate(
            "cell => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = cell; }", cell
        )
        self._page.page.locator(".jp-NotebookPanel-toolbar").get_by_role("button", name="Run on…").click()
        expect(self.dialog).to_be_visible(timeout=WAIT)

    def press(self, name: str) -> None:
        self.dialog.get_by_role("button", name=name).click()
        expect(self.dialog).to_have_count(0, timeout=WAIT)

    def source(self, cell: int) -> str:
        script = "cell => window.jupyterapp.shell.currentWidget.content.model.sharedModel.getCell(cell).getSource()"
        return str(self._page.page.evaluate(script, cell))

    def badge(self, cell: int) -> Locator:
        return self._page.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-choline-Badge")


def save_host(folder: Path) -> None:
    """A session of last week, on a machine that is recent then."""
    store = EventStore(folder)
    store.save_session(SessionRow("s-old", "/a.ipynb", "ssh", "me@big", "/", 1, SessionState.STOPPED, 1e9, Trust.OWN))
    assert store.flush(30)
    store.close()


def test_a_cell_is_sent_elsewhere_and_back(notebook_page: NotebookPage, lab: LabServer) -> None:
    save_host(Path(lab.environment["HOME"], ".local", "share", "choline"))
    name = lab.write_notebook("run-on.ipynb", "6 * 7", "%%choline --out x --host other\nx = 1")
    notebook_page.open_notebook(name)
    chooser = Chooser(notebook_page)
    expect(chooser.badge(1)).to_have_text("other", timeout=WAIT)
    chooser.open(1)
    chooser.dialog.get_by_role("radio", name="me@big", exact=True).check()
    chooser.press("Set")
    assert chooser.source(2) == "%%choline --host me@big --out x\nx = 1"
    assert chooser.source(0) == "%load_ext choline_jupyter"
    expect(chooser.badge(2)).to_have_text("me@big", timeout=WAIT)
    chooser.open(2)
    chooser.dialog.get_by_label("GPU, such as a100").fill("a100")
    chooser.dialog.get_by_label("how many").fill("2")
    chooser.dialog.get_by_label("USD", exact=True).fill("1.5")
    chooser.press("Set")
    assert chooser.source(2) == "%%choline --gpu 2xa100 --budget 1.5 --out x\nx = 1"
    expect(chooser.badge(2)).to_have_text("2xa100", timeout=WAIT)
    chooser.open(2)
    chooser.dialog.get_by_role("radio", name="this machine", exact=True).check()
    chooser.press("Set")
    assert chooser.source(2) == "%%choline --provider local --out x\nx = 1"


def test_run_there_needs_nothing_else(notebook_page: NotebookPage, lab: LabServer) -> None:
    """A notebook that has never heard of choline: one button, one choice, and its cell runs in another kernel."""
    notebook_page.open_notebook(lab.write_notebook("first.ipynb", "import os\nprint(os.getpid() > 0, 'ran')"))
    chooser = Chooser(notebook_page)
    chooser.open(0)
    chooser.press("Run there")
    notebook_page.wait_for_text(1, "True ran", timeout=60)
    assert chooser.source(1).startswith("%%choline --provider local\nimport os")
    expect(chooser.badge(1)).to_have_text("this machine", timeout=WAIT)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_no_serious_fault(notebook_page: NotebookPage, lab: LabServer, theme: str) -> None:
    notebook_page.open_notebook(lab.write_notebook("faults.ipynb", "%%choline --gpu 4xa100\ntrain()"))
    use_theme(notebook_page.page, theme)
    chooser = Chooser(notebook_page)
    expect(chooser.badge(0)).to_have_text("4xa100", timeout=WAIT)
    chooser.open(0)
    for area in (".jp-choline-Places", ".jp-choline-Badge"):
        found = find_faults(notebook_page.page, area)
        assert found == [], json.dumps(found, indent=1)
    PanelPage(notebook_page.page).take_picture(f"run-on-{theme.rpartition(' ')[2].lower()}")
    chooser.press("Cancel")
