"""Which files of a job are checkpoints, and that a copy of one is of one moment."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from choline_jupyter.agent import checkpoint_sight
from choline_jupyter.agent.checkpoint_sight import CheckpointSight, Sighting
from choline_jupyter.agent.folder_watch import FolderWatch


class Project:
    """A folder, its watch and what is seen in it."""

    def __init__(self, root: Path, *patterns: str) -> None:
        self.root, self.copies = root, root / "checkpoints/j-1"
        self.complaints: list[str] = []
        self.known: set[str] = set()
        self.watch = FolderWatch(str(root), {str(root / "checkpoints")})
        self.sight = CheckpointSight(
            str(root), self.copies, patterns, lambda path, status: path in self.known, self.complaints.append
        )

    def look(self) -> list[Sighting]:
        found: list[Sighting] = []
        while paths := self.watch.read():
            found += self.sight.look(paths)
        return found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path, "*.mine")
    yield made
    made.watch.close()


def test_files_are_seen_when_they_are_closed_or_moved(project: Project) -> None:
    (project.root / "deep/er").mkdir(parents=True)
    with (project.root / "open.pt").open("wb") as file:
        file.write(b"x")
        file.flush()
        (project.root / "deep/er/a.pth").write_bytes(b"1")
        (project.root / "tmp").write_bytes(b"2")
        (project.root / "tmp").rename(project.root / "b.ckpt")
        (project.root / "c.mine").write_bytes(b"3")
        (project.root / "d.txt").write_bytes(b"4")
        assert {sighting.path for sighting in project.look()} == {"deep/er/a.pth", "b.ckpt", "c.mine"}
    [last] = project.look()
    assert (last.path, last.copy.read_bytes()) == ("open.pt", b"x")
    assert last.files == [("", 1, hashlib.sha256(b"x").hexdigest())]


def test_what_came_from_elsewhere_and_copies_of_ours_are_not(project: Project) -> None:
    project.known.add("data.pt")
    (project.root / "data.pt").write_bytes(b"1")
    project.copies.mkdir(parents=True)
    (project.copies / "step-1.pt").write_bytes(b"2")
    assert project.look() == []


def test_a_sharded_one_counts_when_its_metadata_is_there(project: Project) -> None:
    folder = project.root / "step_10"
    folder.mkdir()
    (folder / "__0_0.distcp").write_bytes(b"1")
    assert project.look() == []
    (folder / ".metadata.tmp").write_bytes(b"2")
    (folder / ".metadata.tmp").rename(folder / ".metadata")
    [sighting] = project.look()
    assert sorted(name for name, *_ in sighting.files) == [".metadata", "__0_0.distcp"]


def test_a_file_that_changes_while_it_is_copied_is_left_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.root / "a.pt"
    path.write_bytes(b"x" * 100)
    real = checkpoint_sight._sign

    def grow(status: os.stat_result) -> tuple[object, ...]:
        """The writer goes on between two looks."""
        with path.open("r+b", buffering=0) as file:
            file.seek(0, os.SEEK_END)
            file.write(b"y")
        return real(status)

    monkeypatch.setattr(checkpoint_sight, "_sign", grow)
    assert list(project.sight.look(project.watch.read())) == []
    assert list(project.copies.iterdir()) == []
    monkeypatch.setattr(checkpoint_sight, "_sign", real)
    path.write_bytes(b"z" * 100)  # it closes it in the end
    assert [sighting.copy.read_bytes() for sighting in project.look()] == [b"z" * 100]


def test_a_hundred_thousand_files_are_too_many(project: Project) -> None:
    """Each directory is looked at as its files are closed; the first 200 are taken, and it is said once."""
    paths = []
    for number in range(1000):
        path = project.root / f"{number}.pt"
        path.write_bytes(b"1")
        paths.append(str(path))
    taken = list(project.sight.look(paths * 100))
    assert len(taken) == 200
    assert len(project.complaints) == 1
    assert "more than 200 files" in project.complaints[0]


def test_one_that_has_no_room_is_said_and_left(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    (project.root / "a.pt").write_bytes(b"1")
    assert project.look() == []
    assert "no room for a copy of a.pt" in project.complaints[0]


def test_only_the_last_copies_of_a_file_stay(project: Project) -> None:
    for number in range(5):
        (project.root / "a.pt").write_bytes(b"%d" % number)
        project.look()
    assert sorted(path.read_bytes() for path in project.copies.iterdir()) == [b"3", b"4"]


def test_a_link_is_not_followed(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.pt"
    outside.write_bytes(b"1")
    (project.root / "made").symlink_to(outside)
    (project.root / "made").rename(project.root / "link.pt")
    assert project.look() == []
