"""A script on several ranks goes through torchrun: what fails is named, what dies is started again, nothing is left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.kernels.isolation import Isolation

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SCRIPT = """
import argparse, os, sys
import torch
import torch.distributed as dist

parser = argparse.ArgumentParser()
parser.add_argument("--log")
parser.add_argument("--fail", default="")
options = parser.parse_args()
dist.init_process_group("gloo")
rank, attempt = dist.get_rank(), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
torch.manual_seed(0)
weight = torch.zeros(1)
for step in range(4):
    dist.all_reduce(gradient := torch.rand(1))
    weight -= gradient
    if step == 2 and rank == 1 and options.fail == "raise":
        raise ValueError("boom")
    if step == 2 and rank == 1 and options.fail == "exit":
        sys.exit(3)
    if step == 2 and rank == 1 and options.fail == "end":
        sys.exit()
    if step == 2 and rank == 1 and options.fail == "kill" and attempt == 0:
        os.kill(os.getpid(), 9)
print("rank", rank, "log", options.log, "attempt", attempt, "weight", weight.item().hex(), flush=True)
"""


@pytest.fixture(scope="module")
def isolation() -> Iterator[Isolation]:
    """A user with a script whose path has spaces; fails at the end if something of theirs still runs."""
    made = Isolation()
    folder = made.folder / "my runs"
    folder.mkdir()
    (folder / "train it.py").write_text(SCRIPT)
    yield made
    made.close()


def run(isolation: Isolation, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "choline_jupyter", "my runs/train it.py", "--ranks", "2", "--"]
    return subprocess.run(
        [*command, "--log", "x", *arguments],
        capture_output=True,
        text=True,
        env=isolation.environment,
        cwd=isolation.folder,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.faults
def test_killed_rank_is_started_again_and_the_end_is_the_same(isolation: Isolation) -> None:
    """An option that torchrun has, too, is the script's."""
    plain, killed = run(isolation), run(isolation, "--fail", "kill")
    assert (plain.returncode, killed.returncode) == (0, 0), plain.stderr + killed.stderr
    assert plain.stdout.startswith("rank 0 log x attempt 0 weight ")
    assert killed.stdout.splitlines()[-1] == plain.stdout.strip().replace("attempt 0", "attempt 1")


def test_rank_that_fails_is_named_and_not_tried_again(isolation: Isolation) -> None:
    failed = run(isolation, "--fail", "raise")
    assert failed.returncode == 1
    assert 'raise ValueError("boom")' in failed.stderr
    assert "choline: rank 1 failed first: ValueError: boom\n" in failed.stderr
    assert failed.stdout == ""
    assert not [process for process in isolation.find_processes() if "entry.py" in " ".join(process.cmdline())]


def test_exit_status_of_a_rank_is_the_scripts(isolation: Isolation) -> None:
    failed = run(isolation, "--fail", "exit")
    assert failed.returncode == 3
    assert "choline: rank 1 failed first: SystemExit: 3\n" in failed.stderr


@pytest.mark.faults
def test_rank_that_is_done_before_the_others_is_named(isolation: Isolation) -> None:
    """An uneven last batch."""
    failed = run(isolation, "--fail", "end")
    assert failed.returncode == 1
    assert "choline: rank 1 had come to the script's end, and others still waited for it" in failed.stderr
    assert not [process for process in isolation.find_processes() if "entry.py" in " ".join(process.cmdline())]
