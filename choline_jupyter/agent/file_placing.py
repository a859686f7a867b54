"""Placing: puts files that a client has sent where the kernel looks for them.

Called by `agent.file_requests` in an executor. Promise: a file is there whole or not at all, and one that is there
already (the kernel may have made it meanwhile) is never replaced.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.contents import Contents
from choline_jupyter.store.tree import PREFIX

Entry = Mapping[str, Any]


class Placing:
    """One delivery: entries with the places that they go to, and the bytes of those that have no blob of their own."""

    def __init__(self, blobs: BlobFolder, entries: Sequence[tuple[Entry, str]], body: bytes, pack: str) -> None:
        self._blobs, self._entries, self._body, self._pack = blobs, entries, body, pack

    def run(self) -> None:
        """Put everything in place. Raises OSError; what was placed until then stays. Blocks; for an executor."""
        data = self._blobs.find(self._pack).read_bytes() if self._pack else self._body
        offset = 0
        for entry, place in self._entries:
            kind = entry["kind"]
            if kind == "d":
                os.makedirs(place, exist_ok=True)
            elif kind == "l":
                _place_link(str(entry["target"]), place)
            elif "blob" in entry:
                self._place_blob(entry, place)
            else:
                size = int(entry["size"])
                _place_file(entry, place, data[offset : offset + size])
                offset += size
        if self._pack:
            self._blobs.remove(self._pack)

    def _place_blob(self, entry: Entry, place: str) -> None:
        """A large file: the blob itself goes there, where it is on the same disk."""
        digest, temporary = self._blobs.find(str(entry["blob"])).name, _make_temporary(place)
        os.unlink(temporary)
        contents = Contents(self._blobs.folder.parent)
        try:
            contents.place(digest, temporary)
            _finish(entry, temporary, place)
        finally:
            _drop(temporary)
        contents.note(digest, place)


def _place_file(entry: Entry, place: str, data: bytes) -> None:
    if os.path.lexists(place):
        return
    if len(data) != int(entry["size"]):
        raise OSError(errno.EIO, "a file came incomplete", place)
    temporary = _make_temporary(place)
    try:
        Path(temporary).write_bytes(data)
        _finish(entry, temporary, place)
    finally:
        _drop(temporary)


def _place_link(target: str, place: str) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with suppress(FileExistsError):
        os.symlink(target, place)


def _make_temporary(place: str) -> str:
    folder = os.path.dirname(place)
    os.makedirs(folder, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=PREFIX, dir=folder)
    os.close(descriptor)
    return temporary


def _finish(entry: Entry, temporary: str, place: str) -> None:
    """Give a whole file its mode, its time and, unless it is taken, its name."""
    os.chmod(temporary, stat.S_IMODE(int(entry["mode"])) & 0o777)
    os.utime(temporary, ns=(int(entry["mtime"]), int(entry["mtime"])))
    try:
        os.link(temporary, place)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not os.path.lexists(place):
            os.replace(temporary, place)


def _drop(temporary: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(temporary)
