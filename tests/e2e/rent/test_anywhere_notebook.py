"""notebooks/nanogpt_anywhere.ipynb on the fake vast.ai: rented by one word, trained, paid, ended."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.e2e.kernels.isolation import Isolation
from tests.fakes.vast import VastCloud
from tests.source_tree import ROOT

pytestmark = [pytest.mark.vast, pytest.mark.timeout(400)]


def test_it_runs_from_top_to_bottom(home: Isolation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "choline/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[money]\nauto_approve = 2\n")
    shutil.copy(ROOT / "notebooks/model.py", home.folder)
    notebook = nbformat.read(ROOT / "notebooks/nanogpt_anywhere.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("STEPS = 300", "STEPS = 20")
    cloud = VastCloud(has_machines=True)
    try:
        (tmp_path / "fakes.json").write_text(json.dumps({"vast": cloud.tell()}))
        monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(tmp_path / "fakes.json"))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(home.folder)}}).execute()
        text = "\n".join(_read(cell) for cell in notebook.cells)
        assert "the first training step was done" in text
        assert "step 20: loss" in text
        assert "anywhere.pt: " in text
        assert "No rented machine runs." in text
        assert not cloud.list_alive()
    finally:
        cloud.close()


def _read(cell: nbformat.NotebookNode) -> str:
    outputs = cell.get("outputs", ())
    return "".join(str(one.get("text") or one.get("data", {}).get("text/plain", "")) for one in outputs)
