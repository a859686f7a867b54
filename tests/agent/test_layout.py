"""What a process sees that has entered a session's layout."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from choline_jupyter.agent.layout import Layouts
from tests.namespaces import needs_namespaces
from tests.source_tree import ROOT

pytestmark = needs_namespaces

LOOK = """
import json, os, sys
order = json.loads(sys.argv[1])
from choline_jupyter.agent.layout import enter_layout
enter_layout(order)
os.chdir(order["directory"])
print(json.dumps({path: sorted(os.listdir(path)) if os.path.isdir(path) else None for path in order["look"]}))
import decimal, mailbox  # of an interpreter that lies below what is hidden
open("made", "w").close()
"""


def enter(tmp_path: Path, root: Path, look: list[Path], **layout: object) -> dict[str, list[str] | None]:
    workspace = tmp_path / "agent/workspaces/s-1"
    for name in ("root", "scratch"):
        (workspace / name).mkdir(parents=True)
    fields = {"root": str(root), "real": str(workspace / "root"), "binds": True, "hidden": [], "kept": [], **layout}
    order = {
        "layout": fields,
        "workspace": str(workspace),
        "directory": str(root / "sub"),
        "look": [str(path) for path in look],
    }
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(order)], capture_output=True, text=True, check=False, cwd="/",
        env={"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "home/.cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (workspace / "root/sub/made").exists()
    found: dict[str, list[str] | None] = json.loads(done.stdout)
    return found


def test_a_folder_that_this_machine_does_not_have_leaves_no_trace(tmp_path: Path) -> None:
    root = Path("/Users/alice/project")
    found = enter(tmp_path, root, [root, Path("/usr")])
    assert found[str(root)] == ["sub"]
    assert found["/usr"] == sorted(path.name for path in Path("/usr").iterdir())
    assert not Path("/Users").exists()


def test_the_project_may_be_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".cache/choline/environments").mkdir(parents=True)
    (home / "tools/bin").mkdir(parents=True)
    (home / "own.txt").touch()
    found = enter(tmp_path, home, [home, home / ".cache/choline", home / "tools"], kept=[str(home / "tools")])
    assert found[str(home)] == [".cache", "sub", "tools"]
    assert found[str(home / ".cache/choline")] == ["environments"]
    assert found[str(home / "tools")] == ["bin"]


def test_what_is_hidden_looks_empty_but_for_what_is_kept(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "home/project"
    (root / "data").mkdir(parents=True)
    (home / "keys").touch()
    (home / "tools/bin").mkdir(parents=True)
    look = [home, root, home / "tools"]
    found = enter(tmp_path, root, look, hidden=[str(home), str(root)], kept=[str(home / "tools")])
    assert found[str(home)] == ["project", "tools"]
    assert found[str(root)] == ["sub"]
    assert found[str(home / "tools")] == ["bin"]


def test_a_workspace_that_is_taken_up_again_is_kept_for_the_whole_time(tmp_path: Path) -> None:
    """By an agent that knows nothing of its session, too: sandboxes share a volume."""
    layouts = Layouts(tmp_path)
    for session in ("s-old", "s-again"):
        (tmp_path / session / "root").mkdir(parents=True)
        os.utime(tmp_path / session, (0, 0))
    spec = {"shares": False, "files": {"root": str(tmp_path / "project")}}
    assert asyncio.run(layouts.settle("s-again", spec))
    Layouts(tmp_path).sweep(set())
    assert [folder.name for folder in tmp_path.iterdir()] == ["s-again"]
