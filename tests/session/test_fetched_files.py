"""What was fetched on demand is remembered for each notebook."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.session import fetched_files
from choline_jupyter.session.fetched_files import FetchedFiles


def make(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.touch()
    return paths


def test_each_notebook_has_its_own(tmp_path: Path) -> None:
    one, two, three = make(tmp_path, "1", "2", "3")
    FetchedFiles(tmp_path).remember("a.ipynb", [one, two])
    FetchedFiles(tmp_path).remember("a.ipynb", [two, three])
    FetchedFiles(tmp_path).remember("b.ipynb", [one])
    assert FetchedFiles(tmp_path).list_remembered("a.ipynb") == [one, two, three]
    assert FetchedFiles(tmp_path).list_remembered("b.ipynb") == [one]
    assert FetchedFiles(tmp_path).list_remembered("c.ipynb") == []


def test_what_is_gone_is_not_listed(tmp_path: Path) -> None:
    one, two = make(tmp_path, "1", "2")
    FetchedFiles(tmp_path).remember("n", [one, two])
    one.unlink()
    assert FetchedFiles(tmp_path).list_remembered("n") == [two]


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetched_files, "_MOST", 2)
    paths = make(tmp_path, "1", "2", "3")
    FetchedFiles(tmp_path).remember("n", paths)
    assert FetchedFiles(tmp_path).list_remembered("n") == paths[1:]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"paths": 3}', b"\xff"])
def test_damage_is_nothing_remembered(tmp_path: Path, damage: bytes) -> None:
    FetchedFiles(tmp_path).remember("n", make(tmp_path, "1"))
    [file] = (tmp_path / "fetched").iterdir()
    file.write_bytes(damage)
    assert FetchedFiles(tmp_path).list_remembered("n") == []
    FetchedFiles(tmp_path).remember("n", make(tmp_path, "1"))
    assert FetchedFiles(tmp_path).list_remembered("n") == [tmp_path / "1"]
