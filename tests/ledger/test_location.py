"""The folder that the local record lies in."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from choline_jupyter.ledger import location
from choline_jupyter.ledger.location import Mount, find_data_directory, find_file_system, is_network
from choline_jupyter.ledger.trouble import StoreError
from tests.source_tree import ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CHOLINE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only temporary folder there is."""
    base = tmp_path / "temporary"
    base.mkdir()
    monkeypatch.setattr(location, "_list_temporary_directories", lambda: iter([base]))
    return base / f"choline-{os.getuid()}"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_default_is_below_the_home_directory(home: Path) -> None:
    assert find_data_directory() == (home / ".local/share/choline", "")
    assert mode_of(home / ".local/share/choline") == 0o700


def test_xdg_data_home_is_followed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    assert find_data_directory().path == home / "data/choline"


def test_relative_xdg_data_home_is_ignored(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    assert find_data_directory().path == home / ".local/share/choline"


def test_choline_home_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("CHOLINE_HOME", "~/mine")
    assert find_data_directory() == (home / "mine", "")


def test_a_chosen_folder_keeps_its_mode(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "shared").mkdir(mode=0o755)
    monkeypatch.setenv("CHOLINE_HOME", str(home / "shared"))
    find_data_directory()
    assert mode_of(home / "shared") == 0o755


def test_a_folder_that_cannot_be_made_is_replaced(home: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("CHOLINE_HOME", str(home / "file/choline"))
    path, notice = find_data_directory()
    assert path == temporary
    assert mode_of(path) == 0o700
    assert str(home / "file/choline") in notice
    assert str(temporary) in notice
    assert "CHOLINE_HOME" in notice


def test_a_network_file_system_is_replaced(home: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [Mount("/", "ext4"), Mount(str(home), "nfs4"), Mount(str(temporary.parent), "ext4")]
    monkeypatch.setattr(location, "_list_mounts", lambda: iter(mounts))
    path, notice = find_data_directory()
    assert path == temporary
    assert "network file system (nfs4)" in notice
    assert not (home / ".local").exists()


def test_temporary_folders_on_a_network_are_passed_over(
    home: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(location, "_list_mounts", lambda: iter([Mount("/", "lustre")]))
    with pytest.raises(StoreError, match="network") as caught:
        find_data_directory()
    assert "CHOLINE_HOME" in caught.value.hint


def test_no_home_directory(home: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", refuse)
    assert find_data_directory().path == temporary
    assert not Path("~").exists()


def test_a_link_in_the_temporary_folder_is_not_followed(
    home: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("CHOLINE_HOME", str(home / "file/choline"))
    (home / "elsewhere").mkdir()
    temporary.symlink_to(home / "elsewhere")
    with pytest.raises(StoreError, match="belongs to someone else"):
        find_data_directory()


def test_an_open_folder_of_ours_is_closed(home: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("CHOLINE_HOME", str(home / "file/choline"))
    temporary.mkdir(mode=0o755)
    assert mode_of(find_data_directory().path) == 0o700


@pytest.mark.kernel_feature
def test_a_home_without_write_permission() -> None:
    """As an ordinary user, because nothing is forbidden to root."""
    become_nobody = "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n" if os.geteuid() == 0 else ""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        base.chmod(0o755)
        (base / "home").mkdir(mode=0o555)
        (base / "tmp").mkdir()
        (base / "tmp").chmod(0o1777)
        code = (
            "import os, pathlib, psutil, tempfile\nfrom choline_jupyter.ledger import location\n"
            + become_nobody
            + "location._list_temporary_directories = lambda: iter([pathlib.Path(tempfile.gettempdir())])\n"
            + "print(*location.find_data_directory(), sep='\\n')"
        )
        env = {"HOME": str(base / "home"), "TMPDIR": str(base / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", code]
        ran = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        path, notice = ran.stdout.splitlines()
        assert Path(path).parent == base / "tmp"
        assert "cannot be made (Permission denied)" in notice


@pytest.mark.parametrize(
    ("path", "type"),
    [("/home/me/x/y", "nfs4"), ("/home/me", "nfs4"), ("/home/mel", "ext4"), ("/scratch/a", "tmpfs"), ("/", "ext4")],
)
def test_the_innermost_and_latest_mount_counts(path: str, type: str) -> None:
    mounts = [
        Mount("/", "ext4"),
        Mount("/home/me", "autofs"),
        Mount("/home/me", "nfs4"),
        Mount("/scratch", "xfs"),
        Mount("/scratch", "tmpfs"),
    ]
    assert find_file_system(Path(path), mounts) == type


def test_links_lead_to_their_target(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    mounts = [Mount("/", "ext4"), Mount(str(tmp_path / "real"), "cifs")]
    assert find_file_system(tmp_path / "link" / "choline", mounts) == "cifs"


@pytest.mark.parametrize("type", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "gpfs", "9p", "fuse.rclone"])
def test_network_file_systems(type: str) -> None:
    assert is_network(type)


@pytest.mark.parametrize(
    "type", ["ext4", "xfs", "overlay", "tmpfs", "apfs", "fuse.fuse-overlayfs", "fuseblk", "", "zfs"]
)
def test_local_file_systems(type: str) -> None:
    assert not is_network(type)


def test_the_machine_lists_its_mounts() -> None:
    assert "/" in {mount.directory for mount in location._list_mounts()}
