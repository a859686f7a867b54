"""Checkpoints of AdamW: how many bytes travel, how fast they are coded, and how long the training waits."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.store.difference import list_codecs, read_difference, write_difference
from choline_jupyter.store.tensor_map import list_spans, pair_spans
from tests.benchmarks.report import Goal, Report, Row, Unit
from tests.benchmarks.samples import Samples, choose
from tests.source_tree import ROOT

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "Checkpoints"
SHARE, RATE = Unit("of the file", 1.0), Unit("MB/s", 1.0)
PROGRAM = Path(__file__).with_name("training_program.py")
GOALS = {"pre-training": (0.73, 0.05), "fine-tuning": (0.68, 0.015)}


def run(act: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, str(PROGRAM), act, str(folder)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    run("files", folder)
    return folder


def code(new: Path, old: Path) -> tuple[bytes, float]:
    """The difference and the seconds of this process that it took."""
    out, start = io.BytesIO(), time.process_time()
    write_difference(new, old, pair_spans(list_spans(new), list_spans(old)), list_codecs()[0], out.write)
    return out.getvalue(), time.process_time() - start


def count_rsync(new: Path, old: Path, scratch: Path) -> float:
    """What rsync sends of a file whose version before is there, as a share."""
    target = scratch / "target.pt"
    shutil.copyfile(old, target)
    command = ["rsync", "--no-whole-file", "--ignore-times", "--stats", str(new), str(target)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    match = re.search(r"Literal data: ([\d,]+)", told)
    assert match
    return int(match[1].replace(",", "")) / new.stat().st_size


def make_samples(*values: float) -> Samples:
    found = Samples()
    for value in values:
        found.add(value)
    return found


@pytest.mark.parametrize("kind", sorted(GOALS))
def test_bytes_of_a_checkpoint(kind: str, files: Path, tmp_path: Path, report: Report) -> None:
    exact, preview = GOALS[kind]
    rates, back = Samples(), Samples()
    old, size = files / f"{kind}-0.pt", 0
    for steps in ("1", "10"):
        new = files / f"{kind}-{steps}.pt"
        size = new.stat().st_size
        for _ in range(choose(3, 1)):
            data, seconds = code(new, old)
            rates.add(size / seconds / 1e6)
            start = time.process_time()
            assert b"".join(read_difference(io.BytesIO(data).read, old, size)) == new.read_bytes()
            back.add(size / (time.process_time() - start) / 1e6)
        share, peer = make_samples(len(data) / size), make_samples(count_rsync(new, old, tmp_path))
        small = code(files / f"{kind}-{steps}-preview.pt", files / f"{kind}-0-preview.pt")[0]
        apart = f"{kind}, {steps} {'step' if steps == '1' else 'steps'} apart"
        report.add(
            SECTION,
            Row(f"{apart}: bytes sent", share, peer, "rsync", Goal(exact), SHARE),
            Row(f"{apart}: preview in bfloat16", make_samples(len(small) / size), goal=Goal(preview), unit=SHARE),
        )
    what = f"{kind}, {size / 1e6:.0f} MB"
    report.add(
        SECTION,
        Row(f"{what}: coding on one core, {list_codecs()[0]}", rates, goal=Goal(200, is_least=True), unit=RATE),
        Row(f"{what}: decoding and checking", back, unit=RATE),
    )


def test_how_long_the_training_waits(tmp_path: Path, report: Report) -> None:
    told = run("checkpoints", tmp_path)
    ours, theirs = make_samples(*told["checkpoint"]), make_samples(*told["save"])
    first = make_samples(told["first"])
    report.add(
        SECTION,
        Row("`checkpoint()` holds the loop up, one core", ours, theirs, "`torch.save`", Goal(0.25)),
        Row("the first one, which takes the memory", first, theirs, "`torch.save`"),
    )


def test_plain_saves_are_not_slower(tmp_path: Path, report: Report) -> None:
    found: dict[str, dict[str, Samples]] = {}
    for number in range(choose(3, 1)):
        for act in ("alone", "noticed"):
            folder = tmp_path / f"{act}{number}"
            folder.mkdir()
            for quantity, values in run(act, folder).items():
                for value in values:
                    found.setdefault(act, {}).setdefault(quantity, Samples()).add(value)
            shutil.rmtree(folder)
    alone, noticed = found["alone"], found["noticed"]
    report.add(
        SECTION,
        Row("`torch.save` that is noticed, one core", noticed["save"], alone["save"], "alone", Goal(1.05)),
        Row("10 steps between the saves", noticed["steps"], alone["steps"], "alone"),
    )
