"""What may be asked for: below the roots, behind links too, and no secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choline_jupyter.capture.secrets import find_secret
from choline_jupyter.session import file_grant
from choline_jupyter.session.file_grant import FileGrant, TooMany
from choline_jupyter.session.withheld import Withheld


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data/file").write_text("inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("outside")
    return folder


@pytest.fixture
def grant(root: Path) -> FileGrant:
    return FileGrant([str(root)], lambda path, status: "it is" if path.endswith("secret") else "")


def find_kinds(grant: FileGrant, path: object) -> list[tuple[str, str]]:
    return [(one.kind, os.path.basename(one.path)) for one in grant.find(path)]  # noqa: PTH119


def test_files_and_folders_inside(grant: FileGrant, root: Path) -> None:
    assert find_kinds(grant, str(root / "data/file")) == [("f", "file")]
    assert find_kinds(grant, str(root / "data")) == [("d", "data")]
    assert find_kinds(grant, str(root)) == [("d", "project")]
    assert grant.find(str(root / "none")) == []


def test_nothing_outside(grant: FileGrant, root: Path) -> None:
    (root / "leads_out").symlink_to(root.parent / "outside")
    (root / "file_out").symlink_to("../outside/file")
    for path in ("leads_out", "leads_out/file", "file_out", "../outside/file", "data/../../outside/file"):
        assert grant.find(f"{root}/{path}") == []
    assert grant.find(str(root.parent / "outside/file")) == []
    assert grant.find(str(root.parent)) == []
    listing = grant.list_folder(str(root))
    assert listing
    assert [one.path for one in listing.offered] == [str(root), str(root / "data")]
    assert listing.names == []


@pytest.mark.parametrize("asked", [None, 3, "", "data/file", "//", "/\0", ["/"]])
def test_what_is_no_path_is_nowhere(grant: FileGrant, asked: object) -> None:
    assert grant.find(asked) == []


def test_links_inside_come_with_what_they_lead_to(grant: FileGrant, root: Path) -> None:
    (root / "latest").symlink_to("data")
    (root / "alias").symlink_to(root / "latest/file")
    assert find_kinds(grant, str(root / "latest/file")) == [("l", "latest"), ("f", "file")]
    assert find_kinds(grant, str(root / "alias")) == [("l", "alias"), ("l", "latest"), ("f", "file")]


def test_links_in_a_circle_and_into_nothing_end(grant: FileGrant, root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    (root / "lost").symlink_to("nowhere")
    (root / "up").symlink_to(".")
    assert {kind for kind, _ in find_kinds(grant, str(root / "one"))} <= {"l"}
    assert find_kinds(grant, str(root / "lost")) == [("l", "lost")]
    assert find_kinds(grant, str(root / "up/up/data"))[-1] == ("d", "data")


def test_secrets_and_special_files_do_not_exist(grant: FileGrant, root: Path) -> None:
    (root / "data/secret").write_text("x")
    (root / "data/innocent").symlink_to("secret")
    os.mkfifo(root / "data/fifo")
    assert grant.find(str(root / "data/secret")) == []
    assert [one.kind for one in grant.find(str(root / "data/innocent"))] == ["l"]
    assert grant.find(str(root / "data/fifo")) == []
    listing = grant.list_folder(str(root / "data"))
    assert listing
    assert listing.names == ["file"]
    assert [Path(one.path).name for one in grant.list_files(str(root / "data"))] == ["file"]


def test_a_pipe_is_not_looked_into(root: Path) -> None:
    os.mkfifo(root / "pipe")
    os.mkfifo(root / "pipe.txt")
    (root / "link").symlink_to("pipe")
    grant = FileGrant([str(root)], Withheld([str(root)]).find)
    assert [grant.find(str(root / name)) for name in ("pipe", "pipe.txt")] == [[], []]
    listing = grant.list_folder(str(root))
    assert listing
    assert listing.names == []
    status = (root / "pipe").stat()
    assert find_secret(str(root / "pipe"), "pipe", status) == ""


def test_a_root_that_is_a_link_is_the_users_own_word(root: Path) -> None:
    (root.parent / "alias").symlink_to(root)
    grant = FileGrant([str(root.parent / "alias")], lambda path, status: "")
    assert [one.path for one in grant.find(str(root.parent / "alias/data/file"))] == [
        str(root.parent / "alias/data/file")
    ]
    assert grant.find(str(root / "data/file")) == []


def test_a_folder_of_too_many_is_refused(grant: FileGrant, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_grant, "_MOST_NAMES", 2)
    for number in range(3):
        (root / f"data/{number}").touch()
    with pytest.raises(TooMany):
        grant.list_folder(str(root / "data"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["data", "file", "..", ".", "", "out", "outside", "project", "\0"]), max_size=8))
def test_no_way_leads_outside(grant: FileGrant, root: Path, parts: list[str]) -> None:
    if not (root / "out").is_symlink():
        (root / "out").symlink_to("..")
    for one in grant.find("/".join([str(root), *parts])):
        assert os.path.realpath(one.source or one.path).startswith(str(root)) or one.kind == "l"
        assert one.kind != "f" or Path(one.source).read_text() == "inside"
