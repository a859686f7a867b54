"""The image's torch and CUDA stay, whatever is asked for: a table of resolutions against the index's metadata, no downloads."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from choline_jupyter.agent import installation
from choline_jupyter.agent.interpreter import Interpreter
from choline_jupyter.agent.tool import run_tool
from choline_jupyter.model.environment import Target, choose_kept, is_kept
from choline_jupyter.model.requirement import read_requirement
from choline_jupyter.model.resolution import ask
from choline_jupyter.session.wheels import _resolve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

# As an image for CUDA 12.6 has it; builds of its own kind, which are on no index.
IMAGE = {
    "torch": "2.6.0+cu126", "torchvision": "0.21.0+cu126", "torchaudio": "2.6.0+cu126", "triton": "3.2.0",
    "nvidia-cublas-cu12": "12.6.4.1", "nvidia-cudnn-cu12": "9.5.1.17", "nvidia-nccl-cu12": "2.21.5",
    "numpy": "2.2.6", "filelock": "3.16.1", "typing-extensions": "4.12.2", "jinja2": "3.1.4", "networkx": "3.3",
    "fsspec": "2024.6.1", "sympy": "1.13.1", "mpmath": "1.3.0", "markupsafe": "2.1.5", "pillow": "11.0.0", "pip": "25.0",
}  # fmt: skip
KEPT = choose_kept(IMAGE, ["filelock", "sympy==1.13.1"])

TABLE = {
    "the same": (["torch==2.6.0"], set()),
    "below": (["torch==2.4.0", "einops"], {"einops"}),
    "above": (["torch>=2.12", "einops"], {"einops"}),
    "no such version": (["torch==99.0", "einops"], {"einops"}),
    "another CUDA": (["torch==2.6.0+cu118", "torchvision==0.21.0+cu118", "einops"], {"einops"}),
    "its parts": (["nvidia-cublas-cu12==12.1.3.1", "triton==3.0.0", "einops"], {"einops"}),
    "a part alone that wants another torch": (["torchvision==0.19.0", "einops"], {"einops"}),
    "a package that needs torch": (["accelerate==1.2.1"], {"accelerate", "safetensors", "psutil"}),
    "a package that pins another torch": (["xformers==0.0.28"], {"xformers"}),
    "an extra that needs torch": (["transformers[torch]==4.47.1"], {"transformers", "accelerate", "tokenizers"}),
    "an extra of torch": (["torch[opt-einsum]", "opt-einsum==3.4.0"], {"opt-einsum"}),
    "packages that need numpy": (["pandas==2.2.3", "numpy==1.26.4"], {"pandas", "numpy", "pytz"}),
}


@pytest.mark.parametrize("name", TABLE)
def test_wheels_from_the_client(name: str, tmp_path: Path) -> None:
    wishes, expected = TABLE[name]
    have = tuple("==".join(pair) for pair in IMAGE.items())
    target = Target("3.11", "x86_64", ("glibc", "2.36"), have, KEPT)
    check(_resolve(target, wishes, tmp_path), expected | {"ipykernel"})


@pytest.mark.parametrize("name", TABLE)
def test_on_the_machine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What uv is told to install there."""
    wishes, expected = TABLE[name]
    installed: list[str] = []

    async def note(*command: str, text: str = "", settings: Mapping[str, str] | None = None) -> str:
        if command[2] == "compile":
            return await run_tool(*command, text=text, settings=settings)
        installed.extend(Path(command[-1]).read_text().splitlines())
        return ""

    monkeypatch.setattr(installation, "run_tool", note)
    monkeypatch.setattr(installation, "find_uv", lambda: str(Path(sys.executable).parent / "uv"))
    below = Interpreter(sys.executable, sys.executable, "3.11.7", (), IMAGE, {"torch": ["filelock"]})
    order = installation.Order(tuple(wishes))
    asyncio.run(installation.install(sys.executable, below, order, lambda *told: None, refuse, ("glibc", "2.36")))
    check(installed, expected)


async def refuse(target: Target) -> list[Path]:
    raise AssertionError("the client is not needed")


def check(pins: list[str], expected: set[str]) -> None:
    names = {read_requirement(pin).name for pin in pins}
    assert expected <= names
    assert not [name for name in names if is_kept(name)]
    assert not names & ({"filelock", "jinja2", "fsspec"} - expected), "what was there and will do is there still"


def test_the_table_s_tool_is_here() -> None:
    assert shutil.which("uv", path=str(Path(sys.executable).parent))


def test_what_is_kept() -> None:
    assert set(KEPT) == {name for name in IMAGE if is_kept(name)}
    assert choose_kept({"numpy": "2", "nvidia-x": "1"}) == ()
    assert choose_kept({"numpy": "2", "torch": "2"}, ["NumPy>=1"]) == ("numpy", "torch")


def test_only_what_is_not_there_is_installed() -> None:
    assert ask(["b"], ["a==1+cpu", "b==1"], []).read("# a\na==1\nb==2\n\nc==3") == ["b==2", "c==3"]


def test_what_is_built_against_torch_comes_for_the_torch_that_is_there(tmp_path: Path) -> None:
    have = tuple("==".join(pair) for pair in IMAGE.items() if not pair[0].startswith("torch") or pair[0] == "torch")
    kept = tuple(name for name in KEPT if name not in ("torchvision", "torchaudio"))
    pins = _resolve(
        Target("3.11", "x86_64", ("glibc", "2.36"), have, kept), ["torchvision==0.20.0", "einops"], tmp_path
    )
    assert "torchvision==0.21.0" in pins
    assert [pin for pin in pins if is_kept(read_requirement(pin).name)] == ["torchvision==0.21.0"]
