"""`checkpoint` and `resume` where no agent is: on this machine's disk, exact, and the newest that is whole."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from choline_jupyter.training import checkpoint, finish, log, resume
from tests.source_tree import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHOLINE_TRAINING", raising=False)
    return tmp_path / "checkpoints/here"


def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer, sampler: torch.Generator) -> float:
    noise = random.random() + float(np.random.rand())
    data = torch.randn(4, 20, generator=sampler)
    loss = (model(data) * noise).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.item())


def make() -> tuple[torch.nn.Module, torch.optim.Optimizer, torch.Generator]:
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(20, 20), torch.nn.Dropout(0.5), torch.nn.Linear(20, 1))
    return model, torch.optim.AdamW(model.parameters(), lr=0.01), torch.Generator().manual_seed(5)


def test_it_goes_on_bit_by_bit() -> None:
    model, optimizer, sampler = make()
    for step in range(4):
        train(model, optimizer, sampler)
        checkpoint(step, model=model, optimizer=optimizer, sampler=sampler, note={"best": [1, 2.5]})
    undisturbed = [train(model, optimizer, sampler) for _ in range(4)]
    other = make()
    train(*other)
    found = resume(model=other[0], optimizer=other[1], sampler=other[2])
    assert found.step == 3
    assert found["note"] == {"best": [1, 2.5]}
    assert [train(*other) for _ in range(4)] == undisturbed


def test_what_is_saved_is_of_the_moment_of_the_call() -> None:
    """The training goes on while the file is written."""
    tensor = torch.zeros(3_000_000)
    for step in range(3):
        tensor.fill_(step)
        checkpoint(step, tensor=tensor)
        tensor.fill_(-1)
    assert resume()["tensor"].unique().tolist() == [2.0]


def test_without_one_nothing_is_changed() -> None:
    model, *_ = make()
    before = [parameter.clone() for parameter in model.parameters()]
    assert resume(model=model).step == -1
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize("harm", ["cut", "flip", "no record", "record of another"])
def test_a_broken_one_is_never_the_newest(folder: Path, harm: str) -> None:
    for step in range(2):
        checkpoint(step, value=torch.full((1000,), float(step)))
    finish()
    newest = folder / "step-0000000001.pt"
    data = bytearray(newest.read_bytes())
    if harm == "no record":
        (folder / "step-0000000001.pt.json").unlink()
    elif harm == "record of another":
        (folder / "step-0000000001.pt.json").write_text((folder / "step-0000000000.pt.json").read_text())
        newest.write_bytes(data + b"x")
    else:
        data[len(data) // 2] ^= 1
        newest.write_bytes(data[:-50] if harm == "cut" else data)
    assert resume().step == 0


def test_one_of_another_version_is_an_error_of_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr("choline_jupyter.training.checkpoints._FORMAT", 99)
        checkpoint(1, value=torch.ones(3))
        finish()
    with pytest.raises(ValueError, match="was written by another version of choline"):
        resume()


def test_only_the_last_stay(folder: Path) -> None:
    for step in range(6):
        checkpoint(step, value=step)
    finish()
    assert sorted(path.name for path in folder.glob("*.pt")) == [f"step-000000000{step}.pt" for step in (3, 4, 5)]


def test_previews_are_small_and_nothing_to_go_on_from(folder: Path) -> None:
    model, optimizer, _ = make()
    train(model, optimizer, torch.Generator())
    checkpoint(1, model=model, optimizer=optimizer)
    checkpoint(2, model=model, preview=True)
    finish()
    assert resume().step == 1
    saved = torch.load(folder / "preview-0000000002.pt", weights_only=True)
    assert saved["objects"]["model"]["0.weight"].dtype == torch.bfloat16


class _Odd:
    pass


@pytest.mark.parametrize(
    "value", [_Odd(), {"a": _Odd()}, [print], {_Odd(): 1}], ids=["object", "in", "function", "key"]
)
def test_what_could_not_be_loaded_again_is_refused_at_once(folder: Path, value: Any) -> None:
    with pytest.raises(TypeError, match="thing"):
        checkpoint(1, thing=value)
    finish()
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize("step", [-1, 1.0, True, "3"])
def test_a_step_is_a_number_from_0(step: Any) -> None:
    with pytest.raises(TypeError, match="step"):
        checkpoint(step, value=1)


def test_a_loss_that_is_nan_is_told_as_such(folder: Path) -> None:
    checkpoint(1, loss=torch.tensor(float("nan")), value=1)
    finish()
    assert json.loads((folder / "step-0000000001.pt.json").read_text())["loss"] == "nan"


def test_a_name_that_was_not_saved_is_an_error() -> None:
    checkpoint(1, model=torch.nn.Linear(1, 1))
    with pytest.raises(KeyError, match="optimizer"):
        resume(optimizer=torch.optim.SGD([torch.zeros(1)]))


def test_tied_weights_stay_one() -> None:
    weight = torch.randn(100, 100)
    checkpoint(1, tied={"a": weight, "b": weight})
    found = resume()["tied"]
    assert found["a"].data_ptr() == found["b"].data_ptr()


def test_a_full_disk_costs_this_checkpoint_and_not_the_training(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(1, value=torch.zeros(10))
    finish()
    code = f"""
import os, resource, signal, sys
sys.path.insert(0, {str(ROOT)!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import torch
from choline_jupyter import checkpoint, resume
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
checkpoint(2, value=torch.zeros(1_000_000))
print("goes on", resume().step)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "goes on 1\n"
    assert "the checkpoint of step 2 was not saved" in ran.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["step-0000000001.pt", "step-0000000001.pt.json"]


def test_without_an_agent_a_log_is_harmless() -> None:
    log(step=1, loss=0.5)
    log(loss=torch.tensor(0.5), accuracy=np.float32(0.1))
    with pytest.raises(TypeError, match="no number"):
        log(loss="low")
    with pytest.raises(TypeError, match="needs"):
        log()


def test_importing_it_brings_neither_torch_nor_ipython() -> None:
    code = "import choline_jupyter.training, sys; print({'torch', 'IPython', 'numpy'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout == "set()\n"
