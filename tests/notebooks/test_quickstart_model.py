"""The quickstart's model learns what it should from what it may see, and its notebook is stored as it should be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat import NotebookNode
from torch import Tensor

from notebooks.model import GPT, GPTConfig
from tests.source_tree import ROOT

CONFIG = GPTConfig(block_size=32, n_layer=2, n_head=2, n_embd=32)
FOLDER = ROOT / "notebooks"
# In the order in which they run; `here` are the cells of the notebook's own kernel.
HERE = {"load", "corpus", "status", "stop"}
CELLS = ["load", "corpus", "machine", "define", "train", "sample", "save", "raise", "survived", "ask", "status", "stop"]


@pytest.fixture(autouse=True)
def two_threads_and_a_seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def notebook() -> NotebookNode:
    stored: NotebookNode = nbformat.read(FOLDER / "quickstart.ipynb", as_version=nbformat.NO_CONVERT)
    return stored


@pytest.fixture(scope="module")
def code(notebook: NotebookNode) -> dict[str, NotebookNode]:
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def random_bytes(batch: int, time: int) -> Tensor:
    return torch.randint(256, (batch, time))


def as_batch(text: bytes) -> Tensor:
    return torch.tensor([list(text)])


@pytest.mark.parametrize("time", [1, 7, 32])
def test_shapes(time: int) -> None:
    idx = random_bytes(3, time)
    logits, loss = GPT(CONFIG)(idx, random_bytes(3, time))
    assert logits.shape == (3, time, 256)
    assert loss.shape == ()
    assert GPT(CONFIG)(idx)[1] is None


def test_sequence_beyond_the_block_size_is_refused_by_its_length() -> None:
    with pytest.raises(ValueError, match="33 bytes does not fit the block size of 32"):
        GPT(CONFIG)(random_bytes(1, 33))


@pytest.mark.parametrize("changed", [1, 15, 31])
def test_a_future_byte_changes_no_earlier_logits(changed: int) -> None:
    model = GPT(CONFIG)
    before = random_bytes(2, 32)
    after = before.clone()
    after[:, changed] = (after[:, changed] + 1) % 256
    first, second = model(before)[0], model(after)[0]
    torch.testing.assert_close(second[:, :changed], first[:, :changed])
    # The byte does count from its own position on; a model that saw nothing would pass the line above too.
    assert (second[:, changed:] - first[:, changed:]).abs().amax(dim=(0, 2)).gt(1e-4).all()


def test_the_order_of_earlier_bytes_matters() -> None:
    model = GPT(GPTConfig(block_size=8, n_layer=1, n_head=2, n_embd=32))
    difference = model(as_batch(b"abc"))[0][0, -1] - model(as_batch(b"bac"))[0][0, -1]
    assert difference.abs().max() > 1e-5


def test_an_untrained_model_is_close_to_uniform() -> None:
    _, loss = GPT(GPTConfig())(random_bytes(16, 96), random_bytes(16, 96))
    assert loss.item() == pytest.approx(math.log(256), abs=0.1)


def test_one_table_embeds_bytes_and_scores_them() -> None:
    model = GPT(CONFIG)
    assert model.head.weight is model.byte_embedding.weight
    counted = sum(weight.numel() for weight in model.parameters())
    per_block = 12 * 32**2 + 13 * 32  # the four matrices with their biases and the two norms
    assert counted == 256 * 32 + 2 * per_block + 2 * 32


def train(model: GPT, text: Tensor, steps: int) -> float:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        _, loss = model(text[:, :-1], text[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.item())


def test_a_tiny_batch_is_learned_by_heart_and_recited() -> None:
    model = GPT(CONFIG)
    text = as_batch(b"def learn(self): return 'heart'")
    assert train(model, text, steps=80) < 0.1
    assert torch.equal(model.generate(text[:, :4], text.shape[1] - 4, top_k=1), text)


@pytest.mark.parametrize(("given", "more"), [(1, 0), (1, 5), (32, 3), (50, 40)])
def test_generate_appends_exactly_as_many_bytes_as_asked(given: int, more: int) -> None:
    prompt = random_bytes(2, given)
    generated = GPT(CONFIG).generate(prompt, more, temperature=0.8, top_k=40)
    assert generated.shape == (2, given + more)
    assert torch.equal(generated[:, :given], prompt)
    assert generated.min() >= 0
    assert generated.max() < 256


def test_top_k_leaves_only_the_likeliest() -> None:
    model = GPT(CONFIG)
    prompt = as_batch(b"x").expand(200, 1)
    likeliest = model(prompt[:1])[0][0, -1].topk(3).indices
    drawn = model.generate(prompt, 1, temperature=5.0, top_k=3)[:, -1]
    assert set(drawn.tolist()) == set(likeliest.tolist())


def test_low_temperature_prefers_the_likeliest() -> None:
    model = GPT(CONFIG)
    prompt = as_batch(b"x").expand(200, 1)
    likeliest = model(prompt[:1])[0][0, -1].argmax()
    cold, warm = (model.generate(prompt, 1, temperature=t)[:, -1].eq(likeliest).sum() for t in (0.01, 1.0))
    assert cold > 150 > warm


def test_a_checkpoint_builds_the_same_model_again(tmp_path: Path) -> None:
    model = GPT(CONFIG)
    torch.save({"model": model.state_dict(), "config": asdict(CONFIG)}, tmp_path / "ckpt.pt")
    # weights_only: a checkpoint of the quickstart is data, nothing in it needs unpickling.
    saved = torch.load(tmp_path / "ckpt.pt", weights_only=True)
    again = GPT(GPTConfig(**saved["config"]))
    again.load_state_dict(saved["model"])
    idx = random_bytes(1, 32)
    torch.testing.assert_close(again(idx)[0], model(idx)[0])


def test_model_stays_readable_in_one_sitting() -> None:
    assert len((FOLDER / "model.py").read_text(encoding="utf-8").splitlines()) < 150


def test_notebook_is_valid_and_clean(notebook: NotebookNode) -> None:
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert all(ids)
    assert len(set(ids)) == len(ids)


def test_notebook_holds_no_outputs(code: dict[str, NotebookNode]) -> None:
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code.values())


def test_cells_run_where_the_text_says(code: dict[str, NotebookNode]) -> None:
    assert list(code) == CELLS
    assert {name for name, cell in code.items() if not cell.source.startswith("%%choline\n")} == HERE
    assert [code[name].source for name in ("load", "status", "stop")] == [
        "%load_ext choline_jupyter",
        "%choline status",
        "%choline stop",
    ]


def test_only_the_mistake_is_tagged(code: dict[str, NotebookNode]) -> None:
    tags = {name: cell.metadata.tags for name, cell in code.items() if "tags" in cell.metadata}
    assert tags == {"raise": ["raises-exception"]}


def test_every_code_cell_is_explained_or_follows_one_that_is(notebook: NotebookNode) -> None:
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[0] == "markdown"
    unexplained = {
        cell.id
        for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False)
        if before.cell_type == cell.cell_type == "code"
    }
    assert unexplained == {"stop"}


def test_python_of_every_cell_compiles(code: dict[str, NotebookNode]) -> None:
    for name in set(CELLS) - {"load", "status", "stop"}:
        compile(code[name].source.removeprefix("%%choline\n"), name, "exec")
