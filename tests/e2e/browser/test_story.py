"""The whole story of somebody who has never read the docs, in one test: from an empty JupyterLab to a stopped session."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import WAIT, PanelPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]


def test_first_run_close_the_browser_come_back_stop(lab: LabServer, browser: Browser) -> None:
    first = NotebookPage(browser.new_context(viewport={"width": 1280, "height": 1000}).new_page(), lab)
    first.open_lab()
    panel = PanelPage(first.page)
    panel.open()
    expect(panel.panel).to_contain_text("It is free")
    panel.button("Try it on this machine").click()
    first.wait_for_cells(3)
    first.run_all()
    job = panel.jobs.filter(has_text="x, rate, steps")
    expect(job.get_by_role("img", name="loss from")).to_be_visible(timeout=WAIT)
    expect(job.get_by_role("progressbar")).to_be_visible(timeout=WAIT)
    expect(panel.sessions).to_contain_text("free", timeout=WAIT)
    path = first.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    assert "found 2.0" not in first.text(1)
    first.page.context.close()  # nothing was saved since the cells were there

    back = NotebookPage(browser.new_context(viewport={"width": 1280, "height": 1000}).new_page(), lab)
    back.open_notebook(path, is_busy=True)
    back.wait_for_text(1, "found 2.0", timeout=60)
    lines = [line for line in back.text(1).splitlines() if line.startswith("step ")]
    assert [line.split(" loss ")[0] for line in lines] == [f"step {step}/40" for step in range(1, 41)]
    back.wait_for_text(2, "2.000", timeout=60)
    panel = PanelPage(back.page)
    panel.open()
    expect(panel.jobs.filter(has_text="x, rate, steps")).to_contain_text("done", timeout=WAIT)
    panel.button("Stop the session").click()
    panel.confirm("Stop")
    expect(panel.panel).to_contain_text("No session is open.", timeout=WAIT)
    assert [*first.console_errors, *back.console_errors] == []
    back.page.context.close()
    lab.shutdown_kernels()
