"""What it costs a warm cell to find that its session's environment has all that it imports."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from choline_jupyter.capture.history import History, list_sources
from choline_jupyter.capture.packages import find_packages
from tests.benchmarks.report import Goal, Report, Row
from tests.benchmarks.samples import choose, interleave

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Over ssh"
PACKAGES = ("numpy", "pandas", "matplotlib", "torch", "tqdm", "requests", "pyyaml", "pillow", "jinja2", "psutil")
CELL = """
import numpy as np, pandas as pd, torch, tqdm, requests, yaml, psutil
from matplotlib import pyplot as plt
from PIL import Image
import jinja2
prepare(values)
"""
DEFINITION = "def prepare(x):\n    import pandas as pd\n    return pd.Series(np.asarray(x)).rolling(3).mean()"


def test_nothing_to_install(report: Report) -> None:
    history = History(["", *("%pip install tqdm", DEFINITION) * 25])
    namespace = {"np": np, "values": [np.zeros(3)] * 50}
    has = set(find_packages(list_sources(CELL, history), namespace).requirements)
    assert len(has) >= len(PACKAGES) - 3  # some come with every kernel
    uv = str(Path(sys.executable).parent / "uv")

    def check() -> Mapping[str, float]:
        start = time.perf_counter()
        found = find_packages(list_sources(CELL, history), namespace, ["get_ipython().run_line_magic('pip', 'x')"] * 25)
        assert has.issuperset(found.requirements)
        return {"time": time.perf_counter() - start}

    def ask_uv() -> Mapping[str, float]:
        start = time.perf_counter()
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--offline", "--python", sys.executable, *PACKAGES], check=True
        )
        return {"time": time.perf_counter() - start}

    found = interleave({"check": check, "uv": ask_uv}, rounds=choose(20, 3))
    what = "packages of a cell with 10 imports, nothing to install"
    report.add(
        SECTION,
        Row(what, found["check time"], goal=Goal(100)),
        Row(what, found["check time"], found["uv time"], "`uv pip install`, nothing to do"),
    )
