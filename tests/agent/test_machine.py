"""The probe: what nvidia-smi says, when it says it, and what is there without it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from choline_jupyter.agent import machine

LINES = "NVIDIA H200, 143771, 4, 0, 570.86\nNVIDIA H200, 143771, 1024, 37, 570.86\n"


def put_program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """An `nvidia-smi` first in the PATH."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_gpus_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path, monkeypatch, f"printf '{LINES}'")
    gpus = asyncio.run(machine.find_gpus())
    assert [gpu["name"] for gpu in gpus] == ["NVIDIA H200"] * 2
    assert gpus[1] == {"name": "NVIDIA H200", "memory": 143771 << 20, "used": 1 << 30, "load": 37, "driver": "570.86"}


@pytest.mark.parametrize(
    "script",
    ["exit 9", "echo 'NVIDIA-SMI has failed'; exit 1", "echo; echo No devices were found", r"printf '\377\n'"],
)
def test_what_is_no_list_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    put_program(tmp_path, monkeypatch, script)
    assert asyncio.run(machine.find_gpus()) == []


def test_a_field_that_a_gpu_lacks_is_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path, monkeypatch, "echo 'GB10, [N/A], [N/A], [N/A], 580.1'")
    assert asyncio.run(machine.find_gpus()) == [{"name": "GB10", "memory": 0, "used": 0, "load": 0, "driver": "580.1"}]


def test_one_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path, monkeypatch, "exec sleep 600")
    monkeypatch.setattr(machine, "_PATIENCE", 0.2)
    assert asyncio.run(machine.find_gpus()) == []


def test_everything_of_this_machine() -> None:
    told = asyncio.run(machine.describe_machine())
    assert told["processors"] > 0
    assert told["memory"] > 1 << 28
    assert told["venv"] is True
