"""A script that trains: its checkpoints are home when it ends, and another run goes on from them."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.terminal import Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SCRIPT = """
import os, sys
import torch
from choline_jupyter import checkpoint, log, resume
value = torch.zeros(3)
found = resume()
for step in range(found.step + 1, 4):
    print("epoch %d/4 loss %.2f" % (step, 4 - step), flush=True)
    checkpoint(step, loss=float(4 - step), value=value)
    if step == int(sys.argv[1]):
        raise SystemExit(3)
"""


def test_a_script_goes_on_where_it_ended(terminal: Terminal) -> None:
    script = terminal.write("train.py", SCRIPT)
    first = terminal.run(script, "--", "1")
    assert (first.status, first.out) == (3, "epoch 0/4 loss 4.00\nepoch 1/4 loss 3.00\n")
    listed = terminal.run("runs").out
    [job] = re.findall(r"^(j-\S+)", listed, re.MULTILINE)
    assert "train.py" in listed
    assert "step 1" in listed
    record = json.loads((terminal.folder / f"checkpoints/{job}/step-0000000001.pt.json").read_text())
    assert (record["job"], record["loss"]) == (job, 3.0)
    second = terminal.run(script, "--resume", job, "--", "9")
    assert (second.status, second.out) == (0, "epoch 2/4 loss 2.00\nepoch 3/4 loss 1.00\n")
    assert "step-0000000003.pt" in terminal.run("checkpoints", job).out
    assert "epoch" not in terminal.run("status").out  # nothing runs


def test_what_cannot_be_resumed_is_said(terminal: Terminal) -> None:
    script = terminal.write("train.py", SCRIPT)
    assert "There is no job 'j-none'" in terminal.run(script, "--resume", "j-none").err
    assert terminal.run("checkpoints", "../..").err.startswith("'../..' is no job.")
    assert "choline SCRIPT.py --resume j-none" in terminal.run("resume", "j-none").err
