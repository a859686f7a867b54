"""What goes along with a job, and what comes home, on two folders that stand for two machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.agent.layout import Layout
from choline_jupyter.agent.small_files import SmallFiles
from choline_jupyter.agent.workspace import Workspace
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.file_sync import FileSync, Shipment
from choline_jupyter.session.homecoming import Homecoming
from choline_jupyter.store.entry import SMALL, write_entry
from choline_jupyter.store.scan import Scan


def look(*paths: Path) -> dict[str, os.stat_result]:
    """Files as a selection gives them."""
    return {str(path): path.stat() for path in paths}


class Sides:
    """A project here, its workspace over there, and what passes between them."""

    def __init__(self, folder: Path) -> None:
        self.here, self.there, self._folder = folder / "here", folder / "there", folder
        for name in ("here", "there", "blobs", "kept"):
            (folder / name).mkdir()
        self.sync = FileSync(self.here, folder / "sync.json", Scan())
        self.home = Homecoming(self.sync, Scan(), folder / "earlier")
        self.workspace = self.start()
        self.jobs = 0

    def start(self) -> Workspace:
        """A kernel that has been started anew."""
        layout = Layout(str(self.there), str(self.there))
        return Workspace(layout, self._folder / "index.json", self._folder / "blobs", self._folder / "kept")

    def send(self, *names: str) -> list[str]:
        """What the cell needs goes; gives what went."""
        shipment = self.sync.plan(look(*(self.here / name for name in names)))
        assert self.deliver(shipment) == []
        self.sync.note_sent(shipment)
        return [entry[0] for part in shipment.told for entry in part["entries"]]

    def deliver(self, shipment: Shipment) -> list[str]:
        """Have it over there; gives what is said."""
        for digest, path in shipment.large.items():
            (self._folder / "blobs" / digest).write_bytes(path.read_bytes())
        data = memoryview(b"".join(self.sync.read_small(shipment)))
        told = json.loads(json.dumps(shipment.told).replace(json.dumps(str(self.here)), json.dumps(str(self.there))))
        return list(self.workspace.receive(told, SmallFiles(data)))

    def bring(self) -> list[str]:
        """What the job made comes home; gives what is said."""
        changes, removed = self.workspace.collect()
        fact = {"root": str(self.here), "pull": True, "removed": removed}
        fact["files"] = [[*write_entry(entry), content is not None] for entry, content in changes]
        buffers = tuple(content for _, content in changes if content is not None)
        self.jobs += 1
        return self.take(fact, buffers)[0]

    def take(self, fact: dict[str, Any], buffers: tuple[bytes, ...] = ()) -> tuple[list[str], list[Any]]:
        content = json.dumps(fact).encode()
        event = Event(Series("s", 1, 0), 1, Kind.ARTIFACT, f"j{self.jobs}", 0, 0.0, content=content, buffers=buffers)
        return self.home.take(event, is_asked=False)


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


def test_only_what_changed_goes_again(sides: Sides) -> None:
    (sides.here / "a.py").write_text("one")
    (sides.here / "d").mkdir()
    (sides.here / "d/b.csv").write_text("b")
    assert sides.send("a.py", "d/b.csv") == ["a.py", "d/b.csv"]
    assert sides.send("a.py", "d/b.csv") == []
    (sides.here / "a.py").write_text("two")
    assert sides.send("a.py", "d/b.csv") == ["a.py"]
    assert (sides.there / "a.py").read_text() == "two"
    assert (sides.there / "d/b.csv").read_text() == "b"
    assert sides.bring() == []


def test_what_the_session_has_is_kept_up_to_date(sides: Sides) -> None:
    (sides.here / "model.py").write_text("one")
    (sides.here / "large.bin").write_bytes(b"x" * (SMALL + 1))
    sides.send("model.py", "large.bin")
    (sides.here / "model.py").write_text("two")
    (sides.here / "large.bin").write_bytes(b"y" * (SMALL + 1))
    assert sides.send() == ["model.py"]
    assert sides.send("large.bin") == ["large.bin"]


def test_what_a_job_changed_is_not_overwritten_by_what_it_was_made_of(sides: Sides) -> None:
    (sides.here / "log").write_text("one\n")
    sides.send("log")
    (sides.there / "log").write_text("one\ntwo\n")
    assert sides.bring() == []
    assert (sides.here / "log").read_text() == "one\ntwo\n"
    assert sides.send("log") == []


def test_both_versions_are_kept_when_both_sides_have_changed_it(sides: Sides) -> None:
    (sides.here / "f.txt").write_text("base")
    sides.send("f.txt")
    (sides.here / "f.txt").write_text("here")
    (sides.there / "f.txt").write_text("there")
    [sentence] = sides.bring()
    assert "changed here and over there" in sentence
    assert (sides.here / "f.txt").read_text() == "here"
    assert (sides.here / "f.j1.txt").read_text() == "there"


def test_an_earlier_result_is_kept_elsewhere(sides: Sides, tmp_path: Path) -> None:
    (sides.here / "plot.png").write_text("of last week")
    (sides.there / "plot.png").write_text("new")
    [sentence] = sides.bring()
    assert (sides.here / "plot.png").read_text() == "new"
    assert (tmp_path / "earlier/j1/plot.png").read_text() == "of last week"
    assert str(tmp_path / "earlier/j1/plot.png") in sentence
    (sides.there / "plot.png").write_text("newer")
    assert sides.bring() == []


def test_removals_follow_both_ways(sides: Sides, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (sides.here / name).write_text(name)
    sides.send("a", "b", "c")
    (sides.here / "a").unlink()
    sides.send("b", "c")
    assert not (sides.there / "a").exists()
    (sides.there / "b").unlink()
    (sides.there / "c").unlink()
    (sides.here / "c").write_text("edited here")
    sides.bring()
    assert not (sides.here / "b").exists()
    assert (tmp_path / "earlier/j1/b").read_text() == "b"
    assert (sides.here / "c").read_text() == "edited here"


def test_a_new_kernel_knows_what_is_in_place(sides: Sides) -> None:
    (sides.here / "a").write_text("a")
    sides.send("a")
    (sides.there / "made").write_text("m")
    sides.workspace = sides.start()
    sides.bring()
    assert (sides.here / "made").read_text() == "m"
    sides.workspace = sides.start()
    assert sides.workspace.collect() == ([], [])


def test_a_large_file_goes_ahead_and_is_announced_without_its_content(sides: Sides) -> None:
    (sides.here / "large").write_bytes(b"x" * (SMALL + 1))
    sides.send("large")
    assert (sides.there / "large").stat().st_size == SMALL + 1
    (sides.there / "made").write_bytes(b"y" * (SMALL + 1))
    [(entry, content)] = sides.workspace.collect()[0]
    assert (entry.path, content) == ("made", None)


def test_links_come_home_if_they_stay_inside(sides: Sides) -> None:
    (sides.there / "latest").symlink_to("run1")
    (sides.there / "out").symlink_to("/etc/passwd")
    (sides.there / "up").symlink_to("../x")
    sides.bring()
    assert (sides.here / "latest").readlink() == Path("run1")
    assert not (sides.here / "out").is_symlink()
    assert not (sides.here / "up").is_symlink()


def test_what_that_machine_has_made_itself_is_in_place(sides: Sides) -> None:
    """A checkpoint is brought home apart from the other files; it comes back with a cell that reads its folder."""
    sides.workspace.apart = "checkpoints/j-1/"
    for name in ("a.pt", "a.pt.json", "b.pt"):
        (sides.there / "checkpoints/j-1").mkdir(parents=True, exist_ok=True)
        (sides.there / "checkpoints/j-1" / name).write_text(name)
    assert sides.workspace.collect() == ([], [])
    here = sides.here / "checkpoints/j-1"
    here.mkdir(parents=True)
    (here / "a.pt").write_text("a.pt")
    (here / "a.pt.json").write_text("the record of this side")
    (here / "b.pt").write_text("text")  # as large, and something else
    files = look(*here.iterdir())
    [sentence] = sides.deliver(sides.sync.plan(files))
    assert "b.pt could not be put in place: this machine has one of its own there" in sentence
    assert {path.name: path.read_text() for path in (sides.there / "checkpoints/j-1").iterdir()} == {
        "a.pt": "a.pt", "a.pt.json": "a.pt.json", "b.pt": "b.pt",
    }  # fmt: skip


def test_what_was_on_that_machine_before_is_neither_taken_nor_overwritten(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/own").write_text("theirs")
    for name in ("here", "blobs", "kept"):
        (tmp_path / name).mkdir()
    workspace = Workspace(Layout(str(tmp_path / "there"), ""), tmp_path / "i", tmp_path / "blobs", tmp_path / "kept")
    assert workspace.collect() == ([], [])
    (tmp_path / "here/own").write_text("mine")
    sync = FileSync(tmp_path / "here", tmp_path / "s", Scan())
    told = sync.plan(look(tmp_path / "here/own")).told
    told[0]["root"] = str(tmp_path / "there")
    [sentence] = workspace.receive(told, SmallFiles(memoryview(b"mine")))
    assert "one of its own" in sentence
    assert (tmp_path / "there/own").read_text() == "theirs"


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        ".git/hooks/pre-commit",
        "sub/.git/config",
        ".vscode/tasks.json",
        ".bashrc",
        ".config/x/y",
        "folder/x",
    ],
)
def test_a_hostile_announcement_writes_nothing_outside(sides: Sides, path: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (sides.here / "folder").symlink_to(tmp_path / "elsewhere")
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    before = sorted(tmp_path.rglob("*"))
    said, _ = sides.take(
        {"root": str(sides.here), "pull": True, "files": [[path, "file", 420, 1, digest, "", 0, True]]}, (b"x",)
    )
    assert len(said) == 1
    assert [found for found in sorted(tmp_path.rglob("*")) if found not in before] in ([], [tmp_path / "sync.json"])


def test_damaged_bytes_are_not_kept(sides: Sides) -> None:
    entry = ["f", "file", 420, 1, "a" * 64, "", 0, True]
    assert "damaged" in sides.take({"root": str(sides.here), "pull": True, "files": [entry]}, (b"x",))[0][0]
    assert not (sides.here / "f").exists()


def test_a_file_that_cannot_be_read_is_named(sides: Sides) -> None:
    (sides.here / "f").write_text("f")
    os.mkfifo(sides.here / "fifo")
    files = look(sides.here / "f", sides.here / "fifo")
    (sides.here / "f").unlink()
    shipment = sides.sync.plan(files)
    assert len(shipment.trouble) == 2
    assert shipment.is_empty


def test_what_could_not_be_put_in_place_is_named_and_goes_again(sides: Sides) -> None:
    (sides.here / "large").write_bytes(b"x" * (SMALL + 1))
    shipment = sides.sync.plan(look(sides.here / "large"))
    sides.sync.note_sent(shipment)
    told = [{**part, "root": str(sides.there)} for part in shipment.told]
    [sentence] = sides.workspace.receive(told, SmallFiles(memoryview(b"")))  # its blob is not there
    assert sentence.startswith(f"{sides.there / 'large'} could not be put in place: it is not on this machine")
    assert sides.workspace.unplaced == [str(sides.there / "large")]
    sides.sync.drop([str(sides.here / "large")])
    assert sides.send("large") == ["large"]
    assert sides.workspace.unplaced == []


def test_a_module_that_comes_anew_is_not_taken_from_byte_code(sides: Sides) -> None:
    """Same size, same second: Python alone would not see the edit."""
    code = "import sys; sys.path.insert(0, '.'); import model; print(model.SIZE)"
    for size in (3, 4):
        (sides.here / "model.py").write_text(f"SIZE = {size}\n")
        os.utime(sides.here / "model.py", ns=(10**18, 10**18))
        sides.send("model.py")
        run = [sys.executable, "-c", code]
        environment = {"PATH": os.defpath}
        assert (
            subprocess.run(run, cwd=sides.there, env=environment, capture_output=True, text=True, check=True).stdout
            == f"{size}\n"
        )
