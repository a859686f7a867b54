"""The catalog: what addresses have given on this machine, for all sessions of its user.

Used by `agent.dataset.main` and, to know a file again, by `agent.datasets`. It holds no content but what is on its way: that is
`agent.contents`', by its digest. One process at a time downloads an address; the others wait for it and find what it found.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable, NamedTuple, Optional

_AGAIN = 0.2  # seconds between two looks at a lock, as a signal must be heard meanwhile
_KEEP = 7 * 86400.0  # as long as anything is kept that nobody uses


class Known(NamedTuple):
    """What an address gave: `etag` and `modified` are the server's words, `mtime` is in ns."""

    sha256: str
    size: int
    etag: str = ""
    modified: str = ""
    mtime: int = 0


class Part(NamedTuple):
    """What has come of a download that was cut: its file, and of which version it is."""

    path: Path
    note: Path

    def read_size(self) -> int:
        """How much has come."""
        with suppress(OSError):
            return self.path.stat().st_size
        return 0

    def read_validator(self) -> str:
        """What `If-Range` takes; empty where the server gave nothing to know the version by."""
        with suppress(OSError, ValueError):
            told = json.loads(self.note.read_text())
            return str(told.get("validator", "")) if isinstance(told, dict) else ""
        return ""

    def begin(self, validator: str) -> None:
        """What comes from now on is of this version."""
        self.path.unlink(missing_ok=True)
        self.note.write_text(json.dumps({"validator": validator}))

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


class Catalog:
    """`home` is the agent's folder. Raises OSError."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "datasets"

    def find(self, identity: str) -> Optional[Known]:
        """What an address gave last; None where nobody has asked for it, or that cannot be read."""
        with suppress(OSError, ValueError, TypeError):
            told = json.loads(self._name(identity, "json").read_text())
            known = Known(*told)
            return known if len(known.sha256) == 64 and known.size >= 0 else None
        return None

    def note(self, identity: str, known: Known) -> None:
        """An address gives this now; written whole or not at all."""
        path = self._name(identity, "json")
        temporary = path.with_suffix(".%d.tmp" % os.getpid())
        temporary.write_text(json.dumps(list(known)))
        os.replace(temporary, path)

    def find_part(self, identity: str) -> Part:
        """Where what comes of an address is put until it is whole; for who holds its turn."""
        return Part(self._name(identity, "part"), self._name(identity, "version"))

    @contextmanager
    def take_turn(self, identity: str, wait: Callable[[int], None]) -> Iterator[None]:
        """Be the only one who downloads an address; `wait(size)` is called meanwhile with what another has of it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._name(identity, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _try_lock(fd):
                wait(self.find_part(identity).read_size())
                time.sleep(_AGAIN)
            os.utime(fd)
            yield
        finally:
            os.close(fd)

    def sweep(self) -> None:
        """Forget what nobody has asked for in the keeping time; a lock that is held, and what it is for, stays."""
        with suppress(FileNotFoundError):
            for entry in list(os.scandir(self._folder)):
                if entry.name.endswith(".lock") and time.time() - entry.stat().st_mtime > _KEEP:
                    self._forget(Path(entry.path))

    def _forget(self, lock: Path) -> None:
        fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            if _try_lock(fd):
                for suffix in (".json", ".part", ".version"):
                    lock.with_suffix(suffix).unlink(missing_ok=True)
        finally:
            os.close(fd)

    def _name(self, identity: str, suffix: str) -> Path:
        """By its hash: an address may be a secret, as one that is signed is, and too long for a name."""
        key = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
        return self._folder / ("%s.%s" % (key, suffix))


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
