"""Kernel specs for the kernels of these tests: any interpreter that has ipykernel."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def write_kernelspec(folder: Path, python: str) -> str:
    """Write a spec that starts ipykernel with `python`; returns the spec's name."""
    argv = [python, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    name = "tested-" + hashlib.sha256(python.encode()).hexdigest()[:8]
    directory = folder / name
    directory.mkdir(exist_ok=True)
    spec = {"argv": argv, "display_name": name, "language": "python", "interrupt_mode": "signal"}
    (directory / "kernel.json").write_text(json.dumps(spec))
    return name
