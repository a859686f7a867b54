"""Checkpoints on their way home: what is not what was announced, or has no room, is not kept; what was kept stays."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.model.event import Event, Kind
from choline_jupyter.model.names import make_identifier
from choline_jupyter.session.checkpoint_uploads import note_store
from choline_jupyter.session.live import LiveSession
from choline_jupyter.store.difference import list_codecs, write_difference
from choline_jupyter.store.tensor_map import Span
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import EngineClient

pytestmark = pytest.mark.e2e


class Machine:
    """A session, what its machine has in blobs, and a checkpoint of it that is at home."""

    def __init__(self, home: Isolation, client: EngineClient) -> None:
        self.client, self.session = client, client.open("training")
        client.run(self.session, "1")
        self.blobs = BlobFolder(Path(home.environment["CHOLINE_AGENT_HOME"]) / "blobs")
        self.job = make_identifier("j")
        self.folder = home.folder / "checkpoints" / self.job
        self.folder.mkdir(parents=True)
        self.old, self.new = os.urandom(40_000), os.urandom(40_000)
        (self.folder / "old.pt").write_bytes(self.old)
        (self.folder / "old.pt.json").write_text(json.dumps({"size": 40_000, "sha256": digest(self.old), "at": 1}))

    def announce(self, difference: bytes, **wrong: Any) -> str:
        """Have a checkpoint announced that the machine has as a difference only; gives what was said."""
        blob, size = self.blobs.add([difference])
        told = {"blob": blob, "size": size, "base": "old.pt", "base_sha256": digest(self.old)}
        fact = {
            "name": "new.pt", "folder": self.job, "files": [["", len(self.new), digest(self.new)]], "step": 1, "at": 2.0,
            "difference": told, **wrong,
        }  # fmt: skip
        series = SimpleNamespace(session=self.session.row.id, epoch=1, rank=0)
        event = Event(series, 1, Kind.CHECKPOINT, self.job, 1, 2.0, content=json.dumps(fact).encode())  # type: ignore[arg-type]

        async def bring(session: LiveSession) -> None:
            if session.checkpoints.take(event):
                await session.checkpoints.bring()

        self.client.call(bring(self.session))
        return " ".join(self.session.files.take_notices())

    def make_difference(self) -> bytes:
        out = io.BytesIO()
        new = self.folder.parent / "scratch"
        new.write_bytes(self.new)
        span = Span("x", 0, 40_000, 4)
        write_difference(new, self.folder / "old.pt", [(span, span)], list_codecs()[0], out.write)
        new.unlink()
        return out.getvalue()

    def list_home(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Stuck(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A store that takes nothing until it is let go."""

    protocol = "stuck"
    gate = threading.Event()

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        self.gate.wait(60)
        return super()._open(path, mode, **more)


fsspec.register_implementation("stuck", Stuck, clobber=True)


@pytest.fixture
def machine(home: Isolation, client: EngineClient) -> Machine:
    return Machine(home, client)


BEFORE = ["old.pt", "old.pt.json"]
BOTH = ["new.pt", "new.pt.json", *BEFORE]


def test_a_difference_becomes_the_file_and_goes_over_there(machine: Machine) -> None:
    assert machine.announce(machine.make_difference()) == ""
    assert machine.list_home() == BOTH
    assert (machine.folder / "new.pt").read_bytes() == machine.new
    assert not list(machine.blobs.folder.iterdir())


@pytest.mark.parametrize("harm", ["garbage", "cut", "of something else"])
def test_a_damaged_difference_leaves_nothing(machine: Machine, harm: str) -> None:
    """The file itself is asked for then, which this machine does not have any more."""
    data = machine.make_difference()
    machine.new = machine.new if harm != "of something else" else os.urandom(40_000)
    machine.announce({"garbage": os.urandom(500), "cut": data[:-10], "of something else": data}[harm])
    assert machine.list_home() == BEFORE


def test_one_that_was_written_here_and_deleted_is_said_and_has_no_record(machine: Machine) -> None:
    assert "new.pt is not there any more" in machine.announce(machine.make_difference(), is_home=True)
    assert machine.list_home() == BEFORE


def test_one_that_is_larger_than_the_disk_is_said_and_not_begun(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    said = machine.announce(machine.make_difference())
    assert f"`%choline pull {machine.job}` tries again" in said
    assert "it needs" in said
    assert machine.list_home() == BEFORE
    monkeypatch.undo()
    assert machine.announce(machine.make_difference()) == ""
    assert machine.list_home() == BOTH


def test_a_machine_that_lost_its_job_to_another_is_not_believed(machine: Machine) -> None:
    """Both may think that they own it: what the earlier one still saves does not count."""
    machine.session.checkpoints.refuse(machine.job)
    assert machine.announce(machine.make_difference()) == ""
    assert machine.list_home() == BEFORE


def test_an_announcement_that_leads_elsewhere_is_said(machine: Machine) -> None:
    assert "was not taken" in machine.announce(b"", name="../x.pt")
    assert machine.list_home() == BEFORE


def test_a_link_in_the_place_of_the_folder_is_not_followed(machine: Machine, tmp_path: Path, home: Isolation) -> None:
    shutil.move(machine.folder, tmp_path / "elsewhere")
    machine.folder.symlink_to(tmp_path / "elsewhere")
    machine.announce(machine.make_difference())
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == BEFORE


def test_a_store_that_hangs_delays_nothing(machine: Machine) -> None:
    Stuck.gate.clear()
    note_store(machine.client.engine.directory, machine.job, "stuck://bucket", None)
    assert machine.announce(machine.make_difference()) == ""
    assert (machine.folder / "new.pt").read_bytes() == machine.new
    machine.client.call(machine.session.finish_fetches())
    uploads = machine.session.checkpoints.uploads
    assert not uploads.wait(0)
    Stuck.gate.set()
    assert uploads.wait(60)
    assert [path for path in Stuck.store if path.endswith(f"/{machine.job}/new.pt.json")]
    Stuck.store.clear()
