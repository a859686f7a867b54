"""The command as a user runs it: a process of its own in a folder of its own, with standard streams."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.e2e.kernels.isolation import Isolation

PATIENCE = 50


class Ran(NamedTuple):
    """What a command left: its exit status and what it wrote."""

    status: int
    out: str
    err: str


class Terminal:
    """Runs commands in one user's folder; `close` ends what they have started and fails when a job outlived them."""

    def __init__(self) -> None:
        self.isolation = Isolation()

    @property
    def folder(self) -> Path:
        return self.isolation.folder

    def run(self, *arguments: str, text: str = "") -> Ran:
        """`choline ARGUMENTS` with `text` piped in, whose surrogates stand for bytes that are no text."""
        command = [sys.executable, "-m", "choline_jupyter", *arguments]
        ran = subprocess.run(
            command, input=text, env=self.isolation.environment, cwd=self.folder, capture_output=True,
            encoding="utf-8", errors="surrogateescape", timeout=PATIENCE, check=False,
        )  # fmt: skip
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def write(self, name: str, code: str) -> str:
        """A script in the user's folder; returns its name."""
        (self.folder / name).write_text(code)
        return name

    def close(self) -> None:
        self.run("stop", "--all", "--yes")
        self.isolation.close()
