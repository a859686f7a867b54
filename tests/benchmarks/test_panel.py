"""How soon the panel is there and hears of what happens, and what it costs a server and a page that only have it."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.model.job import JobState
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import Samples, choose
from tests.e2e.browser.conftest import browser, lab, notebook_page  # noqa: F401 - fixtures
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import PanelPage
from tests.server.samples import end_job, print_text, save_job, save_session
from tests.source_tree import ROOT

pytestmark = [pytest.mark.bench, pytest.mark.browser, pytest.mark.timeout(900)]

SECTION = "Panel"
JOBS = 200
MARKS = choose(40, 5)
SHOW = """() => new Promise(resolve => {
  const begun = performance.now();
  const look = () => {
    if (document.querySelector('#choline-panel [data-job]') === null) { requestAnimationFrame(look); return; }
    requestAnimationFrame(() => setTimeout(() => resolve((performance.now() - begun) / 1000)));
  };
  void window.jupyterapp.commands.execute('choline:show-panel');
  look();
})"""
ACTIVATION = "() => performance.getEntriesByName('choline-activate', 'measure')[0].duration / 1000"
WATCH = """() => {
  window.seen = {};
  const look = () => {
    for (const [found] of document.querySelector('#choline-panel').innerText.matchAll(/mark \\d+/g)) {
      window.seen[found] ??= Date.now() / 1000;
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


@pytest.fixture
def store(lab: LabServer) -> Iterator[EventStore]:  # noqa: F811
    """The record of a user with many jobs, the last of which runs."""
    folder = Path(lab.environment["HOME"], ".local", "share", "choline")
    folder.mkdir(parents=True, exist_ok=True)
    made, now = EventStore(folder), time.time()
    save_session(
        made, provider="ssh", machine="me@gpu.invalid"
    )  # a job on this machine that does not run would be ended
    for number in range(JOBS - 1):
        times = {"created_at": now - 9000 + number, "started_at": now - 9000 + number, "ended_at": now - 8000 + number}
        save_job(made, f"j-{number}", JobState.DONE, **times)
    save_job(made, started_at=now)
    yield made
    end_job(made, MARKS + 1)  # and so the keeper's work
    made.close()


def test_panel(report: Report, store: EventStore, notebook_page: NotebookPage) -> None:  # noqa: F811
    """Each time in a page that was loaded anew."""
    shown, activated, heard = Samples(), Samples(), Samples()
    for _ in range(choose(10, 3)):
        notebook_page.open_lab()
        activated.add(notebook_page.page.evaluate(ACTIVATION))
        shown.add(notebook_page.page.evaluate(SHOW))
    PanelPage(notebook_page.page).unfold("Jobs")
    notebook_page.page.evaluate(WATCH)
    for number in range(1, MARKS):
        put = time.time()
        print_text(store, number, f"mark {number}\n")
        seen = notebook_page.page.wait_for_function(f"() => window.seen['mark {number}']")
        heard.add(float(seen.json_value()) - put)
    report.add(
        SECTION,
        Row(f"painted after the click, {JOBS} jobs, a page loaded anew", shown, goal=Goal(300)),
        Row("the sidebar's activation", activated, goal=Goal(50)),
        Row("from an event's arrival at home to the panel's text", heard, goal=Goal(250)),
    )


def test_what_it_costs_who_does_not_look(report: Report, lab: LabServer) -> None:  # noqa: F811
    """The server with nobody connected, and what each page loads."""
    assert lab._process
    server, idle, size = psutil.Process(lab._process.pid), Samples(), Samples()
    for _ in range(choose(5, 1)):
        times, begun = server.cpu_times(), time.perf_counter()
        time.sleep(choose(20, 5))
        after = server.cpu_times()
        taken = after.user + after.system - times.user - times.system
        idle.add(taken / (time.perf_counter() - begun))
    static = ROOT / "choline_jupyter" / "labextension" / "static"
    size.add(sum(len(gzip.compress(path.read_bytes())) for path in static.glob("*.js")))
    report.add(
        SECTION,
        Row("processor time of the idle server, all of it", idle, goal=Goal(0.5), unit=Unit("%", 100)),
        Row("the front end, gzipped", size, goal=Goal(100), unit=Unit("kB", 1e-3)),
    )
