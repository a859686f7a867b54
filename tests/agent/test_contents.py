"""Contents of a machine: found where they are, never twice where that can be helped, never wrong, evicted in their turn."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from choline_jupyter.agent.contents import Contents

SIZE = 3 << 20


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "blobs").mkdir()
    return tmp_path


def add_blob(home: Path, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    (home / "blobs" / digest).write_bytes(data)
    return digest


def place(home: Path, session: str, data: bytes) -> tuple[str, Path]:
    """As a workspace does."""
    digest = add_blob(home, data)
    target = home / "workspaces" / session / "root" / digest[:8]
    target.parent.mkdir(parents=True, exist_ok=True)
    Contents(home).place(digest, str(target))
    Contents(home).note(digest, str(target))
    return digest, target


def read(home: Path, digest: str) -> bytes:
    with os.fdopen(Contents(home).open(digest), "rb") as file:
        return file.read()


def list_files(home: Path) -> set[str]:
    found = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith(("contents", "cache.limit"))}


def test_a_placed_file_is_the_only_copy_or_shares_its_blocks(home: Path) -> None:
    data = os.urandom(SIZE)
    digest, path = place(home, "s", data)
    assert path.read_bytes() == data
    assert path.stat().st_nlink == 1
    assert read(home, digest) == data
    if list_files(home) != {str(path.relative_to(home))}:  # a file system whose files share blocks
        assert list_files(home) == {str(path.relative_to(home)), f"cache/{digest}"}


@pytest.mark.parametrize("way", ["in place", "replaced", "removed", "a link"])
def test_a_file_that_was_changed_is_not_its_content_any_more(home: Path, way: str) -> None:
    digest, path = place(home, "s", os.urandom(SIZE))
    (home / "cache" / digest).unlink(missing_ok=True)
    other = home / "other"
    other.write_bytes(os.urandom(SIZE))
    if way == "in place":
        with path.open("r+b") as file:
            file.write(b"!")
    elif way == "replaced":
        other.replace(path)
    else:
        path.unlink()
        if way == "a link":
            path.symlink_to(other)
    assert not Contents(home).has(digest)
    with pytest.raises(FileNotFoundError):
        Contents(home).place(digest, str(home / "target"))
    assert not (home / "target").exists()


def test_a_second_session_gets_a_file_of_its_own(home: Path) -> None:
    data = os.urandom(SIZE)
    digest, first = place(home, "one", data)
    second = home / "second"
    Contents(home).place(digest, str(second))
    with second.open("r+b") as file:
        file.write(b"changed")
    assert first.read_bytes() == data


def test_what_changes_while_it_is_copied_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest, path = place(home, "one", os.urandom(SIZE))
    (home / "cache" / digest).unlink(missing_ok=True)
    listed = Contents._list_places
    monkeypatch.setattr(Contents, "_list_places", lambda *given: [*listed(*given), path.write_bytes(b"other")][:1])
    with pytest.raises(OSError, match="has changed"):
        Contents(home).place(digest, str(home / "target"))
    assert not (home / "target").exists()


def test_the_cache_takes_what_an_ended_session_had(home: Path) -> None:
    data = os.urandom(SIZE)
    digest, path = place(home, "s", data)
    contents = Contents(home)
    contents.note_wish({"cache": 10 * SIZE})
    contents.keep(str(home / "workspaces/s"))
    path.unlink(missing_ok=True)
    assert list_files(home) == {f"cache/{digest}"}
    assert read(home, digest) == data
    assert contents.reserve(digest)
    assert list_files(home) == {f"blobs/{digest}"}
    assert not contents.reserve(digest)


def test_what_is_linked_to_elsewhere_is_not_taken(home: Path) -> None:
    digest, path = place(home, "s", os.urandom(SIZE))
    (home / "cache" / digest).unlink(missing_ok=True)
    os.link(path, home / "elsewhere")
    Contents(home).note(digest, str(path))
    Contents(home).keep(str(home / "workspaces/s"))
    assert not (home / "cache" / digest).exists()


def test_the_least_recently_used_goes_first(home: Path) -> None:
    contents = Contents(home)
    contents.note_wish({"cache": 2 * SIZE})
    digests = []
    for number in range(3):
        digests.append(place(home, f"s{number}", os.urandom(SIZE))[0])
        contents.keep(str(home / f"workspaces/s{number}"))
        os.utime(home / "contents" / digests[-1], (number, number))
        if number == 1:
            assert contents.has(digests[0])  # a use
    contents.sweep()
    assert {path.name for path in (home / "cache").iterdir()} == {digests[0], digests[2]} or not contents.has(
        digests[1]
    )
    contents.note_wish({"cache": 0})
    contents.sweep()
    assert list((home / "cache").iterdir()) == []


def test_a_live_workspace_and_what_is_wanted_are_never_evicted(home: Path) -> None:
    contents = Contents(home)
    _, path = place(home, "s", os.urandom(SIZE))
    wanted = add_blob(home, os.urandom(SIZE))
    contents.evict(0)
    contents.sweep()
    assert path.exists()
    assert (home / "blobs" / wanted).exists()


def test_room_is_made_of_the_cache_or_said_to_be_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from choline_jupyter.agent import contents as module

    digest, _ = place(home, "s", os.urandom(SIZE))
    contents = Contents(home)
    contents.note_wish({"cache": 10 * SIZE})
    contents.keep(str(home / "workspaces/s"))
    free = module._RESERVE

    def count(folder: Path) -> int:
        return free + (0 if (home / "cache" / digest).exists() else SIZE)

    monkeypatch.setattr(module, "_count_free", count)
    contents.make_room(SIZE)
    assert not (home / "cache" / digest).exists()
    with pytest.raises(OSError, match="disk has") as caught:
        contents.make_room(SIZE + 1)
    assert caught.value.errno == errno.ENOSPC


def test_what_somebody_has_put_into_the_cache_is_not_believed(home: Path) -> None:
    digest = hashlib.sha256(b"one").hexdigest()
    (home / "cache").mkdir()
    (home / "cache" / digest).write_bytes(b"two")
    assert not Contents(home).has(digest)
    assert not Contents(home).reserve(digest)
    Contents(home).sweep()
    assert not (home / "cache" / digest).exists()
