"""The panel in a real JupyterLab: from the first look to a session that is stopped, by mouse and by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import WAIT, PanelPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]

LOAD = "%load_ext choline_jupyter"


def test_a_first_time_user_is_led_to_a_run_and_ends_it(panel: PanelPage, notebook_page: NotebookPage) -> None:
    """Who has never read the docs: empty panel, example, loss and progress, stop."""
    expect(panel.panel).to_contain_text("%%choline --host user@name")
    panel.take_picture("panel-empty")
    panel.button("Try it on this machine").click()
    notebook_page.wait_for_cells(3)
    notebook_page.run_all()
    job = panel.jobs.filter(has_text="x, rate, steps")
    expect(job).to_contain_text("runs", timeout=WAIT)
    expect(job.get_by_role("progressbar")).to_be_visible(timeout=WAIT)
    expect(job.get_by_role("img", name="loss from")).to_be_visible(timeout=WAIT)
    expect(job.locator("pre")).to_contain_text("loss")
    expect(panel.sessions).to_contain_text("runs for", timeout=WAIT)
    panel.take_picture("panel-running")
    expect(job).to_contain_text("done", timeout=WAIT)
    notebook_page.wait_done()
    expect(panel.jobs).to_have_count(2)
    expect(panel.sessions).to_contain_text("idle", timeout=WAIT)
    panel.button("Stop the session").click()
    panel.confirm("Stop")
    expect(panel.panel).to_contain_text("No session is open.", timeout=WAIT)
    assert notebook_page.console_errors == []


def test_interrupt_from_the_panel(panel: PanelPage, notebook_page: NotebookPage, lab: LabServer) -> None:
    waiting = "%%choline\nimport time\nkept = 1\nprint('started')\ntime.sleep(120)"
    notebook_page.open_notebook(lab.write_notebook("panel-interrupt.ipynb", LOAD, waiting, "%%choline\nkept + 40"))
    panel.open()
    notebook_page.run_cell(0)
    notebook_page.wait_done()
    notebook_page.run_cell(1)
    job = panel.jobs.filter(has_text="kept = 1")
    expect(job.locator("pre")).to_contain_text("started", timeout=WAIT)
    panel.button("Interrupt kept = 1").click()
    notebook_page.wait_done()
    expect(job).to_contain_text("failed: KeyboardInterrupt", timeout=WAIT)
    notebook_page.run_cell(2)
    notebook_page.wait_for_text(2, "41")
