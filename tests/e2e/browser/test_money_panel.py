"""The panel's money in a real JupyterLab: offers of fake providers, a machine that is rented, used, extended and given back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import WAIT, PanelPage
from tests.fakes.cloud import Cloud
from tests.fakes.lambda_cloud import LambdaCloud
from tests.fakes.runpod import RunPodCloud

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]

BUDGET = 0.015  # USD, some 40 seconds of an A100
CODE = """import time
for step in range(1, 400):
    print(f'step {step}/400 loss {9 / step:.4f}', flush=True)
    time.sleep(0.25)
"""


@pytest.fixture(scope="module")
def clouds() -> Iterator[dict[str, Cloud]]:
    """Two providers, one of which has real machines where that can be."""
    made: dict[str, Cloud] = {"lambda": LambdaCloud(), "runpod": RunPodCloud(has_machines=os.geteuid() == 0)}
    yield made
    for cloud in made.values():
        cloud.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, clouds: dict[str, Cloud]) -> Iterator[LabServer]:
    server = LabServer(tmp_path_factory.mktemp("lab"))
    server.rent_from(clouds)
    server.start()
    yield server
    server.stop()


def test_offers_are_found_sorted_and_used(
    panel: PanelPage, notebook_page: NotebookPage, clouds: dict[str, Cloud]
) -> None:
    """A provider that is down is a row; what is used stands in the cell; nothing is rented by it."""
    clouds["lambda"].fail("offers", "500", count=99)
    panel.unfold("Offers")
    panel.panel.get_by_role("combobox", name="GPU").fill("a100")
    panel.button("Search").click()
    expect(panel.panel.locator('[data-provider="lambda"]')).to_contain_text("could not be asked", timeout=WAIT)
    rows = panel.panel.locator("[data-offer]")
    expect(rows.first).to_contain_text("A100", timeout=WAIT)
    prices = [float(text) for text in rows.locator("td:nth-child(3)").all_inner_texts()]
    panel.button("$/h").click()
    expect(panel.panel.locator('th[data-column="hour"]')).to_have_attribute("aria-sort", "ascending")
    assert [float(text) for text in rows.locator("td:nth-child(3)").all_inner_texts()] == sorted(prices)
    panel.take_picture("panel-offers")
    rows.first.get_by_role("button", name="Use").click()
    notebook_page.wait_for_cells(2)
    source = notebook_page.source(1)
    assert source.startswith("%%choline --gpu a100-80gb --provider runpod")
    assert "--budget" in source
    assert clouds["runpod"].list_alive() == []
    clouds["lambda"].faults.clear()


def test_a_machine_from_its_offer_to_its_end(
    panel: PanelPage, notebook_page: NotebookPage, lab: LabServer, clouds: dict[str, Cloud]
) -> None:
    """Use, run, agree; watch the cost; interrupt; extend the lease; stop: it is gone at its provider."""
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    notebook_page.open_notebook(lab.write_notebook("rented.ipynb", "%load_ext choline_jupyter", CODE))
    panel.open()
    notebook_page.run_cell(0)
    notebook_page.wait_done()
    notebook_page.choose_cell(1)
    panel.unfold("Offers")
    panel.panel.get_by_role("combobox", name="GPU").fill("a100")
    panel.button("Search").click()
    panel.panel.locator("[data-offer]").filter(has_text="runpod").first.get_by_role("button", name="Use").click(
        timeout=WAIT
    )
    notebook_page.run_cell(1)
    notebook_page.answer("y")
    session = panel.sessions.filter(has_text="rented.ipynb")
    expect(session).to_contain_text("A100", timeout=WAIT)
    expect(session).to_contain_text("runs for", timeout=WAIT)
    expect(session.get_by_role("meter")).to_be_visible()
    job = panel.jobs.filter(has_text="rented.ipynb")
    expect(job).to_contain_text("$", timeout=WAIT)
    expect(job.get_by_role("img", name="loss from")).to_be_visible(timeout=WAIT)
    expect(panel.panel.locator("[data-rank='0']")).to_contain_text("processor", timeout=WAIT)
    panel.take_picture("panel-money")
    panel.button("Interrupt what runs in rented.ipynb").click()
    notebook_page.wait_done()
    expect(session).to_contain_text("ends in", timeout=WAIT)
    panel.button("Extend the lease of rented.ipynb").click()
    expect(session).to_contain_text("ends in 29 min", timeout=WAIT)
    panel.button("Stop the session rented.ipynb").click()
    panel.confirm("Stop")
    expect(session).to_have_count(0, timeout=WAIT)
    # The notebook's kernel may have heard of the session's end before its machine has ended.
    expect(panel.panel.locator("[data-machine]")).to_have_count(0, timeout=2 * WAIT)
    assert clouds["runpod"].ended.wait(WAIT / 1000)
    assert clouds["runpod"].list_alive() == []
    expect(panel.panel).to_contain_text("this month")


def test_a_budget_that_is_spent_ends_the_machine_and_is_said(
    panel: PanelPage, notebook_page: NotebookPage, lab: LabServer, clouds: dict[str, Cloud]
) -> None:
    """Nobody does anything: the cell says what has ended it, so does the panel, and no more is billed than was allowed."""
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    source = f"%%choline --gpu a100 --provider runpod --budget {BUDGET} --env none\n{CODE}"
    notebook_page.open_notebook(lab.write_notebook("short.ipynb", "%load_ext choline_jupyter", source))
    panel.open()
    notebook_page.run_cell(0)
    notebook_page.wait_done()
    notebook_page.run_cell(1)
    notebook_page.answer("y")
    session = panel.sessions.filter(has_text="short.ipynb")
    expect(session.get_by_role("meter")).to_be_visible(timeout=WAIT)
    [rental] = clouds["runpod"].list_alive()
    notebook_page.wait_for_text(1, "its budget is spent", timeout=120)
    expect(panel.page.get_by_role("alert").filter(has_text="is reached")).to_be_visible(timeout=WAIT)
    panel.take_picture("panel-budget-reached")
    expect(session).to_have_count(0, timeout=WAIT)
    expect(panel.panel.locator("[data-machine]")).to_have_count(0, timeout=2 * WAIT)
    assert clouds["runpod"].list_alive() == []
    assert clouds["runpod"].bill(rental.handle) <= BUDGET + rental.price.hour / 60
