"""Committing: a checkpoint's file is whole under its name or not there, whatever is killed when.

Used by `training.checkpoints`. The file is written under a temporary name, flushed and renamed; its record (`NAME.json`, with
size and SHA-256) follows the same way and is what commits it. A file without a record, or that does not match it, does not count.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Optional

_TEMPORARY = ".part"
_READ = 1 << 20


class Committed(NamedTuple):
    """One committed checkpoint: its file and what its record says."""

    path: Path
    record: dict[str, Any]


class HashedFile:
    """What is written through it is hashed on the way."""

    def __init__(self, file: Any) -> None:
        self._file, self.size = file, 0
        self.hash = hashlib.sha256()

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.hash.update(view)
        self._file.write(view)
        self.size += len(view)
        return len(view)

    def flush(self) -> None:
        self._file.flush()


def commit(path: Path, write: Callable[[HashedFile], None], record: dict[str, Any]) -> dict[str, Any]:
    """Have `write` make the file, then its record; returns the record. Raises OSError, with nothing left of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("." + path.name + _TEMPORARY)
    try:
        with open(temporary, "wb") as file:
            hashed = HashedFile(file)
            write(hashed)
            file.flush()
            os.fsync(file.fileno())
        find_record(path).unlink(missing_ok=True)  # of an earlier file of this name
        os.replace(temporary, path)
        whole = {**record, "size": hashed.size, "sha256": hashed.hash.hexdigest()}
        _write_record(path, whole)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return whole


def list_committed(folder: Path, prefix: str) -> list[Committed]:
    """Checkpoints that have a record and its size, newest first; their hashes are checked when one is used."""
    found = []
    for note in folder.glob(prefix + "*.json") if folder.is_dir() else ():
        with suppress(OSError, ValueError, KeyError, TypeError):
            record, path = json.loads(note.read_text()), note.with_suffix("")
            if path.stat().st_size == record["size"]:
                found.append((int(record["step"]), path.stat().st_mtime_ns, Committed(path, record)))
    return [one for *_, one in sorted(found, key=lambda item: item[:2], reverse=True)]


def is_whole(committed: Committed) -> bool:
    """Whether the file is what its record says."""
    digest = hashlib.sha256()
    try:
        with open(committed.path, "rb") as file:
            while data := file.read(_READ):
                digest.update(data)
    except OSError:
        return False
    return bool(digest.hexdigest() == committed.record["sha256"])


def find_newest(folder: Path, prefix: str) -> Optional[Committed]:
    """The newest checkpoint that is whole; a broken one is never the newest."""
    return next(filter(is_whole, list_committed(folder, prefix)), None)


def remove(committed: Committed) -> None:
    """The record goes first: without it the file does not count."""
    find_record(committed.path).unlink(missing_ok=True)
    committed.path.unlink(missing_ok=True)


def find_record(path: Path) -> Path:
    """Where the record of a file is."""
    return path.with_name(path.name + ".json")


def _write_record(path: Path, record: dict[str, Any]) -> None:
    temporary = path.with_name("." + path.name + ".json" + _TEMPORARY)
    with open(temporary, "w") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, find_record(path))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
