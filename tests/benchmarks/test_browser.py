"""What a job that prints much costs the page it is shown in, beside the same cell in the notebook's own kernel."""

from __future__ import annotations

import pytest
from playwright.sync_api import CDPSession

from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import choose, interleave
from tests.e2e.browser.conftest import browser, lab, notebook_page  # noqa: F401 - fixtures
from tests.e2e.browser.lab_server import LabServer
from tests.e2e.browser.notebook_page import NotebookPage
from tests.e2e.browser.panel_page import PanelPage

pytestmark = [pytest.mark.bench, pytest.mark.browser, pytest.mark.timeout(900)]

SECONDS = choose(6, 3)
CELL = f"""import time
begun = time.perf_counter()
for tick in range({50 * SECONDS}):
    for line in range(100):
        print('line', tick, line, 'of a program that tells all it does')
    time.sleep(max(0, begun + (tick + 1) / 50 - time.perf_counter()))"""
CELLS = ("%load_ext choline_jupyter", "%%choline\n0", CELL, f"%%choline\n{CELL}")
ROUNDS = choose(5, 3)
WATCH = """() => {
  window.longTasks = [];
  window.longTaskObserver = new PerformanceObserver(list => window.longTasks.push(...list.getEntries().map(e => e.duration)));
  window.longTaskObserver.observe({ type: 'longtask' });
}"""
CLEAR = "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs').then(() => null)"
LONG = "() => { const all = window.longTasks; window.longTasks = []; return all.reduce((sum, one) => sum + one, 0); }"


class Meter:
    """What the page takes: processor time of its main thread, seconds of tasks above 50 ms, bytes of its heap."""

    def __init__(self, page: NotebookPage) -> None:
        self._page = page
        self._tools: CDPSession = page.page.context.new_cdp_session(page.page)
        self._tools.send(
            "Performance.enable", {"timeDomain": "threadTicks"}
        )  # of the processor's time, not the clock's
        page.page.evaluate(WATCH)

    def run(self, cell: int) -> dict[str, float]:
        page = self._page
        page.page.evaluate(CLEAR)
        before = self._read()
        page.page.evaluate(LONG)
        page.run_cell(cell)
        page.wait_done(120)
        page.wait_for_text(cell, f"line {50 * SECONDS - 1} 99 of")
        after = self._read()
        taken = {name: after[name] - before[name] for name in after}
        return {**taken, "long": page.page.evaluate(LONG) / 1000}

    def _read(self) -> dict[str, float]:
        self._tools.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in self._tools.send("Performance.getMetrics")["metrics"]}
        return {"busy": metrics["TaskDuration"], "heap": metrics["JSHeapUsedSize"]}


@pytest.fixture
def page(notebook_page: NotebookPage, lab: LabServer) -> NotebookPage:  # noqa: F811
    notebook_page.open_notebook(lab.write_notebook("prints.ipynb", *CELLS))
    for cell in (0, 1):
        notebook_page.run_cell(cell)
        notebook_page.wait_done()
    return notebook_page


def test_five_thousand_lines_a_second(report: Report, page: NotebookPage) -> None:
    """The panel is open, as it is when somebody watches."""
    PanelPage(page.page).open()
    meter = Meter(page)
    for cell in (2, 3):
        meter.run(cell)
    found = interleave({"plain": lambda: meter.run(2), "ours": lambda: meter.run(3)}, rounds=ROUNDS)
    for name, what, unit in (
        ("busy", "processor time of the page's main thread", Unit("s", 1)),
        ("long", "time in tasks above 50 ms", Unit("s", 1)),
        ("heap", "heap that stays when the cell has ended", Unit("MB", 1e-6)),
    ):
        row = f"a `%%choline` cell that prints 5,000 lines/s for {SECONDS} s: {what}"
        samples = found[f"ours {name}"], found[f"plain {name}"]
        report.add("Panel", Row(row, *samples, "the same plain cell", Goal(1.1), unit))
