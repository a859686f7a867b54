"""The element of a job in its cell: live, after a reload, of a job that nobody knows, of one that means harm."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.event import Kind, Series
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.wire.record import decode_record, encode_record
from tests.e2e.browser.element_page import JOB, RANKS, ElementPage, write_outputs
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.lab_with_host import serve_with_host
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import WAIT, PanelPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(240)]

LOAD = "%load_ext choline_jupyter"
CELL = """%%choline OPTIONS
import pathlib, time
from IPython.display import clear_output
print('early')
for step in range(1, 21):
    print(f'step {step}/40 loss {1 / step:.3f}', flush=True)
while not pathlib.Path('GO').exists():
    time.sleep(0.05)
clear_output(wait=True)
print('cleared')
time.sleep(600)"""
HARM = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with serve_with_host(tmp_path_factory.mktemp("lab")) as made:
        yield made


def test_a_job_elsewhere_is_drawn_and_stopped_from_its_cell(
    lab: LabServer, browser: Browser, notebook_page: NotebookPage, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    cell = CELL.replace("OPTIONS", lab.environment["TEST_HOST"]).replace("GO", str(go))
    name = lab.write_notebook("elsewhere.ipynb", LOAD, cell)
    notebook_page.open_notebook(name)
    notebook_page.run_all()
    drawn = ElementPage(notebook_page).find(1)
    expect(drawn.locator(".jp-choline-State")).to_have_text("runs", timeout=WAIT)
    expect(drawn.get_by_role("progressbar")).to_be_visible(timeout=WAIT)
    expect(drawn.get_by_role("img", name="loss from")).to_be_visible(timeout=WAIT)
    PanelPage(notebook_page.page).take_picture("element-running")
    [bundle] = ElementPage(notebook_page).list_bundles(1)
    assert set(bundle) == {JOB, "text/html", "text/plain"}
    assert set(bundle[JOB]) == {"id"}
    assert f"job {bundle[JOB]['id']} runs for" in bundle["text/plain"]
    go.touch()
    notebook_page.wait_for_text(1, "cleared")
    expect(drawn).to_have_count(1)  # the job has cleared its own output only
    assert "early" not in notebook_page.text(1)
    notebook_page.save()
    notebook_page.page.context.close()

    back = NotebookPage(browser.new_context(viewport={"width": 1280, "height": 1000}).new_page(), lab)
    back.open_notebook(name, is_busy=True)
    drawn = ElementPage(back).find(1)
    expect(drawn.locator(".jp-choline-State")).to_have_text("runs", timeout=WAIT)
    drawn.get_by_role("button", name="Stop job").click()
    expect(drawn.locator(".jp-choline-State")).to_have_text("failed: KeyboardInterrupt", timeout=WAIT)
    expect(drawn.get_by_role("button")).to_have_count(0)
    back.wait_for_text(1, "KeyboardInterrupt")
    [bundle] = ElementPage(back).list_bundles(1)
    assert "ran for" in bundle["text/plain"]
    assert back.console_errors == []
    back.page.context.close()


def test_there_is_none_on_this_machine(notebook_page: NotebookPage, lab: LabServer) -> None:
    cell = "%%choline\nimport time\ntime.sleep(1.5)\nprint('slept')"
    notebook_page.open_notebook(lab.write_notebook("here.ipynb", LOAD, cell))
    notebook_page.run_all()
    notebook_page.wait_for_text(1, "slept")
    notebook_page.wait_done()
    assert [output["output_type"] for output in notebook_page.outputs(1)] == ["stream"]


def save_harmful_job(folder: Path) -> None:
    """As a machine might have sent it, with everything that a stranger chooses."""
    store, now = EventStore(folder), time.time()
    store.save_session(SessionRow("s-evil", HARM, "vast", HARM, "/", 1, SessionState.STOPPED, now, Trust.RENTED))
    row = JobRow("j-evil", "s-evil", name=HARM, code=HARM, state=JobState.FAILED, ename=HARM, evalue=HARM)
    store.save_job(row)
    for rank in (0, 1):
        body = json.dumps({"name": "stdout", "text": HARM}).encode()
        record = b"".join(encode_record(1, Kind.STREAM, "j-evil", 1, now, [b"{}", b"{}", b"{}", body]))
        assert store.put(decode_record(Series("s-evil", 1, rank), record), record)
    assert store.flush(30)
    store.close()


def test_what_means_harm_is_text_and_what_nobody_knows_is_quiet(notebook_page: NotebookPage, lab: LabServer) -> None:
    save_harmful_job(Path(lab.environment["HOME"], ".local", "share", "choline"))
    bundles: list[dict[str, Any]] = [
        {JOB: {"id": "j-of-another-machine"}},
        {JOB: {"id": "j-evil"}, "text/plain": HARM},
        {JOB: {"id": "../../api/shutdown"}, "text/plain": HARM},
        {JOB: None, "text/plain": HARM},
        {RANKS: {"job": "j-evil", "ranks": {"1": HARM, "2": 7, HARM: "no rank"}}, "text/plain": HARM},
    ]
    write_outputs(lab.root / "sent.ipynb", *bundles)
    asked: list[str] = []
    notebook_page.page.on("request", lambda request: asked.append(request.url))
    notebook_page.open_notebook("sent.ipynb", is_busy=True)
    elements = ElementPage(notebook_page)
    expect(elements.find(0)).to_have_text(
        "choline: as it was (this machine does not know that job any more)", timeout=WAIT
    )
    expect(elements.find(1).locator(".jp-choline-State")).to_contain_text("failed: <img src=x", timeout=WAIT)
    for cell in (2, 3):
        expect(elements.find(cell)).to_have_text(HARM, timeout=WAIT)
    ranks = notebook_page.output_area(4).get_by_role("tab")
    expect(ranks).to_have_text(["rank 1"], timeout=WAIT)
    expect(notebook_page.output_area(4).get_by_role("tabpanel")).to_have_text(HARM)
    area = notebook_page.page.locator(".jp-Notebook .jp-Cell-outputArea")
    assert area.locator("img, script, iframe").count() == 0
    assert notebook_page.page.evaluate("() => window.harmed") is None
    assert not [url for url in asked if "shutdown" in url]
