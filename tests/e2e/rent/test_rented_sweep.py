"""A sweep on rented machines: two are rented at once, the budget is theirs together, and both end with the sweep."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.fakes.vast import VastCloud
from tests.source_tree import ROOT

pytestmark = [pytest.mark.vast, pytest.mark.timeout(240)]

SWEEP = "%%choline --gpu 3090 --budget 3 --parallel 2 --sweep number=1,2,3\nnumber"


def test_two_machines_are_rented_and_ended(home: Isolation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs a kernel feature: mount and pid namespaces, which only root has here")
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "choline/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[money]\nauto_approve = 3\n")
    cloud = VastCloud(has_machines=True)
    try:
        (tmp_path / "fakes.json").write_text(json.dumps({"vast": cloud.tell()}))
        monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(tmp_path / "fakes.json"))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        notebook = new_notebook(cells=[new_code_cell(code) for code in (LOAD, SWEEP, "%choline budget")])
        NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(home.folder)}}).execute()
        (table,) = [one for one in notebook.cells[1].outputs if one.output_type == "display_data"]
        title, _, *rows = table["data"]["text/plain"].splitlines()
        assert "3 done; best result 1 with number=1" in title
        assert {row[row.index("machine") :][:9] for row in rows} == {"machine 1", "machine 2"}
        assert "No rented machine runs" in str(notebook.cells[2].outputs)
        assert not cloud.list_alive()
    finally:
        cloud.close()
