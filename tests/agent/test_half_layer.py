"""An agent that is killed while it installs: the next one finds no package that is there in part."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from choline_jupyter.agent.environment import Environments
from choline_jupyter.agent.installation import Order
from choline_jupyter.agent.interpreter import Interpreter, probe_interpreter
from choline_jupyter.agent.layer import find_site, is_used, make_layer, mend_layer, undertake
from tests.source_tree import ROOT

WAIT = """
import os, sys
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
os.read(os.pipe()[0], 1)
"""
RUN = """
import asyncio, sys
from choline_jupyter.agent.tool import run_tool
asyncio.run(run_tool(sys.executable, "-c", *sys.argv[1:]))
"""


def probe() -> Interpreter:
    found = asyncio.run(probe_interpreter(sys.executable, ["ipykernel"]))
    assert found
    return found


def put_package(folder: Path, name: str, content: str) -> Path:
    """A package as an installer leaves it; gives its module."""
    site = Path(find_site(folder))
    (site / f"{name}.py").write_text(content)
    (site / f"{name}-1.0.dist-info").mkdir()
    (site / f"{name}-1.0.dist-info/METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    rows = [f"{name}.py,sha256=x,{len(content)}", f"{name}-1.0.dist-info/METADATA,,", f"{name}-1.0.dist-info/RECORD,,"]
    (site / f"{name}-1.0.dist-info/RECORD").write_text("\n".join(rows))
    return site / f"{name}.py"


def test_what_is_there_in_part_counts_as_missing(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    make_layer(layer, probe())
    put_package(layer, "whole", "A = 1\n")
    gone, cut = put_package(layer, "gone", "B = 2\n"), put_package(layer, "cut", "C = 3\n")
    with pytest.raises(KeyboardInterrupt), undertake(layer):
        raise KeyboardInterrupt  # as good as a kill: nothing behind it runs
    gone.unlink()
    cut.write_text("C =")
    mend_layer(layer)
    assert [path.name for path in Path(find_site(layer)).glob("*.dist-info")] == ["whole-1.0.dist-info"]


def test_a_layer_that_nobody_was_working_on_is_left_alone(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    make_layer(layer, probe())
    put_package(layer, "gone", "B = 2\n").unlink()
    with undertake(layer):
        pass
    mend_layer(layer)
    mend_layer(tmp_path / "nowhere")
    assert is_used(layer)


def test_a_layer_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, chmod = tmp_path / "layer", Path.chmod

    def fail(path: Path, mode: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "chmod", fail)
    with pytest.raises(KeyboardInterrupt):
        make_layer(layer, probe())
    assert not layer.exists()
    monkeypatch.setattr(Path, "chmod", chmod)
    assert make_layer(layer, probe()).exists()


def test_an_installer_ends_with_the_agent_that_waits_for_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    agent = subprocess.Popen([sys.executable, "-c", RUN, WAIT, str(note)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    while not note.exists():
        assert agent.poll() is None
    installer = psutil.Process(int(note.read_text()))
    agent.send_signal(signal.SIGKILL)
    agent.wait()
    psutil.wait_procs([installer], timeout=20)
    assert not installer.is_running() or installer.status() == psutil.STATUS_ZOMBIE


def test_what_was_half_done_is_done_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For real: a package is installed, damaged as by a kill, and asked for again."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.defpath}")
    environments, layer = Environments(), tmp_path / "layer"

    async def bring(target: object) -> list[Path]:
        raise AssertionError(target)

    def add() -> bool:
        order = Order(("einops==0.8.0",), True)
        return asyncio.run(environments.add(sys.executable, layer, order, lambda state, stage: None, bring, False))

    assert add()
    module = Path(find_site(layer), "einops/einops.py")
    whole = module.read_text()
    module.unlink()  # it may be a link into uv's cache
    module.write_text(whole[:100])
    assert not add()  # nobody was killed: what the user has done to it is the user's
    (layer / "installing").touch()
    assert add()
    assert module.read_text() == whole
    assert not (layer / "installing").exists()
