"""Checkpoints whose writing is killed somewhere: after each the newest one is whole.

Used by test_kills.py for some places and by tests/faults/test_checkpoint_kills.py for a hundred.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from choline_jupyter.training.channel import Order
from choline_jupyter.training.checkpoints import EXACT, _write
from choline_jupyter.training.commit import find_newest
from tests.training.kill_points import count_stops, kill_at

KEPT = 2


def write(folder: Path, step: int) -> None:
    """One checkpoint, as the thread writes it."""
    state = {"value": torch.full((20_000,), float(step))}
    record: dict[str, Any] = {
        "step": step,
        "epoch": None,
        "at": time.time(),
        "preview": False,
        "loss": None,
        "metrics": {},
    }
    _write(Order(folder, "", KEPT), {"format": 1, "step": step, "epoch": None, "objects": state, "rng": {}}, record)


def kill_everywhere(tmp_path: Path, tries: int) -> Iterator[tuple[int, int]]:
    """Kill the writing of step 3 at so many places, evenly spread; gives each place and the step that is the newest then."""
    torch.set_num_threads(1)
    before = tmp_path / "before"
    for step in range(3):
        write(before, step)
    shutil.copytree(before, tmp_path / "dry")
    stops = count_stops(lambda: write(tmp_path / "dry", 3))
    for place in sorted({1 + number * (stops - 1) // max(1, tries - 1) for number in range(tries)}):
        folder = tmp_path / f"killed-{place}"
        shutil.copytree(before, folder)
        assert kill_at(place, lambda at=folder: write(at, 3))  # type: ignore[misc]  # mypy does not see the default's type
        newest = find_newest(folder, EXACT)
        assert newest is not None
        step = torch.load(newest.path, weights_only=True)["step"]
        assert newest.record["step"] == step
        write(folder, 4)  # and what was left does not disturb the next one
        assert find_newest(folder, EXACT) is not None
        assert not list(folder.glob(".*0004*.part"))
        yield place, step
