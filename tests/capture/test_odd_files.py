"""Files that are none, may not be read, are named oddly or are far too many: a sentence for each, and nothing hangs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from choline_jupyter.capture import selection
from choline_jupyter.capture.foresight import Need
from choline_jupyter.capture.selection import Choice, Rules, choose
from choline_jupyter.errors import RequestError
from choline_jupyter.session.consent import Consent
from choline_jupyter.session.file_sync import FileSync
from choline_jupyter.session.options import parse_cell
from choline_jupyter.store.scan import Scan

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that anybody may look into."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settle(*choices: Choice) -> list[str]:
    """What goes."""
    return list(Consent(lambda question, is_secret: "", lambda: False).settle(choices))


@pytest.mark.parametrize("kind", ["fifo", "device", "loop", "none", "folder-of-loops"])
def test_what_is_no_file_is_refused_by_name_and_skipped_otherwise(project: Path, kind: str) -> None:
    path = project / "odd"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to("odd")
    elif kind == "folder-of-loops":
        path.mkdir()
        (path / "self").symlink_to(path, target_is_directory=True)
        (path / "a").symlink_to("b")
        (path / "b").symlink_to("a")
    assert choose([Need(path, "folder" if path.is_dir() else "data", "open(...)")], Rules(project)) == []
    consent = Consent(lambda question, is_secret: "", lambda: False)
    if kind == "folder-of-loops":
        assert consent.choose([], parse_cell("--with odd").options) == []
    else:
        with pytest.raises(RequestError) as caught:
            consent.choose([], parse_cell("--with odd").options)
        assert len(caught.value.render().splitlines()) == 2
        assert str(path) in caught.value.render()


def test_what_may_not_be_read_stays_and_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "data/locked").mkdir(parents=True)
    (project / "data/open.csv").write_text("open")
    (project / "data/closed.csv").write_text("closed")
    (project / "data/locked/x.csv").write_text("x")
    (project / "data/closed.csv").chmod(0)
    (project / "data/locked").chmod(0)
    with as_nobody():
        choices = choose([Need(project / "data", "folder", "listed")], Rules(project))
        going = {choice.path: choice.status for choice in choices if not choice.held}
        assert settle(*choices) == list(going)
        shipment = FileSync(project, project / "memory.json", Scan()).plan(going)
    assert [path for path, _ in shipment.list_files()] == [str(project / "data/open.csv")]
    [trouble] = shipment.trouble
    assert trouble == f"{project}/data/closed.csv stays here: Permission denied; .cholineignore leaves it out"
    said = capsys.readouterr().err
    assert "data/locked (listed), 0.0 MB: stays here, because you may not read it; make it readable" in said
    assert said.count("\n") == 1


class Endless:
    """What `os.scandir` gives of a folder with ten million files, and how many of them were looked at."""

    def __init__(self, folder: str) -> None:
        self.folder, self.count = folder, 0

    def __enter__(self) -> Iterator[object]:
        return self._list()

    def __exit__(self, *error: object) -> None:
        """Nothing was opened."""

    def _list(self) -> Iterator[object]:
        for number in range(10_000_000):
            self.count += 1
            yield Entry(self.folder, f"{number:08}.jpg")


class Entry:
    def __init__(self, folder: str, name: str) -> None:
        self.name, self.path = name, f"{folder}/{name}"

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        assert not follow_symlinks
        return False


def test_ten_million_files_in_a_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "images").mkdir()
    endless, scandir = Endless(str(project / "images")), os.scandir
    monkeypatch.setattr(selection, "_MOST", 1000)
    monkeypatch.setattr(os, "scandir", lambda path: endless if path == endless.folder else scandir(path))
    monkeypatch.setattr(selection, "_judge", lambda path, need, rules: Choice(path, need.why, project.stat()))
    (project / "other.csv").touch()
    needs = [Need(project / "images", "folder", "listed"), Need(project / "other.csv", "data", "open")]
    choices = choose(needs, Rules(project))
    assert endless.count <= 1001
    assert [(choice.path, bool(choice.held)) for choice in choices] == [
        (endless.folder, True),
        (str(project / "other.csv"), False),
    ]
    assert settle(*choices) == [str(project / "other.csv")]
    said = capsys.readouterr().err
    assert "stays here, because there are more than 1,000 files; what is opened there comes when it is" in said


def test_ten_million_files_in_many_folders(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_MOST", 50)
    for number in range(30):
        (project / f"data/{number}").mkdir(parents=True)
        for name in "abc":
            (project / f"data/{number}/{name}").touch()
    looked: list[str] = []
    scandir = os.scandir

    def count(path: str) -> object:
        looked.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", count)
    [choice] = choose([Need(project / "data", "folder", "listed")], Rules(project))
    assert choice.held == "there are more than 50 files"
    assert len(looked) < 25


def test_an_excluded_folder_is_not_looked_into(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "data/cache").mkdir(parents=True)
    (project / "data/a.csv").touch()
    (project / ".cholineignore").write_text("cache/\n")
    endless, scandir = Endless(str(project / "data/cache")), os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: endless if path == endless.folder else scandir(path))
    choices = choose([Need(project / "data", "folder", "listed")], Rules(project))
    assert [(choice.path, choice.is_excluded) for choice in choices] == [
        (str(project / "data/a.csv"), False),
        (endless.folder, True),
    ]
    assert endless.count == 0
