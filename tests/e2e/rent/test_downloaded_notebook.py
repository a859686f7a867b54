"""Run All on a notebook that somebody has sent rents nothing without the user's word, whatever stands in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.fakes.runpod import RunPodCloud
from tests.source_tree import ROOT

pytestmark = pytest.mark.e2e

LINE = "%%choline --gpu a100 --provider runpod"


@pytest.fixture
def cloud(home: Isolation, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunPodCloud]:
    """Of a user who has an account and no configuration."""
    made = RunPodCloud()
    told = home.folder / "fakes.json"
    told.write_text(json.dumps({"runpod": made.tell()}))
    monkeypatch.setenv("CHOLINE_FAKE_CLOUD", str(told))
    home.environment["CHOLINE_FAKE_CLOUD"] = str(told)
    yield made
    made.close()


def test_a_headless_run_rents_nothing(home: Isolation, cloud: RunPodCloud) -> None:
    notebook = nbformat.read(ROOT / "notebooks/nanogpt_anywhere.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace('PROVIDER = "vast"', 'PROVIDER = "runpod"')
    (home.folder / "model.py").write_bytes((ROOT / "notebooks/model.py").read_bytes())
    client = NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(home.folder)}})
    with pytest.raises(CellExecutionError, match="nobody has agreed to it"):
        client.execute()
    assert "create" not in cloud.calls
    assert cloud.calls.count("offers") > 0


@pytest.fixture
def kernel(home: Isolation, cloud: RunPodCloud) -> Iterator[DrivenKernel]:
    made = DrivenKernel(home)
    made.run(LOAD)
    yield made
    made.close()


def test_a_user_who_is_asked_and_does_not_agree_pays_nothing(kernel: DrivenKernel, cloud: RunPodCloud) -> None:
    run = kernel.run(f"{LINE} --budget 2\n1", ["n"])
    assert "1x A100" in run.questions[0]["content"]["prompt"]
    assert "nobody has agreed" in run.read_error()
    assert "create" not in cloud.calls


def test_no_line_of_a_cell_raises_a_limit_or_agrees(kernel: DrivenKernel, cloud: RunPodCloud, home: Isolation) -> None:
    assert "has no option '--yes'" in kernel.run(f"{LINE} --budget 2 --yes\n1").read_error()
    config = Path(home.environment["XDG_CONFIG_HOME"]) / "choline/config.toml"
    config.parent.mkdir()
    config.write_text("[money]\nbudget = 1\nmonthly = 5\n")
    assert "is more than the 1 USD that your configuration allows" in kernel.run(f"{LINE} --budget 2\n1").read_error()
    config.write_text("[money]\nmonthly = 1\nauto_approve = 9\n")
    assert "The month's budget is 1.00 USD" in kernel.run(f"{LINE} --budget 2\n1").read_error()
    assert "create" not in cloud.calls
