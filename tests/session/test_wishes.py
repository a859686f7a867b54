"""What `--env` names: every kind of file, and what is wrong with one in a sentence."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.errors import RequestError
from choline_jupyter.session.wishes import Wishes, read_block, read_wishes

BLOCK = """#!/usr/bin/env python3
# /// script
# requires-python = ">=3.9"
# dependencies = [
#   "requests<3",
#   "rich",
# ]
# ///
import requests
"""
LOCK = """version = 1
requires-python = ">=3.9"

[[package]]
name = "tabulate"
version = "0.9.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "mine"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "tabulate" }]

[package.metadata]
requires-dist = [{ name = "tabulate" }]
"""


def read(folder: Path, name: str, text: str) -> Wishes:
    (folder / name).write_text(text)
    return read_wishes(str(folder / name))


def test_requirements(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("rich[jupyter]")
    text = (
        "# what\n-r more.txt\n--extra-index-url https://host.example\nnumpy >=2  # why\na==1 \\\n    --hash=sha256:ab\n"
    )
    assert read(tmp_path, "requirements.txt", text).packages == ("rich[jupyter]", "numpy>=2", "a==1")


def test_a_project(tmp_path: Path) -> None:
    text = '[project]\nname = "a"\ndependencies = ["numpy>=2"]\nrequires-python = ">=3.99"'
    assert read(tmp_path, "pyproject.toml", text) == Wishes(("numpy>=2",), ">=3.99")
    assert read(tmp_path, "pyproject.toml", '[project]\nname = "a"\ndynamic = ["dependencies"]').notices


def test_a_script(tmp_path: Path) -> None:
    assert read(tmp_path, "script.py", BLOCK) == Wishes(("requests<3", "rich"))
    assert read_block("import requests") is None


def test_conda_s_file(tmp_path: Path) -> None:
    text = (
        "name: a\nchannels: [conda-forge]\ndependencies:\n  - python=3.12\n  - conda-forge::numpy=2.1\n  - pandas>=2\n"
        "  - matplotlib=3.9.0=py311_0\n  - cudatoolkit=11.8\n  - pip\n  - pip:\n    - einops==0.8\n"
    )
    found = read(tmp_path, "environment.yml", text)
    assert found.packages == ("numpy==2.1.*", "pandas>=2", "matplotlib==3.9.0", "einops==0.8")
    assert found.version == "3.12"
    assert found.notices == ("cudatoolkit: conda's own names, not installed there.",)
    assert np.__version__


def test_uv_s_lock_file(tmp_path: Path) -> None:
    project = '[project]\nname = "mine"\nversion = "0.1.0"\nrequires-python = ">=3.9"\ndependencies = ["tabulate"]'
    (tmp_path / "pyproject.toml").write_text(project)
    assert read(tmp_path, "uv.lock", LOCK).packages == ("tabulate==0.9.0",)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("requirements.txt", "-e .", "is not a package"),
        ("requirements.txt", "-r absent.txt", "cannot be read"),
        ("requirements.txt", "-r requirements.txt", "is not a package"),
        ("requirements.txt", "a b c", "'a b c' is not a package"),
        ("pyproject.toml", "[tool]", r"has no \[project\]"),
        ("pyproject.toml", "[", "cannot be read"),
        ("environment.yml", "a: [", "cannot be read"),
        ("environment.yml", "- a", "has no dependencies"),
        ("script.py", "import a", "has no PEP 723 block"),
        ("script.py", BLOCK + BLOCK, "has no PEP 723 block"),
        ("uv.lock", "nonsense", "cannot be read"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, name: str, text: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        read(tmp_path, name, text)
    assert caught.value.hint
    assert len(caught.value.message) < 600


def test_this_python_is_taken_unless_it_is_ruled_out(tmp_path: Path) -> None:
    this = "%d.%d" % sys.version_info[:2]
    text = '[project]\nname = "a"\ndependencies = []\nrequires-python = "{}"'
    assert read(tmp_path, "pyproject.toml", text.format(f">={this}")).version == ""
    assert read(tmp_path, "pyproject.toml", text.format(f"!={this}.*")).version == f"!={this}.*"


@given(st.text())
def test_any_script_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        read_block(text)
