"""Which of the files that are needed go along, and what is said of those that do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from choline_jupyter.capture.foresight import Need
from choline_jupyter.capture.selection import Rules, choose


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    (root / "data/a.csv").write_text("a")
    (root / "data/__pycache__").mkdir()
    (root / "data/__pycache__/x.pyc").write_text("")
    (root / ".gitignore").write_text("data/\n")
    (root / ".env").write_text("KEY=1")
    (tmp_path / "outside.csv").write_text("o")
    return root


def need(path: Path) -> Need:
    return Need(path, "folder" if path.is_dir() else "data", "open(...) in cell 1")


def test_a_folder_is_all_that_is_in_it_whatever_git_ignores(project: Path) -> None:
    [choice] = choose([need(project / "data")], Rules(project))
    assert (choice.path, choice.status.st_size, choice.held) == (str(project / "data/a.csv"), 1, "")


def test_a_secret_stays_unless_it_is_named(project: Path) -> None:
    [choice] = choose([need(project / ".env")], Rules(project))
    assert choice.held == "it is named like a secret"
    assert not choice.asks
    [choice] = choose([need(project / ".env")], Rules(project, named=(project / ".env",)))
    assert not choice.held


def test_what_lies_outside_or_is_large_is_asked_about(project: Path) -> None:
    outside = project.parent / "outside.csv"
    (project / "link.csv").symlink_to(outside)
    for path in (outside, project / "link.csv"):
        [choice] = choose([need(path)], Rules(project))
        assert choice.asks
        assert "outside" in choice.held
        assert not choose([need(path)], Rules(project, allowed=frozenset({str(path)})))[0].held
    [choice] = choose([need(project / "data/a.csv")], Rules(project, limit=0))
    assert choice.asks


def test_what_the_user_excludes_stays(project: Path) -> None:
    (project / ".cholineignore").write_text("*.csv\n")
    assert choose([need(project / "data")], Rules(project))[0].is_excluded
    (project / ".cholineignore").unlink()
    assert choose([need(project / "data")], Rules(project, excluded=("data/a*",)))[0].is_excluded


def test_odd_things_are_no_files(project: Path) -> None:
    os.mkfifo(project / "fifo")
    (project / "loop").symlink_to("loop")
    (project / "up").symlink_to(project, target_is_directory=True)
    paths = [
        project / "fifo",
        project / "loop",
        project / "none",
        project / "nul\0",
        Path("/proc/self/environ"),
        Path("/dev/zero"),
    ]
    assert choose([Need(path, "data", "") for path in paths], Rules(project)) == []
    assert not [choice for choice in choose([need(project)], Rules(project)) if "/up" in choice.path]


def test_a_virtual_environment_is_no_data(project: Path) -> None:
    (project / "venv/lib").mkdir(parents=True)
    (project / "venv/pyvenv.cfg").write_text("")
    (project / "venv/lib/x.py").write_text("")
    names = {Path(choice.path).name for choice in choose([need(project)], Rules(project))}
    assert names == {"a.csv", ".env", ".gitignore"}


def test_a_folder_around_the_project_is_not_all_wanted(project: Path) -> None:
    assert choose([need(project.parent), need(Path.home()), need(Path("/"))], Rules(project)) == []
    assert choose([need(project)], Rules(project)) != []
