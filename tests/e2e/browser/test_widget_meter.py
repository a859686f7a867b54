"""The meter of widgets as a page draws it: a JupyterLab whose kernels believe to be Colab's. Colab itself is not run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from choline_jupyter.magic.widget_meter import VIEW
from tests.e2e.browser.element_page import ElementPage
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.lab_with_host import serve_with_host
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import WAIT, PanelPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]

CELL = """%%choline OPTIONS
import time
for step in range(1, 8):
    print(f'step {step}/10 loss {1 / step:.3f}', flush=True)
time.sleep(600)"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with serve_with_host(tmp_path_factory.mktemp("lab"), COLAB_RELEASE_TAG="of a test") as made:
        yield made


def test_it_is_drawn_stops_the_job_and_leaves_the_element(lab: LabServer, notebook_page: NotebookPage) -> None:
    cell = CELL.replace("OPTIONS", lab.environment["TEST_HOST"])
    notebook_page.open_notebook(lab.write_notebook("metered.ipynb", "%load_ext choline_jupyter", cell))
    notebook_page.run_all()
    area = notebook_page.output_area(1)
    expect(area.locator(".jupyter-widgets").first).to_be_visible(timeout=WAIT)
    expect(area.locator(".widget-html").first).to_contain_text("step 7/10", timeout=WAIT)
    expect(area.locator(".progress-bar, .widget-progress .progress").first).to_be_visible()
    PanelPage(notebook_page.page).take_picture("widget-meter")
    area.get_by_role("button", name="Stop").click()
    notebook_page.wait_done(60)
    expect(area).to_contain_text("KeyboardInterrupt")
    expect(area.locator(".jupyter-widgets")).to_have_count(0)
    expect(ElementPage(notebook_page).find(1)).to_be_visible(timeout=WAIT)
    notebook_page.save()
    kept = [output.get("data", {}) for output in notebook_page.outputs(1)]
    assert not any(VIEW in data for data in kept)
    assert any("ran for" in str(data.get("text/html")) for data in kept)
