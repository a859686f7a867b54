"""What `%load_ext choline_jupyter` costs a notebook that may never run a `%%choline` cell."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.benchmarks.report import Goal, Report, Row
from tests.benchmarks.samples import choose, interleave
from tests.source_tree import ROOT

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

SECTION = "Loading"
HEAVY = {"torch", "numpy", "paramiko", "asyncssh", "requests", "httpx", "boto3", "modal", "sqlite3"}
PROGRAM = """
import json, sys, time
start = time.perf_counter()
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
ready = time.perf_counter()
before = set(sys.modules)
import choline_jupyter
shell.run_line_magic("load_ext", "choline_jupyter")
loaded = time.perf_counter()
new = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
print(json.dumps({"shell": ready - start, "load": loaded - ready, "new": new}))
"""


def start_shell() -> Mapping[str, float]:
    command = [sys.executable, "-c", PROGRAM]
    fact = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, timeout=60).stdout)
    assert not HEAVY & set(fact["new"])
    return {"load": fact["load"], "start": fact["shell"]}


def test_load(report: Report) -> None:
    found = interleave({"shell": start_shell}, rounds=choose(10, 2))
    load, start = found["shell load"], found["shell start"]
    report.add(SECTION, Row("`import` and `%load_ext`", load, goal=Goal(150)))
    report.add(SECTION, Row("`import` and `%load_ext`", load, start, "start of an IPython shell"))
