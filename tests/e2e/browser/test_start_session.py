"""A session started from an offer in a real JupyterLab: what it costs is asked, it comes up in stages, a cell runs on it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.browser.accessibility import find_faults
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import TAB, WAIT, PanelPage
from tests.fakes.runpod import RunPodCloud

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cloud() -> Iterator[RunPodCloud]:
    made = RunPodCloud(has_machines=os.geteuid() == 0)
    yield made
    made.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, cloud: RunPodCloud) -> Iterator[LabServer]:
    server = LabServer(tmp_path_factory.mktemp("lab"))
    server.rent_from({"runpod": cloud})
    server.start()
    yield server
    server.stop()


def ask_to_start(panel: PanelPage) -> Locator:
    """Search, press `Start session` of the cheapest A100; the dialog."""
    panel.unfold("Offers")
    panel.panel.get_by_role("combobox", name="GPU").fill("a100")
    panel.button("Search").click()
    panel.panel.locator("[data-offer]").first.get_by_role("button", name="Start session on").click(timeout=WAIT)
    dialog = panel.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("per hour")
    return dialog


def test_nothing_is_rented_before_somebody_agrees(panel: PanelPage, cloud: RunPodCloud) -> None:
    """Cancel, Escape and Return in a field all mean no; without an amount there is nothing to agree to."""
    dialog = ask_to_start(panel)
    expect(dialog).to_contain_text("1x A100 80GB on runpod for at most $1.19 per hour")
    budget = dialog.get_by_role("spinbutton", name="Budget in USD")
    expect(budget).to_be_focused()
    budget.fill("0.50")
    expect(dialog.get_by_role("status")).to_contain_text("At most $0.50 are spent: that is 25 min")
    assert find_faults(panel.page, ".jp-Dialog") == []
    panel.take_picture("start-dialog")
    dialog.get_by_role("button", name="Cancel").click()
    ask_to_start(panel)
    panel.page.keyboard.press("Escape")
    ask_to_start(panel).get_by_role("spinbutton", name="Budget in USD").press("Enter")
    dialog = ask_to_start(panel)
    dialog.get_by_role("spinbutton", name="Budget in USD").fill("")
    expect(dialog.get_by_role("button", name="Rent it")).to_be_disabled()
    expect(dialog.get_by_role("status")).to_contain_text("Nothing is rented without a budget")
    assert "create" not in cloud.calls


def test_a_start_comes_up_in_stages_and_a_cell_runs_on_it(
    panel: PanelPage, notebook_page: NotebookPage, lab: LabServer, cloud: RunPodCloud
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    notebook_page.open_notebook(lab.write_notebook("on-it.ipynb", "%load_ext choline_jupyter"))
    panel.open()
    cloud.boot_looks = 10**6  # until somebody has seen that it boots
    dialog = ask_to_start(panel)
    dialog.get_by_role("spinbutton", name="Budget in USD").fill("2")
    dialog.get_by_role("spinbutton", name="Minutes it may be idle").fill("10")
    dialog.get_by_role("button", name="Rent it").click()
    start = panel.panel.locator("[data-start]").filter(has_text="on-it.ipynb")
    expect(start).to_have_attribute("data-stage", "booting", timeout=WAIT)
    expect(start.get_by_role("meter")).to_be_visible(timeout=WAIT)
    expect(start.locator("[data-step='now']")).to_have_text("booting")
    assert find_faults(panel.page) == []
    panel.take_picture("start-booting")
    cloud.boot_looks = 2
    session = panel.sessions.filter(has_text="on-it.ipynb")
    expect(session).to_contain_text("of $2.00 spent", timeout=WAIT)
    expect(start).to_have_count(0)
    panel.button("Open a cell on on-it.ipynb").click()
    notebook_page.wait_for_cells(2)
    line = notebook_page.source(1)
    assert line == "%%choline --provider runpod --budget 2 --lease 600s\n"
    notebook_page.write(1, f"{line}print('on it')")
    notebook_page.run_cell(0)
    notebook_page.run_cell(1)
    notebook_page.wait_for_text(1, "on it", timeout=60)
    assert len(cloud.list_alive()) == 1
    panel.button("Stop the session on-it.ipynb").click()
    panel.confirm("Stop")
    expect(session).to_have_count(0, timeout=WAIT)
    expect(panel.panel.locator("[data-machine]")).to_have_count(0, timeout=2 * WAIT)
    assert cloud.list_alive() == []


def test_what_came_to_nothing_says_why_until_it_is_dismissed(panel: PanelPage, cloud: RunPodCloud) -> None:
    dialog = ask_to_start(panel)
    cloud.fail("offers", "500", count=99)
    cloud.fail("offers of the community", "500", count=99)
    dialog.get_by_role("button", name="Rent it").click()
    start = panel.panel.locator("[data-start]").filter(has_text="a100-80gb")
    expect(start.get_by_role("alert")).to_contain_text("No offer fits.", timeout=WAIT)
    panel.button("Dismiss the start of a100-80gb").click()
    expect(start).to_have_count(0)
    cloud.faults.clear()


def test_a_budget_that_is_reached_is_told_with_the_panel_closed(
    panel: PanelPage, notebook_page: NotebookPage, cloud: RunPodCloud
) -> None:
    """A cent at 1.19 USD/h is half a minute: the machine ends itself, and whoever is in JupyterLab hears of it, once."""
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    cloud.ended.clear()
    dialog = ask_to_start(panel)
    dialog.get_by_role("spinbutton", name="Budget in USD").fill("0.01")
    dialog.get_by_role("button", name="Rent it").click()
    expect(panel.panel.locator("[data-start]")).to_have_count(1, timeout=WAIT)
    panel.page.locator(TAB).click()
    expect(panel.panel).to_be_hidden()
    told = panel.page.locator(".Toastify__toast").filter(has_text="1x A100 80GB on runpod")
    reached = told.filter(has_text="The budget of $0.01 is reached")
    expect(reached).to_be_visible(timeout=WAIT)
    assert cloud.ended.wait(WAIT / 1000)
    assert cloud.list_alive() == []
    second = NotebookPage(panel.page.context.new_page(), notebook_page.lab)
    with second.page.expect_response("**/choline/api/money*"):
        second.open_lab("second")
    expect(second.page.locator(".Toastify__toast")).to_have_count(0)
    expect(told).to_have_count(1)  # it is in the place of what was said before
    panel.take_picture("budget-reached")
    reached.get_by_role("button", name="Show sessions").click()
    expect(panel.panel).to_be_visible()
