"""The panel for everybody: no serious fault that axe-core finds, light and dark, narrow, and by the keyboard alone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.job import JobRow, JobState
from tests.e2e.browser.accessibility import find_faults, press_tab_until, use_theme
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import WAIT, PanelPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]

CELL = "%%choline\nfor step in range(1, 5):\n    print(f'step {step}/4 loss {1 / step}')"


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_no_serious_fault(notebook_page: NotebookPage, lab: LabServer, theme: str) -> None:
    name = f"{theme.rpartition(' ')[2].lower()}.ipynb"
    notebook_page.open_notebook(lab.write_notebook(name, "%load_ext choline_jupyter", CELL))
    use_theme(notebook_page.page, theme)
    panel = PanelPage(notebook_page.page)
    panel.open()
    notebook_page.run_all()
    notebook_page.wait_done()
    job = panel.jobs.filter(has_text=name)
    expect(job).to_contain_text("done", timeout=WAIT)
    job.locator(".jp-choline-Title").click()
    expect(job.locator("pre")).to_contain_text("loss 0.25", timeout=WAIT)
    expect(panel.sessions.filter(has_text=name)).to_contain_text("idle", timeout=WAIT)
    assert find_faults(notebook_page.page) == [], json.dumps(find_faults(notebook_page.page), indent=1)
    panel.take_picture(f"panel-{theme.rpartition(' ')[2].lower()}")


def test_by_keyboard_alone(notebook_page: NotebookPage, lab: LabServer) -> None:
    """From the palette to a stopped session without a mouse."""
    notebook_page.open_notebook(lab.write_notebook("keys.ipynb", "%load_ext choline_jupyter", CELL))
    notebook_page.run_all()
    notebook_page.wait_done()
    page, panel = notebook_page.page, PanelPage(notebook_page.page)
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("choline: show")
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text("choline: show", timeout=WAIT)
    page.keyboard.press("Enter")
    expect(panel.panel).to_be_visible(timeout=WAIT)
    expect(panel.sessions.filter(has_text="keys.ipynb")).to_be_visible(timeout=WAIT)
    press_tab_until(page, "Stop the session keys.ipynb")
    page.keyboard.press("Enter")
    expect(page.locator(".jp-Dialog")).to_be_visible(timeout=WAIT)
    page.keyboard.press("Enter")
    expect(panel.sessions.filter(has_text="keys.ipynb")).to_have_count(0, timeout=WAIT)


def save_jobs(folder: Path, count: int) -> None:
    store = EventStore(folder)
    for number in range(count):
        code = f"model_{number} = train_with_a_rather_long_name(learning_rate={number}e-5)"
        job = JobRow(f"j-{number:06}", "s-gone", state=JobState.DONE, code=code, created_at=1e9 + number)
        store.save_job(dataclasses.replace(job, started_at=1e9, ended_at=1e9 + 60))
    assert store.flush(60)
    store.close()


def test_two_hundred_jobs_in_a_narrow_sidebar(notebook_page: NotebookPage, lab: LabServer) -> None:
    """Nothing runs over the edge; what is out of sight is not laid out."""
    save_jobs(Path(lab.environment["HOME"], ".local", "share", "choline"), 10_000)
    notebook_page.open_lab()
    panel = PanelPage(notebook_page.page)
    panel.open()
    expect(panel.jobs).to_have_count(200, timeout=WAIT)
    panel.panel.evaluate("node => { node.parentElement.style.width = '180px'; node.style.width = '180px'; }")
    assert panel.panel.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    panel.button("Show older jobs").click()
    expect(panel.jobs).to_have_count(400, timeout=WAIT)
    panel.button("Show older jobs").click()
    expect(panel.jobs).to_have_count(600, timeout=WAIT)
