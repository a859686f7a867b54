"""A kernel takes a layer of packages: before those that are shared, for itself and for what it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, os, sys
sys.path.insert(0, {root!r})
from choline_jupyter.agent.kernel.layer import activate_layer, take_site
sys.path.append({shared!r})
import some_loaded
{act}
import some_new, some_linked
print(json.dumps({{"new": some_new.__file__, "stale": stale, "path": sys.path, "prefix": sys.prefix,
                   "executable": sys.executable, "environment": dict(os.environ)}}))
"""
ROOT = str(Path(__file__).resolve().parents[3])


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """With a module that is new, one that is loaded already from elsewhere, and one by way of a `.pth` file."""
    site = tmp_path / "layer" / "lib" / "python3.0" / "site-packages"
    for folder in (site, tmp_path / "linked", tmp_path / "shared" / "site-packages"):
        folder.mkdir(parents=True)
    for path in (site / "some_new.py", site / "some_loaded.py", tmp_path / "linked" / "some_linked.py"):
        path.touch()
    for name in ("some_loaded", "some_new"):
        (tmp_path / "shared" / "site-packages" / f"{name}.py").touch()
    (site / "linked.pth").write_text(str(tmp_path / "linked"))
    (site / "_choline_below.pth").write_text("import nonsense_that_is_not_run")
    return site


def run(act: str, layer: Path, **more: str) -> dict[str, Any]:
    shared = str(layer.parents[3] / "shared" / "site-packages")
    code = PROGRAM.format(root=ROOT, shared=shared, act=act)
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **more}
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["new"] == str(layer / "some_new.py")
    assert told["path"].index(str(layer)) < told["path"].index(shared)
    return told


def test_of_an_interpreter_that_is_somebody_s_own(layer: Path) -> None:
    told = run(f"stale = take_site({str(layer)!r}); take_site({str(layer)!r})", layer, PYTHONPATH="/elsewhere")
    assert told["stale"] == ["some_loaded"]
    assert told["executable"] == sys.executable
    assert told["environment"]["PYTHONPATH"] == f"{layer}:/elsewhere"


def test_of_an_environment_that_was_made_here(layer: Path) -> None:
    folder = layer.parents[2]
    told = run(f"stale = activate_layer({str(folder)!r})", layer)
    assert (told["prefix"], told["executable"]) == (str(folder), f"{folder}/bin/python")
    assert told["environment"]["VIRTUAL_ENV"] == str(folder)
    assert told["environment"]["PATH"].startswith(f"{folder}/bin:")
    assert str(layer) not in told["environment"].get("PYTHONPATH", "")
