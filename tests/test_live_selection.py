"""Tests that cost money are never run unless they are asked for, and then only with credentials and a budget."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.source_tree import ROOT

KEYS = ("VAST_API_KEY", "LAMBDA_API_KEY", "RUNPOD_API_KEY", "MODAL_TOKEN_ID", "CHOLINE_LIVE_BUDGET")


@pytest.mark.parametrize(
    ("options", "environment", "told"),
    [
        ((), {"RUNPOD_API_KEY": "x", "CHOLINE_LIVE_BUDGET": "1"}, "1 deselected"),
        (("-m", "live"), {"RUNPOD_API_KEY": "x", "CHOLINE_LIVE_BUDGET": "1"}, "goes[runpod]"),
    ],
)
def test_they_wait_to_be_asked_for(options: tuple[str, ...], environment: dict[str, str], told: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in (*KEYS, "CHOLINE_FAKE_CLOUD")}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *options, "tests/live"]
    home = {"HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"}
    ran = subprocess.run(
        command, cwd=ROOT, env={**kept, **home, **environment}, capture_output=True, text=True, check=False
    )
    assert told in ran.stdout, ran.stdout + ran.stderr
