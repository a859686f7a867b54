"""What became of a script's ranks, read from what each has left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from choline_jupyter.agent.torch_entry import GROUP
from choline_jupyter.agent.torch_script import TorchScript


def leave_error(folder: Path, rank: int, at: float, attempt: int = 0, **fact: Any) -> None:
    whole = {
        "attempt": str(attempt),
        "rank": rank,
        "at": at,
        "ename": "E",
        "evalue": "v",
        "traceback": "T\n",
        "bereft": False,
        "code": 1,
        **fact,
    }
    (folder / "ranks" / f"error-{attempt}-{rank}.json").write_text(json.dumps(whole))


def test_script_comes_behind_two_dashes(tmp_path: Path) -> None:
    command = TorchScript(tmp_path, 2).make_command("python", ["/a b/train.py", "--lr", "1"])
    assert command[command.index("--") + 2 :] == ["/a b/train.py", "--lr", "1"]
    assert Path(command[command.index("--") + 1]).read_text().startswith('"""What torchrun starts')


def test_restarts_do_not_read_old_keys(tmp_path: Path) -> None:
    environment = {"OMP_NUM_THREADS": "3"}
    TorchScript(tmp_path, 2).mark_environment(environment)
    assert environment["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] == "1"
    assert environment["OMP_NUM_THREADS"] == "3"


def test_first_cause_is_named(tmp_path: Path) -> None:
    script = TorchScript(tmp_path, 3)
    leave_error(tmp_path, 0, 1.0, bereft=True)
    leave_error(tmp_path, 2, 3.0)
    leave_error(tmp_path, 1, 2.0, code=5, ename="ValueError")
    code, said = script.conclude(1)
    assert code == 5
    assert said.startswith("T\ncholine: rank 1 failed first: ValueError: v\n")


def test_end_of_all_ranks_counts(tmp_path: Path) -> None:
    script = TorchScript(tmp_path, 2)
    for rank in (0, 1):
        (tmp_path / "ranks" / f"done-1-{rank}").touch()
    assert script.conclude(1) == (0, "")


def test_ends_of_different_attempts_do_not_add_up(tmp_path: Path) -> None:
    script = TorchScript(tmp_path, 2)
    for attempt, rank in ((0, 0), (1, 1)):
        (tmp_path / "ranks" / f"done-{attempt}-{rank}").touch()
    assert script.conclude(3)[0] == 3


def test_torchruns_last_words_where_nothing_else_is_known(tmp_path: Path) -> None:
    script = TorchScript(tmp_path, 2)
    script.log.write_text("a\nNo module named torch\n\n")
    assert script.conclude(1) == (1, "choline: torchrun ended with status 1: No module named torch\n")


def test_missing_torch_is_said(tmp_path: Path) -> None:
    """By an interpreter without any packages."""
    script = TorchScript(tmp_path, 2)
    python, *words = script.make_command(sys.executable, ["/a b/train.py"])
    with script.log.open("wb") as log:
        code = subprocess.run([python, "-S", "-I", *words], stderr=log, check=False).returncode
    assert script.conclude(code) == (
        1, "choline: torch is missing: a script on several ranks runs through its torchrun.\n",
    )  # fmt: skip


def test_rank_that_had_ended_is_named(tmp_path: Path) -> None:
    script = TorchScript(tmp_path, 3)
    leave_error(tmp_path, 0, 1.0, bereft=True, is_shown=True, attempt=2)
    (tmp_path / "ranks" / "done-2-1").touch()
    said = script.conclude(1)[1]
    assert "rank 0 failed first: E: v\n" in said
    assert "rank 1 had come to the script's end, and others still waited for it" in said


def test_one_of_several_nodes_is_not_started_again_by_torchrun(tmp_path: Path) -> None:
    group = {"attempt": 3, "node": 1, "nodes": 2, "first": 4, "world": 8, "address": "10.0.0.1", "port": 29}
    script = TorchScript(tmp_path, 4, group)
    command = script.make_command("python", ["train.py"])
    assert command[command.index("--max-restarts") + 1] == "0"
    environment: dict[str, str] = {}
    script.mark_environment(environment)
    assert json.loads(environment[GROUP]) == group
    assert "GLOO_SOCKET_IFNAME" not in environment
