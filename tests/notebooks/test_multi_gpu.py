"""notebooks/multi_gpu.ipynb: one rank and four learn the same; a checkpoint of four ranks goes on on two."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.source_tree import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_notebook_runs_to_its_end(tmp_path: Path) -> None:
    """Its own assertions compare the losses."""
    isolation = Isolation()
    try:
        for name in ("model.py", "multi_gpu.ipynb", "execute.py"):
            shutil.copy(ROOT / "notebooks" / name, tmp_path)
        command = [sys.executable, "execute.py", "multi_gpu.ipynb", "out.ipynb"]
        ran = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=tmp_path, env=isolation.environment
        )
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
        assert "rank 0 waited in barrier (cell line 3) and was freed" in ran.stdout
        nbformat.read(tmp_path / "out.ipynb", as_version=4)
    finally:
        isolation.close()
