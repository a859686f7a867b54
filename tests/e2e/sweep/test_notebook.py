"""notebooks/sweep.ipynb: six jobs on two hosts, as the reader runs them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.ssh.server import Server
from tests.source_tree import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_six_jobs_on_two_hosts(isolation: Isolation, servers: list[Server]) -> None:
    """Its own assertions look at the results; of each host the table names some jobs."""
    for name in ("model.py", "execute.py"):
        shutil.copy(ROOT / "notebooks" / name, isolation.folder)
    text = (ROOT / "notebooks" / "sweep.ipynb").read_text()
    places = json.dumps(f"--over {','.join(server.address for server in servers)}")[1:-1]
    changed, count = re.subn(r'WHERE = \\"--parallel 2\\"', lambda _: f'WHERE = \\"{places}\\"', text)
    assert count == 1
    (isolation.folder / "sweep.ipynb").write_text(changed)
    command = [sys.executable, "execute.py", "sweep.ipynb", "out.ipynb"]
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=isolation.folder, env=isolation.environment
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    cells = {cell.id: cell for cell in nbformat.read(isolation.folder / "out.ipynb", as_version=4).cells}
    (table,) = [one for one in cells["sweep"].outputs if one.output_type == "display_data"]
    title, _, *rows = table["data"]["text/plain"].splitlines()
    assert "6 done; best loss" in title
    assert len(rows) == 6
    for server in servers:
        assert any(server.address in row for row in rows), rows
    assert "6 jobs; best: learning rate" in cells["best"].outputs[0].text
    assert "No session is open" in cells["status"].outputs[0].text
