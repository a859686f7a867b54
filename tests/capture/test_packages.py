"""Which packages a cell needs elsewhere: those of this interpreter, and distributions that the tests write."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from choline_jupyter.capture.distributions import Inventory, take_inventory
from choline_jupyter.capture.packages import Packages, find_packages

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write an installed distribution that this interpreter finds."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def make(
        name: str, *files: str, needs: str = "", url: dict[str, object] | None = None, number: str = "1.0"
    ) -> Path:
        info = site / f"{name.replace('-', '_')}-{number}.dist-info"
        info.mkdir()
        requires = "".join(f"Requires-Dist: {need}\n" for need in needs.splitlines())
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n{requires}")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        for file in files:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).touch()
        if url:
            (info / "direct_url.json").write_text(json.dumps(url))
        return site

    return make


def pin(name: str) -> str:
    return f"{name}=={version(name).partition('+')[0]}"


def test_modules_are_distributions_of_this_interpreter() -> None:
    found = find_packages(["import os, pandas as pd\nfrom PIL import Image\nimport torch.nn as nn"], {})
    assert found == Packages((pin("pandas"), pin("pillow"), pin("torch")))


def test_names_that_are_read_count_as_what_they_are_here() -> None:
    namespace = {"np": np, "values": [np.zeros(1)], "unread": pytest, "n": 3, "Path": Path}
    assert find_packages(["np.sum(1), n, Path"], namespace).requirements == (pin("numpy"),)
    assert find_packages(["values, n"], namespace).requirements == (pin("numpy"),)


def test_what_every_kernel_brings_is_not_asked_for() -> None:
    assert find_packages(["import IPython, ipykernel, zmq, choline_jupyter, sys, __main__"], {}) == Packages()


def test_unknown_modules_are_reported_unless_they_are_optional() -> None:
    found = find_packages(
        ["import choline_nowhere.deep\ntry:\n    import choline_maybe\nexcept ImportError:\n    pass"], {}
    )
    assert found == Packages(unknown=("choline_nowhere",))


def test_the_user_s_own_modules_are_no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "choline_mine.py").touch()
    (tmp_path / "choline_portion").mkdir()
    assert find_packages(["import choline_mine, choline_portion.part"], {}).local == ("choline_mine", "choline_portion")


def test_a_namespace_that_several_share_is_told_apart(write: Write) -> None:
    write("shared-one", "shared/one/__init__.py")
    write("shared-two", "shared/two.py")
    assert find_packages(["import shared.two"], {}).requirements == ("shared-two==1.0",)
    assert find_packages(["from shared import one"], {}).requirements == ("shared-one==1.0",)


def test_a_build_s_own_tag_is_left_out(write: Write) -> None:
    write("tagged", "tagged.py", number="2.1+cpu")
    assert find_packages(["import tagged"], {}).requirements == ("tagged==2.1",)


def test_of_an_editable_install_only_what_it_needs(write: Write, tmp_path: Path) -> None:
    home = tmp_path / "project"
    home.mkdir()
    (home / "edited.py").touch()
    url = {"url": home.as_uri(), "dir_info": {"editable": True}}
    needs = "numpy>=1\nnot-here>=2\nwindows-only ; sys_platform == 'win32'\nhypothesis ; extra == 'test'"
    site = write("edited", "__editable__.edited.pth", needs=needs, url=url)
    (site / "__editable__.edited.pth").write_text(str(home))
    sys.path.append(str(home))
    try:
        found = find_packages(["import edited"], {})
    finally:
        sys.path.remove(str(home))
    assert found.requirements == ("not-here>=2", pin("numpy"))


def test_where_it_was_installed_from(write: Write) -> None:
    write("wheeled", "wheeled.py", url={"url": "file:///somewhere/wheeled-1.0-py3-none-any.whl", "archive_info": {}})
    commit = {"vcs": "git", "commit_id": "abc"}
    write("cloned", "cloned.py", url={"url": "https://anna:secret@host.example/cloned", "vcs_info": commit})
    assert find_packages(["import wheeled, cloned"], {}).requirements == (
        "cloned @ git+https://host.example/cloned@abc",
        "wheeled @ file:///somewhere/wheeled-1.0-py3-none-any.whl",
    )


def test_lines_of_pip_say_versions_and_extras(write: Write) -> None:
    write("lined", "lined.py")
    assert find_packages(["import lined"], {}, ["%pip install lined[fast]"]).requirements == ("lined[fast]==1.0",)
    assert find_packages(["%pip install lined==3\nimport lined"], {}).requirements == ("lined==3",)
    assert find_packages(["%pip install lined\nimport lined"], {}).requirements == ("lined==1.0",)
    assert find_packages(["%pip install absent-here"], {}).requirements == ("absent-here",)


def test_an_inventory_is_taken_again_when_something_was_installed(write: Write) -> None:
    site = write("before", "before.py")
    first = take_inventory()
    assert take_inventory() is first
    (site / "after-1.dist-info").mkdir()
    assert take_inventory() is not first


def test_a_damaged_distribution_does_not_spoil_the_rest(write: Write) -> None:
    site = write("whole", "whole.py")
    (site / "broken-1.dist-info").mkdir()
    (site / "whole-1.0.dist-info" / "direct_url.json").write_text("{")
    assert Inventory.take().by_name["whole"].version == "1.0"
