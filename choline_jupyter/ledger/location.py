"""Where the local record lies: a private folder on a disk of this machine.

Called by `session`, the server extension and the command before they open the ledger or the event store. SQLite's
write-ahead log needs memory shared between processes, which network file systems do not have; a home directory on one,
or without write permission, is replaced by a local folder, and `notice` says so.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from choline_jupyter.ledger.trouble import StoreError

# fmt: off
_NETWORK = frozenset(
    {
        "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "mfs",
        "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "webdav", "wekafs",
    }
)
_NETWORK_BY_FUSE = frozenset(
    {
        "blobfuse", "blobfuse2", "ceph", "ceph-fuse", "cephfs", "curlftpfs", "davfs", "davfs2", "gcsfuse",
        "glusterfs", "goofys", "grpcfuse", "juicefs", "mfs", "mountpoint-s3", "osxfs", "rclone", "s3fs",
        "seaweedfs", "sshfs", "vmhgfs-fuse", "weed",
    }
)
# fmt: on
_CHOOSE = "Set CHOLINE_HOME to a folder on a local disk that you can write to."


class DataDirectory(NamedTuple):
    """The folder to use, and one sentence for the user when it is not the one they would expect, else empty."""

    path: Path
    notice: str


class Mount(NamedTuple):
    """A mounted file system, as the operating system lists it."""

    directory: str
    type: str


def find_data_directory() -> DataDirectory:
    """The folder, made if need be: $CHOLINE_HOME, else $XDG_DATA_HOME/choline, else ~/.local/share/choline.

    Raises StoreError when not even a temporary folder can be used.
    """
    wanted = _find_wanted()
    trouble = _find_trouble(wanted)
    if not trouble:
        return DataDirectory(wanted, "")
    path = _claim_local_directory()
    return DataDirectory(path, f"{wanted} {trouble}, so choline keeps its record in {path}. {_CHOOSE}")


def find_file_system(path: Path, mounts: Iterable[Mount]) -> str:
    """The type of the file system that holds `path`, which need not exist; empty when no mount does."""
    real = Path(os.path.realpath(path))
    found = Mount("", "")
    for mount in mounts:
        # Later mounts lie on top of earlier ones at the same place.
        if len(mount.directory) >= len(found.directory) and real.is_relative_to(mount.directory):
            found = mount
    return found.type


def is_network(file_system: str) -> bool:
    """Whether a file system of this type is shared with other machines."""
    family, _, name = file_system.partition(".")
    return name in _NETWORK_BY_FUSE if family in ("fuse", "macfuse") else file_system in _NETWORK


def _find_wanted() -> Path:
    """The folder the user would expect; relative when it would be in a home directory that they do not have."""
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    base = data if data.is_absolute() else Path("~/.local/share")  # the specification: a relative one is ignored
    wanted = Path(os.environ.get("CHOLINE_HOME") or base / "choline")
    try:
        return wanted.expanduser().absolute()
    except RuntimeError:
        return wanted


def _find_trouble(path: Path) -> str:
    """Why this folder cannot be used, as the end of a sentence; empty when it can."""
    if not path.is_absolute():
        return "cannot be found, because you have no home directory"
    file_system = find_file_system(path, _list_mounts())
    if is_network(file_system):
        return f"is on a network file system ({file_system})"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return f"cannot be made ({error.strerror})"
    # Access is asked, not tried: on a full disk a folder is still the right one.
    return "" if os.access(path, os.R_OK | os.W_OK | os.X_OK) else "cannot be written to"


def _claim_local_directory() -> Path:
    """A folder of this user's alone that other programs leave in peace."""
    mounts = list(_list_mounts())
    reason = "they are on network file systems"
    for base in _list_temporary_directories():
        path = base / f"choline-{os.getuid()}"
        if is_network(find_file_system(path, mounts)):
            continue
        try:
            return _claim(path)
        except OSError as error:
            reason = error.strerror or str(error)
    raise StoreError(f"None of the temporary folders can hold choline's record ({reason}).", _CHOOSE)


def _list_temporary_directories() -> Iterator[Path]:
    """Those that keep their contents longest first: what we own must not be forgotten at a reboot or logout."""
    yield Path("/var/tmp")  # noqa: S108 - claimed with care below
    yield Path(tempfile.gettempdir())
    if os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(os.environ["XDG_RUNTIME_DIR"])


def _claim(path: Path) -> Path:
    """Make `path` or take it over; raises OSError when it is not a real folder, ours and writable.

    Anyone may write to /tmp: another user could have made it first, or put a link there.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(0, f"{path} belongs to someone else")
    if stat.S_IMODE(status.st_mode) != 0o700:
        path.chmod(0o700)
    if not os.access(path, os.W_OK):
        raise PermissionError(0, f"{path} cannot be written to")
    return path


def _list_mounts() -> Iterator[Mount]:
    import psutil

    try:
        partitions = psutil.disk_partitions(all=True)
    except OSError:  # a container that hides /proc
        return
    for partition in partitions:
        yield Mount(partition.mountpoint, partition.fstype)
