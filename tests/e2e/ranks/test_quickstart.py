"""The quickstart's own cells on 1, 2 and 4 ranks: its training gives the same losses, up to the order of additions."""

from __future__ import annotations

import ast
import json
import re
import shutil

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD
from tests.source_tree import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STEPS = 12


def read_cells() -> dict[str, str]:
    """The notebook's code cells by their names; trained for a moment only, and nothing else is changed."""
    cells = json.loads((ROOT / "notebooks" / "quickstart.ipynb").read_text())["cells"]
    code = {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}
    code["define"], count = re.subn(r"(batch_size, steps, learning_rate = \d+), \d+,", rf"\1, {STEPS},", code["define"])
    assert count == 1
    return code


@pytest.fixture
def notebook(isolation: Isolation) -> DrivenKernel:
    """A kernel beside the model and the corpus of the quickstart."""
    shutil.copy(ROOT / "notebooks" / "model.py", isolation.folder)
    made = DrivenKernel(isolation)
    made.run(LOAD)
    assert made.run(read_cells()["corpus"]).reply["status"] == "ok"
    return made


def train(kernel: DrivenKernel, ranks: int) -> list[float]:
    """The losses of the training cell on so many ranks; the options stand on the first cell, as a reader would write them."""
    cells = read_cells()
    for name in ("machine", "define", "train", "save"):
        options = f" --session on{ranks} --ranks {ranks}" if name == "machine" else ""
        run = kernel.run(cells[name].replace("%%choline", f"%%choline{options}", 1))
        assert run.reply["status"] == "ok", run.read_error()
        if name == "machine":  # on a busy machine importing takes long; so it is a cell of its own
            kernel.run("%%choline\nimport matplotlib.pyplot, torch.distributed, torch.nn.parallel, tqdm.auto")
    losses: list[float] = ast.literal_eval(kernel.run("%%choline --on 0\nlosses").read_result())
    kernel.run("%choline stop --all --yes")
    return losses


def test_same_losses_on_any_number_of_ranks(notebook: DrivenKernel) -> None:
    try:
        alone = train(notebook, 1)
        assert len(alone) == STEPS
        assert alone[-1] < alone[0] - 0.5, "it has learned nothing"
        for ranks in (2, 4):
            assert train(notebook, ranks) == pytest.approx(alone, rel=1e-4)
        assert (notebook.folder / "ckpt.pt").exists()
    finally:
        notebook.run("%choline stop --all --yes")
        notebook.close()
