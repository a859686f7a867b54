"""The file system of an old Debian, made once on a machine: Python 3.9 without ensurepip, pip or uv, and an sshd.

Used by `tests.hosts.host`; kept in pytest's cache. debootstrap's own default says where packages come from.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

RELEASE = "bullseye"
PACKAGES = ("python3", "openssh-server", "fish", "faketime")


def find_obstacle() -> str:
    """What this machine lacks for hosts of their own; empty where it has all."""
    if os.geteuid() != 0:
        return "needs a kernel feature: namespaces, which only root may make here"
    missing = [tool for tool in ("debootstrap", "unshare", "ip", "chroot") if not shutil.which(tool)]
    if missing:
        pytest.fail(f"{', '.join(missing)} missing: make system")
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "needs a kernel feature: overlayfs"
    if subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        return "needs a kernel feature: namespaces"
    return ""


def make_root(cache: Path) -> Path:
    """The root, which nobody may change; the first call takes a minute, on a busy machine ten, of a test's time."""
    root = cache / f"{RELEASE}-{'-'.join(PACKAGES)}"
    with root.with_suffix(".lock").open("w") as lock:  # of several processes that run tests one makes it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _fill(root)
    return root


def _fill(root: Path) -> None:
    draft = root.with_suffix(".draft")
    subprocess.run(["umount", "--quiet", draft / "proc"], check=False)  # of one that was killed as it was made
    shutil.rmtree(draft, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", RELEASE, str(draft)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    draft.rename(root)
