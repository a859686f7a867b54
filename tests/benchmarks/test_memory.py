"""How much memory a client takes while a job prints without end: measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.benchmarks.home import Home
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import Samples, choose
from tests.source_tree import ROOT

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

LINES, DISPLAYS = choose(2_000_000, 200_000), choose(10, 2)
WIDTH, SIZE = 99, 50_000_000
CASES = {
    f"{LINES:,} lines of {WIDTH + 1} bytes": f"line = 'x' * {WIDTH}\nfor _ in range({LINES}): print(line)",
    f"{DISPLAYS} displays of 50 MB": (
        "from IPython.display import display\n"
        f"for _ in range({DISPLAYS}): display({{'text/plain': 'x' * {SIZE}}}, raw=True)"
    ),
}
PROGRAM = """
import sys, threading
import psutil
from tests.benchmarks.engine_driver import EngineDriver

driver, process, peak, is_over = EngineDriver(), psutil.Process(), 0, threading.Event()
driver.open("memory")
driver.run("1+1")
start = process.memory_info().rss

def watch():
    global peak
    while not is_over.wait(0.02):
        peak = max(peak, process.memory_info().rss)

watcher = threading.Thread(target=watch)
watcher.start()
driver.run(sys.argv[1])
is_over.set()
watcher.join()
driver.stop()
driver.close()
print(peak - start)
"""


@pytest.mark.parametrize("what", CASES)
def test_client_memory(report: Report, home: Home, what: str) -> None:
    command = [sys.executable, "-c", PROGRAM, CASES[what]]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, timeout=600)
    above = Samples()
    above.add(float(ran.stdout))
    row = Row(f"client's memory above its start, {what}", above, goal=Goal(200), unit=Unit("MB", 1e-6))
    report.add("Memory", row)
