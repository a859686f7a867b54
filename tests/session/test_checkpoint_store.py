"""Checkpoints in a store of the user's: whole or not there, kept by its policy, found again when home has lost them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from choline_jupyter.errors import CorruptBlob, RequestError
from choline_jupyter.session.checkpoint_record import Kept, list_kept
from choline_jupyter.session.checkpoint_store import CheckpointStore, check_store
from choline_jupyter.session.checkpoint_uploads import Uploads, find_store, note_store
from choline_jupyter.session.resumption import choose, is_whole, restore
from choline_jupyter.store.tree import Tree

JOB = "j-abcdefgh"


class Denying(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A store that nobody may write to."""

    protocol = "denying"

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        raise PermissionError("Access Denied")


class Cut(MemoryFileSystem):  # type: ignore[misc]
    """A store whose connection is cut in the middle of a file."""

    protocol = "cutting"

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        file = super()._open(path, mode, **more)
        if mode == "wb" and path.endswith("step-2.pt"):
            file.write = lambda data: (_ for _ in ()).throw(ConnectionError("cut"))
        return file


fsspec.register_implementation("denying", Denying, clobber=True)
fsspec.register_implementation("cutting", Cut, clobber=True)


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{tmp_path}/store"
        return
    yield "memory://bucket/store"
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


def save(root: Path, step: int, loss: float = 1.0, content: bytes = b"") -> Kept:
    path = root / "checkpoints" / JOB / f"step-{step}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content or b"weights %d" % step * 1000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    record = {"job": JOB, "step": step, "loss": loss, "at": float(step), "size": path.stat().st_size, "sha256": digest}
    path.with_name(path.name + ".json").write_text(json.dumps({**record, "files": []}))
    return Kept(path, record)


def save_folder(root: Path, step: int) -> Kept:
    path = root / "checkpoints" / JOB / f"sharded-{step}"
    path.mkdir(parents=True)
    files = []
    for name in (".metadata", "__0_0.distcp"):
        (path / name).write_bytes(name.encode() * 100)
        files.append([name, 100 * len(name), hashlib.sha256(name.encode() * 100).hexdigest()])
    size = sum(int(str(part[1])) for part in files)
    record = {"job": JOB, "source": "sharded", "at": float(step), "size": size, "sha256": "", "files": files}
    path.with_name(path.name + ".json").write_text(json.dumps(record))
    return Kept(path, record)


def upload(tmp_path: Path, root: Path, url: str, keep: str | None = None) -> list[str]:
    told: list[str] = []
    note_store(tmp_path / "data", JOB, url, keep)
    uploads = Uploads(tmp_path / "data", root, told.append)
    uploads.add(JOB)
    assert uploads.wait(60)
    return told


@pytest.fixture(autouse=True)
def _data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()


def test_what_home_has_lost_comes_from_the_store(tmp_path: Path, root: Path, url: str) -> None:
    for step in (1, 2):
        save(root, step)
    save_folder(root, 3)
    assert upload(tmp_path, root, url) == []
    for path in sorted((root / "checkpoints").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    restore(tmp_path / "data", root, JOB, None)
    kept = list(list_kept(root, JOB))
    assert [one.path.name for one in kept] == ["step-2.pt", "sharded-3"]
    assert all(is_whole(one) for one in kept)
    assert choose(root, JOB, JOB, tmp_path / "data").source == "sharded"


def test_what_is_here_is_not_fetched(tmp_path: Path, root: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    save(root, 1)
    upload(tmp_path, root, url)
    save(root, 2)
    restore(tmp_path / "data", root, JOB, None)
    assert capsys.readouterr().err == ""


def test_the_policy_holds_there_too(tmp_path: Path, root: Path, url: str) -> None:
    for step, loss in ((1, 0.1), (2, 3.0), (3, 2.0)):
        save(root, step, loss)
        upload(tmp_path, root, url, "last=1,best=loss")
    names = [kept.path.name for kept in CheckpointStore(url).list_kept(JOB)]
    assert names == ["step-1.pt", "step-3.pt"]


def test_one_of_the_same_name_takes_the_place(tmp_path: Path, root: Path, url: str) -> None:
    save(root, 1)
    upload(tmp_path, root, url)
    newer = save(root, 1, content=b"after a resume")
    upload(tmp_path, root, url)
    [kept] = CheckpointStore(url).list_kept(JOB)
    assert kept.record["sha256"] == newer.record["sha256"]
    CheckpointStore(url).fetch(JOB, kept, Tree(str(root)))
    assert (root / "checkpoints" / JOB / "step-1.pt").read_bytes() == b"after a resume"


def test_half_a_file_never_counts(tmp_path: Path, root: Path) -> None:
    save(root, 1)
    save(root, 2)
    told = upload(tmp_path, root, "cutting://bucket/half")
    assert [sentence for sentence in told if "cut" in sentence]
    assert [kept.path.name for kept in CheckpointStore("cutting://bucket/half").list_kept(JOB)] == ["step-1.pt"]
    MemoryFileSystem.store.clear()


def test_a_store_without_permission_is_one_sentence(tmp_path: Path, root: Path) -> None:
    save(root, 1)
    told: list[str] = []
    note_store(tmp_path / "data", JOB, "denying://bucket/there", None)
    uploads = Uploads(tmp_path / "data", root, told.append)
    for _ in range(3):
        uploads.add(JOB)
        assert uploads.wait(60)
    assert told == [f"checkpoints of {JOB} are here, but not in the store: Access Denied"]
    assert is_whole(next(list_kept(root, JOB)))


def test_what_is_damaged_here_does_not_go(tmp_path: Path, root: Path, url: str) -> None:
    broken = save(root, 1)
    save(root, 2)
    broken.path.write_bytes(b"x" * broken.record["size"])
    told = upload(tmp_path, root, url)
    assert told
    assert [kept.path.name for kept in CheckpointStore(url).list_kept(JOB)] == ["step-2.pt"]


def test_what_is_damaged_there_is_not_taken(tmp_path: Path, root: Path) -> None:
    kept = save(root, 1)
    store = CheckpointStore(f"file://{tmp_path}/store")
    store.put(JOB, kept)
    (tmp_path / "store" / JOB / "step-1.pt").write_bytes(b"y" * kept.record["size"])
    kept.path.unlink()
    with pytest.raises(CorruptBlob):
        store.fetch(JOB, kept, Tree(str(root)))
    assert not kept.path.exists()


@pytest.mark.parametrize("name", ["../../outside", "a/b", ".hidden", "x.json"])
def test_a_record_cannot_lead_elsewhere(tmp_path: Path, root: Path, name: str) -> None:
    record = {"job": JOB, "size": 1, "sha256": "0" * 64, "at": 1.0, "files": [[name, 1, "0" * 64]]}
    with pytest.raises(ValueError, match="proper"):
        CheckpointStore(f"file://{tmp_path}/store").fetch(JOB, Kept(Path(name), record), Tree(str(root)))


def test_an_address_with_keys_is_for_its_owner_only(tmp_path: Path) -> None:
    note_store(tmp_path / "data", JOB, "memory://key:secret@bucket", None)
    assert (tmp_path / "data/stores" / f"{JOB}.json").stat().st_mode & 0o077 == 0
    assert find_store(tmp_path / "data", JOB)["url"] == "memory://key:secret@bucket"


def test_a_store_that_cannot_be_used_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match="no store that fsspec knows"):
        check_store("nosuchscheme://x")
    absent = {"class": "no_such_module.Filesystem", "err": "Install no_such_module"}
    monkeypatch.setitem(known_implementations, "absent", absent)
    with pytest.raises(RequestError, match="Install no_such_module"):
        check_store("absent://bucket")
