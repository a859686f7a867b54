"""Parcels: files on their way to a session that asked for them, small ones together, large ones as blobs.

Made by `session.file_service`; `pack_files` reads the disk and is called in an executor. Promise: what a parcel holds of a
file is one version of it: one that changes while it is read is read again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from choline_jupyter.session.file_grant import Offered
from choline_jupyter.wire.frame import CHUNK

_TRIES = 5


class Parcel(NamedTuple):
    """`head` is a PROVIDE frame's; `body` or the blob `pack` holds the small files in order, `blobs` are the large ones.

    `digests` by path is what the session has once this has arrived.
    """

    head: dict[str, Any]
    body: bytes
    blobs: dict[str, Path]
    digests: dict[str, str]


def pack_files(offered: Sequence[Offered], folder: Path) -> Parcel:
    """Read what is offered; `folder` is where bytes are kept that do not fit a frame. Raises OSError."""
    entries: list[dict[str, Any]] = []
    blobs: dict[str, Path] = {}
    digests: dict[str, str] = {}
    body = bytearray()
    for one in offered:
        entry: dict[str, Any] = {"path": one.path, "kind": one.kind}
        if one.kind == "l":
            entry["target"] = one.target
        elif one.kind == "f":
            status, data, digest = _read_stable(one.source)
            entry.update(mode=one.mode, size=status.st_size, mtime=max(0, status.st_mtime_ns), digest=digest)
            digests[one.path] = digest
            if data is None:
                entry["blob"] = digest
                blobs[digest] = Path(one.source)
            body += data or b""
        entries.append(entry)
    head: dict[str, Any] = {"entries": entries}
    if len(body) > CHUNK:
        head["pack"] = hashlib.sha256(body).hexdigest()
        blobs[head["pack"]] = _keep(bytes(body), folder / head["pack"])
        body.clear()
    return Parcel(head, bytes(body), blobs, digests)


def _keep(data: bytes, path: Path) -> Path:
    path.write_bytes(data)
    return path


def _read_stable(source: str) -> tuple[os.stat_result, bytes | None, str]:
    """A file's status, its bytes if they are few, and its digest, all of one version."""
    for _ in range(_TRIES):
        fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            before = os.fstat(fd)
            if not stat.S_ISREG(before.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", source)
            data, digest = _read(file, before.st_size <= CHUNK)
            after = os.fstat(fd)
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return after, data, digest
    raise OSError(errno.EAGAIN, "it changes while it is read", source)


def _read(file: IO[bytes], is_small: bool) -> tuple[bytes | None, str]:
    if is_small:
        data = file.read()
        return data, hashlib.sha256(data).hexdigest()
    digest = hashlib.sha256()
    for piece in iter(lambda: file.read(CHUNK), b""):
        digest.update(piece)
    return None, digest.hexdigest()
