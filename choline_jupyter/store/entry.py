"""Entries: the files of a tree as they travel, without their bytes.

Written and read by `session.file_sync` and `agent.workspace`. Whatever comes over the wire passes `read_entry`, so a path
that leaves its root never reaches the disk.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_PLAIN = re.compile(r"(?:(?!\.\.?(?:/|\Z))[^/\0\x80-\U0010ffff]+(?:/(?!\Z)|\Z))+\Z")  # what most are
_LONGEST = 4096  # PATH_MAX on Linux
_LONGEST_PART = 255  # NAME_MAX, in bytes
SMALL = 1 << 20  # bytes; a file of more travels by itself
_KINDS = ("file", "folder", "link")
_TYPES = (str, str, int, int, str, str, int)


class EntryError(ValueError):
    """What came is no entry; the text says why in a few words."""


class Entry(NamedTuple):
    """One file, folder or link below a root. `mode` holds permission bits, `size` is in bytes.

    `path` is relative, with `/` between its parts; bytes that are no UTF-8 are kept as surrogates, as `os.fsdecode` does.
    `digest` is the SHA-256 of a file's content; `target` is what a link says; `mtime` is in ns.
    """

    path: str
    kind: str = "file"
    mode: int = 0o644
    size: int = 0
    digest: str = ""
    target: str = ""
    mtime: int = 0


def write_entry(entry: Entry) -> list[Any]:
    """For JSON."""
    return list(entry)


def read_entry(told: Any) -> Entry:
    """The entry that `write_entry` has written; raises EntryError for anything else."""
    if not isinstance(told, list) or len(told) != len(Entry._fields):
        raise EntryError("no entry")
    entry = Entry(*told)
    if (
        tuple(map(type, entry)) != _TYPES
        or min(entry.mode, entry.size, entry.mtime) < 0
        or max(entry.size, entry.mtime) >> 63
    ):
        raise EntryError("an entry of other types")
    if entry.kind not in _KINDS or entry.mode > 0o777 or bool(entry.digest) != (entry.kind == "file"):
        raise EntryError("an entry of another kind")
    if entry.digest and not _DIGEST.match(entry.digest):
        raise EntryError("an entry without a digest")
    check_path(entry.path)
    if entry.kind == "link":
        _check_target(entry)
    return entry


def check_path(path: str) -> str:
    """`path` if it stays below its root; raises EntryError."""
    if len(path) < _LONGEST_PART and _PLAIN.match(path):
        return path
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise EntryError("the path %r" % path[:100])
    try:
        sizes = [len(part.encode("utf-8", "surrogateescape")) for part in parts]
    except UnicodeEncodeError:
        raise EntryError("the path %r" % path[:100]) from None
    if max(sizes) > _LONGEST_PART or sum(sizes) + len(sizes) > _LONGEST:
        raise EntryError("a path of %d bytes" % sum(sizes))
    return path


def _check_target(entry: Entry) -> None:
    """A link may only say what lies below the same root."""
    if not entry.target or "\0" in entry.target or entry.target.startswith("/"):
        raise EntryError("the link %r" % entry.path)
    depth = entry.path.count("/")
    for part in entry.target.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            raise EntryError("the link %r" % entry.path)
