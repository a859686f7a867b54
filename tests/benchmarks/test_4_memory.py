"""How much memory a client takes while a job prints without end: measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.benchmarks.home import Home
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import Samples, choose
from tests.source_tree import ROOT

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

LINES = choose(2_000_000, 200_000)
WIDTH = 99
CODE = f"line = 'x' * {WIDTH}\nfor _ in range({LINES}): print(line)"
PROGRAM = """
import json, sys, threading, time
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
timing = driver.run(sys.argv[1])
is_over.set()
watcher.join()
driver.stop()
driver.close()
print(json.dumps({"above": peak - start, "lines": timing.lines}))
"""


def test_client_memory(report: Report, home: Home) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, CODE], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, timeout=600
    )
    fact = json.loads(ran.stdout)
    assert fact["lines"] == LINES
    above = Samples()
    above.add(fact["above"])
    what = f"client's memory above its start, {LINES:,} lines of {WIDTH + 1} bytes"
    report.add("Memory", Row(what, above, goal=Goal(200), unit=Unit("MB", 1e-6)))
