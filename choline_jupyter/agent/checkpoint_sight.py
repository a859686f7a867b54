"""The sight of checkpoints: files of models that a job writes by itself are noticed, and a consistent copy of each is made.

Used by `agent.training_feed` in its thread. `torch.save` and safetensors files, the directories of torch.distributed.checkpoint
(whole once their `.metadata` is there) and what matches the user's patterns. A file that does not stay as it is while it is
copied is left alone: its writer will close it again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple, Optional

from choline_jupyter.store.tensor_map import looks_whole

SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", ".keras", ".distcp")
_MOST = 200  # different files of one job
_KEPT = 2  # copies of each over here
_RESERVE = 256 << 20  # of the disk
_READ = 4 << 20


class Sighting(NamedTuple):
    """A copy: `path` is what was copied, below the project, `copy` where to, `files` its files with size and SHA-256."""

    path: str
    copy: Path
    files: list[tuple[str, int, str]]


class CheckpointSight:
    """One job's. `knows(path, status)` says whether a file came from elsewhere and was not written by the job."""

    def __init__(
        self,
        root: str,
        folder: Path,
        patterns: Sequence[str],
        knows: Callable[[str, os.stat_result], bool],
        complain: Callable[[str], None],
    ) -> None:
        self._root, self._folder, self._patterns = root, folder, tuple(patterns)
        self._knows, self._complain = knows, complain
        self._count = 0
        self._copies: dict[str, list[Path]] = {}
        self._has_complained: set[str] = set()

    def look(self, paths: Sequence[str]) -> Iterator[Sighting]:
        """What of these files, just written, is a checkpoint, with a copy of each; each path once."""
        wanted = dict.fromkeys(filter(None, map(self._find_subject, paths)))
        for path in wanted:
            relative = os.path.relpath(path, self._root)
            if relative not in self._copies and len(self._copies) >= _MOST:
                self._say("more than %d files look like checkpoints: no further ones are taken home" % _MOST)
                return
            with suppress(OSError):
                sighting = self._copy(path, relative)
                if sighting:
                    yield sighting

    def _find_subject(self, path: str) -> str:
        """The file or directory that counts; empty for none."""
        folder, name = os.path.split(path)
        if name == ".metadata":
            return folder if any(one.endswith(".distcp") for one in _list(folder)) else ""
        relative = os.path.relpath(path, self._root)
        if any(fnmatch(relative, pattern) or fnmatch(name, pattern) for pattern in self._patterns):
            return path
        is_ours = name.endswith(SUFFIXES) and not name.endswith(".distcp")
        return path if is_ours and not name.startswith(".") else ""

    def _copy(self, path: str, relative: str) -> Optional[Sighting]:
        status = os.lstat(path)
        if stat.S_ISDIR(status.st_mode):
            names = [name for name in sorted(_list(path)) if os.path.isfile(os.path.join(path, name))]
        elif stat.S_ISREG(status.st_mode) and not self._knows(relative, status) and looks_whole(Path(path)):
            names = [""]
        else:
            return None
        sources = [os.path.join(path, name) if name else path for name in names]
        size = sum(os.path.getsize(source) for source in sources)
        if not self._has_room(size):
            self._say("no room for a copy of %s (%.1f MB): it is not taken home" % (relative, size / 1e6))
            return None
        self._count += 1
        target = self._folder / ("%06d-%s" % (self._count, os.path.basename(path)))
        files = _copy_all(sources, names, target)
        if files is None:
            return None
        self._keep(relative, target)
        return Sighting(relative, target, files)

    def _has_room(self, size: int) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._folder).free > size + _RESERVE

    def _keep(self, relative: str, target: Path) -> None:
        copies = self._copies.setdefault(relative, [])
        copies.append(target)
        while len(copies) > _KEPT:
            remove_copy(copies.pop(0))

    def _say(self, sentence: str) -> None:
        if sentence not in self._has_complained:
            self._has_complained.add(sentence)
            self._complain(sentence)


def remove_copy(path: Path) -> None:
    """A file or directory of ours."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _copy_all(sources: Sequence[str], names: Sequence[str], target: Path) -> Optional[list[tuple[str, int, str]]]:
    """Copy under a temporary name; None, with nothing left, when one did not stay as it was."""
    temporary = target.with_name("." + target.name + ".part")
    try:
        if names != [""]:
            temporary.mkdir()
        files = [
            _copy_file(source, temporary / name if name else temporary, name) for source, name in zip(sources, names)
        ]
        if None not in files:
            os.replace(temporary, target)
            return [file for file in files if file is not None]
        return None
    finally:
        remove_copy(temporary)


def _copy_file(source: str, target: Path, name: str) -> Optional[tuple[str, int, str]]:
    digest = hashlib.sha256()
    with open(source, "rb") as reader, open(target, "wb") as writer:
        before = _sign(os.fstat(reader.fileno()))
        while data := reader.read(_READ):
            digest.update(data)
            writer.write(data)
        writer.flush()
        os.fsync(writer.fileno())
        size = writer.tell()
    is_same = before == _sign(os.stat(source)) and size == before[1]
    return (name, size, digest.hexdigest()) if is_same else None


def _sign(status: os.stat_result) -> tuple[Any, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _list(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
