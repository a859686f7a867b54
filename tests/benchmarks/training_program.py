"""A small GPT that is trained for a while, as a program of its own on one core; what it measures goes out as JSON.

Started by test_checkpoints.py: `python training_program.py ACT FOLDER`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.agent.layout import Layout
from choline_jupyter.agent.training_feed import TrainingFeed
from choline_jupyter.agent.workspace import Workspace
from choline_jupyter.training import checkpoint, finish

WIDTH, LAYERS, WORDS = 384, 4, 8192
ROUNDS = 3
JOB = "j-0000000-00000000"


class Model(nn.Module):
    """A transformer's encoder between an embedding and a head that are tied."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, 8, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.layers(self.embedding(words)))
        return found


class Training:
    """The model, its AdamW and words as frequent as in a language (Zipf)."""

    def __init__(self, rate: float) -> None:
        torch.manual_seed(0)
        self.model = Model()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=rate)
        self._words = torch.multinomial(1 / torch.arange(1, WORDS + 1), 400 * 33, replacement=True).reshape(400, 33)

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            words = self._words[torch.randint(0, len(self._words), (8,))]
            logits = self.model(words[:, :-1]).flatten(0, 1)
            loss = nn.functional.cross_entropy(logits, words[:, 1:].flatten())
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch types it in part
            self.optimizer.step()

    def save(self, path: Path) -> None:
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, path)

    def save_preview(self, path: Path) -> None:
        shrunk = {name: value.to(torch.bfloat16) for name, value in self.model.state_dict().items()}
        torch.save({"model": shrunk}, path)


def make_files(folder: Path) -> dict[str, Any]:
    """Checkpoints 1 and 10 steps apart: of the beginning of a training, and of the fine-tuning of what came of it."""
    training = Training(3e-4)
    for kind, rate, warm_up in (("pre-training", 3e-4, 30), ("fine-tuning", 1e-5, 10)):
        for group in training.optimizer.param_groups:
            group["lr"] = rate
        training.step(warm_up)
        for name, steps in (("0", 0), ("1", 1), ("10", 9)):
            training.step(steps)
            training.save(folder / f"{kind}-{name}.pt")
            training.save_preview(folder / f"{kind}-{name}-preview.pt")
    return {}


def time_checkpoints(folder: Path) -> dict[str, Any]:
    """How long `checkpoint` holds the loop up, and how long `torch.save` of the same does, in turn."""
    os.chdir(folder)
    training = Training(3e-4)
    training.step(2)
    ours, theirs = [], []
    for number in range(ROUNDS + 1):
        training.step()
        ours.append(_time(lambda: checkpoint(number, model=training.model, optimizer=training.optimizer)))  # noqa: B023 - called at once
        finish()
        theirs.append(_time(lambda: training.save(folder / "plain.pt")))
    return {"checkpoint": ours[1:], "save": theirs[1:], "first": ours[0]}


def time_saves(folder: Path) -> dict[str, Any]:
    """Plain `torch.save` and the steps between, alone and where what is saved is noticed, copied and coded."""
    training = Training(3e-4)
    training.step(2)
    found: dict[str, Any] = {"save": [], "steps": []}
    for number in range(ROUNDS + 1):
        start = time.perf_counter()
        training.step(10)
        middle = time.perf_counter()
        training.save(folder / "project/model.pt")
        if number:
            found["steps"].append(middle - start)
            found["save"].append(time.perf_counter() - middle)
    return found


def begin_feed(folder: Path) -> TrainingFeed:
    """What a kernel has besides: the thread that sees to checkpoints."""
    root = str(folder / "project")
    workspace = Workspace(Layout(root, root, False, (), ()), folder / "files.json", folder / "blobs", folder)
    feed = TrainingFeed(JournalWriter(folder, 0), folder, folder / "blobs", workspace)
    os.environ.update(feed.begin(JOB, 1, {"name": JOB, "codecs": ["zstd", "deflate"]}))
    return feed


def _time(act: Any) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def main(act: str, folder: Path) -> None:
    torch.set_num_threads(1)
    if act == "files":
        print(json.dumps(make_files(folder)))
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    (folder / "project").mkdir(exist_ok=True)
    feed = begin_feed(folder) if act == "noticed" else None
    print(json.dumps(time_checkpoints(folder) if act == "checkpoints" else time_saves(folder)))
    if feed:
        feed.finish()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
