"""What a script takes of its machine: counted by the system, and read from nvidia-smi, here a program that prints like it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from choline_jupyter.agent.script_usage import ScriptUsage, read_gpus

PRINTED = (
    "0, 1000, 81559, 80, 300.50\n1, 20, 81559, 0, [N/A]\n0, 3000, 81559, 100, 500.50\n1, 20, 81559, 0, [N/A]\n0, 30"
)
GPUS = [
    {"index": 0, "memory": 3000 << 20, "total": 81559 << 20, "busy": 0.9, "power": 400.5},
    {"index": 1, "memory": 20 << 20, "total": 81559 << 20, "busy": 0.0},
]


def test_gpus_are_read_as_they_are_printed() -> None:
    assert read_gpus(PRINTED) == GPUS
    assert read_gpus("No devices were found\n") == []
    assert read_gpus("") == []


def test_a_script_is_measured_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: the children of this one are counted, too."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{PRINTED}'\necho > {tmp_path}/printed\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    work = "x = bytearray(80 << 20)\nfor _ in range(200_000): pass"
    code = (
        "import json, os, subprocess, sys, time, pathlib\n"
        "from choline_jupyter.agent.script_usage import ScriptUsage\n"
        "usage = ScriptUsage(pathlib.Path(sys.argv[1]))\n"
        "usage.begin(dict(os.environ))\n"
        f"subprocess.run([sys.executable, '-c', {work!r}], check=True)\n"
        "while not pathlib.Path(sys.argv[1], 'printed').exists(): time.sleep(0.01)\n"
        "print(usage._looker.pid, json.dumps(usage.end()))\n"
    )
    told = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True).stdout
    pid, _, fact = told.partition(" ")
    assert not psutil.pid_exists(int(pid))
    measured = json.loads(fact)
    assert measured["gpus"] == GPUS
    assert measured["memory"] > 80 << 20
    assert 0 < measured["cpu"] < 64
    assert not (tmp_path / "gpus.csv").exists()


def test_without_a_gpu_the_rest_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    usage = ScriptUsage(tmp_path)
    usage.begin({})
    assert set(usage.end()) == {"seconds", "memory", "cpu"}
