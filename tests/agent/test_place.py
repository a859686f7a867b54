"""The agent's folders: private, the user's own, and elsewhere where they cannot be made."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.agent.place import Place, PlaceError, find_directory


class Status(NamedTuple):
    """What is looked at in `os.lstat`'s answer."""

    st_mode: int
    st_uid: int


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the real user is used."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for name in ("CHOLINE_AGENT_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_both_folders_are_private(user: Path) -> None:
    place = Place()
    assert place.home == user / "home/.local/state/choline/agent"
    assert place.sockets.parent == user / "t" / f"choline-{os.getuid()}"
    assert [mode_of(path) for path in (place.home, place.sockets, place.sockets.parent)] == [0o700] * 3
    assert place.notice == ""


def test_the_environment_says_where(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(user / "state"))
    assert Place().home == user / "state/choline/agent"
    monkeypatch.setenv("CHOLINE_AGENT_HOME", str(user / "own"))
    assert Place().home == user / "own"
    assert Place(str(user / "given")).home == user / "given"
    (user / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(user / "run"))
    assert Place().sockets.parent == user / "run" / "choline"


def test_two_homes_have_two_doors_and_one_home_has_one(user: Path) -> None:
    assert Place(str(user / "a")).door == Place(str(user / "a")).door
    assert Place(str(user / "a")).door != Place(str(user / "b")).door


def test_a_folder_open_to_others_is_closed(user: Path) -> None:
    (user / "own").mkdir(mode=0o755)
    assert mode_of(Place(str(user / "own")).home) == 0o700


def test_a_folder_of_another_owner_is_refused(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.lstat

    def lstat(path: Path) -> Status | os.stat_result:
        found = real(path)
        return Status(found.st_mode, os.getuid() + 1) if Path(path) == user / "own" else found

    monkeypatch.setattr(os, "lstat", lstat)
    with pytest.raises(PlaceError, match="somebody else"):
        Place(str(user / "own"))


def test_a_link_in_place_of_the_socket_folder_is_refused(user: Path) -> None:
    (user / "elsewhere").mkdir()
    (user / "t" / f"choline-{os.getuid()}").symlink_to(user / "elsewhere")
    with pytest.raises(PlaceError, match="somebody else"):
        Place(str(user / "own"))


@pytest.mark.parametrize("name", ["a-file", "a-file/below"])
def test_where_the_home_cannot_be_made_another_is_used_and_it_says_so(user: Path, name: str) -> None:
    (user / "a-file").write_text("")
    place = Place(str(user / name))
    assert place.home == user / "t" / f"choline-{os.getuid()}" / "agent"
    assert str(user / name) in place.notice
    assert str(place.home) in place.notice


def test_a_read_only_home_is_no_home(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != user / "own" and real(path, mode))
    place = Place(str(user / "own"))
    assert place.home != user / "own"
    assert "no permission" in place.notice


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40))
def test_no_name_of_a_session_leaves_the_folders(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    place = Place(str(tmp_path_factory.getbasetemp() / "one"))
    for find in (place.find_session, lambda text: place.find_rank_socket(text, 0)):
        try:
            path = find(name)
        except ValueError:
            continue
        assert path.parent in (place.home / "sessions", place.sockets)


def test_sockets_have_short_paths(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    place = Place(str(user / ("long" * 40)))
    longest = place.find_rank_bell("s-0123456-01234567", 9999)
    place.sockets.rmdir()
    assert len(os.fsencode(longest)) < 100


def test_a_session_runs_where_its_user_works_at_home(user: Path) -> None:
    wanted = user / "project" / "deep"
    assert find_directory(str(wanted)) == str(wanted)
    assert wanted.is_dir()
    assert find_directory(str(wanted)) == str(wanted)


@pytest.mark.parametrize(("wanted", "name"), [("a-file/project", "project"), ("a-file/p/", "p"), ("a-file", "a-file")])
def test_else_it_runs_in_a_folder_of_that_name(user: Path, wanted: str, name: str) -> None:
    (user / "a-file").write_text("")
    found = find_directory(f"{user}/{wanted}")
    assert found == str(user / "home/choline" / name)
    assert Path(found).is_dir()
