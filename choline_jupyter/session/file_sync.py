"""File sync: what one session has of this notebook's files, and what has to go with the next job.

Made by `magic.luggage` or `cli`, one per session, used in the thread that runs the cell. A file goes when it has changed
here since it went, or came home, last; so what a job has changed over there is not overwritten by what it was made of.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from choline_jupyter.store.entry import SMALL, Entry, write_entry
from choline_jupyter.store.scan import Scan

_HELD = 64 << 20  # bytes of small files that are not read again


class Shipment(NamedTuple):
    """What goes: `told` is for the agent's workspace; `small` files travel with the job, `large` ones ahead, by digest.

    `trouble` has a sentence for each file that could not be read; `bases` say by digest of which version a large file is
    a new one. `held` are small files that were just read, by path.
    """

    told: list[dict[str, Any]]
    small: list[str]
    large: dict[str, Path]
    trouble: list[str]
    bases: dict[str, str]
    held: dict[str, bytes]

    @property
    def is_empty(self) -> bool:
        return not self.told

    def list_files(self) -> Iterator[tuple[str, Any]]:
        """The path here of each entry, and the entry as it is told."""
        for part in self.told:
            yield from ((f"{part['root']}/{entry[0]}", entry) for entry in part["entries"])


class FileSync:
    """`memory` is the file in which is kept what the session has; `root` is the project's folder."""

    def __init__(self, root: Path, memory: Path, scan: Scan) -> None:
        self.root, self._memory, self._scan = root, memory, scan
        self._base = str(root).rstrip("/") + "/"
        self._sent: dict[str, str] = _load(memory)  # by path, what the session has

    def plan(self, files: Mapping[str, os.stat_result]) -> Shipment:
        """What of these files the session does not have as they are now, and what of its files is gone here.

        Small ones that it has had before are kept as they are here: it may have loaded them.
        """
        removed, kept = self._look_again(files)
        entries: dict[str, list[Entry]] = {}
        trouble = []
        held: dict[str, bytes] = {}
        room = _HELD
        for path, status in (*files.items(), *kept.items()):
            try:
                digest, now = self._scan.hash(path, status, held if room > 0 else None)
            except OSError as error:
                trouble.append(f"{path} stays here: {error.strerror or error}; .cholineignore leaves it out")
                continue
            if self._sent.get(path) != digest:
                room -= len(held.get(path, b""))
                root = self._find_root(path)
                entries.setdefault(root, []).append(_describe(path[len(root) + 1 :], digest, now))
            else:
                held.pop(path, None)
        return self._make(entries, removed, trouble, held)

    def read_small(self, shipment: Shipment) -> Iterator[bytes]:
        """The bytes of the small files, in order; each is as its entry says, or ValueError."""
        for path, entry in shipment.list_files():
            if entry[3] <= SMALL:
                data = shipment.held.get(path)
                if data is not None:
                    yield data
                    continue
                with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - of thousands
                    data = file.read()
                if hashlib.sha256(data).hexdigest() != entry[4]:
                    raise ValueError(f"{path} changes while it is read")
                yield data

    def note_sent(self, shipment: Shipment) -> None:
        """The session has this now."""
        self._sent.update((path, entry[4]) for path, entry in shipment.list_files())
        self.save()

    def forget(self, shipment: Shipment) -> None:
        """The session may not have this."""
        self.drop(path for path, _ in shipment.list_files())

    def drop(self, paths: Iterable[str]) -> None:
        """The session does not have these files."""
        for path in paths:
            self._sent.pop(path, None)
        self.save()

    def find_sent(self, path: Path) -> str:
        """The digest of what the session has under a path; empty for nothing."""
        return self._sent.get(str(path), "")

    def list_known(self) -> dict[str, str]:
        """What the session has, by path and SHA-256."""
        return dict(self._sent)

    def note(self, path: Path, digest: str) -> None:
        """A file is the same on both sides now; an empty digest: it is on neither."""
        if digest:
            self._sent[str(path)] = digest
        else:
            self._sent.pop(str(path), None)

    def save(self) -> None:
        """Keep it for the next process."""
        self._scan.save()
        temporary = self._memory.with_name(f"{self._memory.name}.{os.getpid()}")
        with suppress(OSError):
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self._sent))
            temporary.replace(self._memory)

    def _look_again(self, files: Mapping[str, os.stat_result]) -> tuple[list[str], dict[str, os.stat_result]]:
        """Of what the session has and is not asked for: what of the project is gone here, and what is small."""
        removed, kept = [], {}
        for path in [path for path in self._sent if path not in files]:
            try:
                status = os.stat(path)  # noqa: PTH116 - of thousands, for each cell
            except FileNotFoundError:
                del self._sent[path]
                removed += [path[len(self._base) :]] if path.startswith(self._base) else []
            except OSError:
                continue
            else:
                kept.update({path: status} if status.st_size <= SMALL else {})
        return removed, kept

    def _make(
        self, entries: dict[str, list[Entry]], removed: list[str], trouble: list[str], held: dict[str, bytes]
    ) -> Shipment:
        own = str(self.root)
        told = []
        for root in sorted(set(entries) | ({own} if removed else set())):
            written = [write_entry(entry) for entry in entries.get(root, ())]
            told.append({"root": root, "entries": written, "removed": removed if root == own else []})
        shipment = Shipment(told, [], {}, trouble, {}, held)
        for path, entry in shipment.list_files():
            if entry[3] <= SMALL:
                shipment.small.append(path)
            else:
                shipment.large[entry[4]] = Path(path)
                shipment.bases.update({entry[4]: self._sent[path]} if path in self._sent else {})
        return shipment

    def _find_root(self, path: str) -> str:
        return str(self.root) if path.startswith(self._base) else path.rpartition("/")[0]


def _describe(name: str, digest: str, status: os.stat_result) -> Entry:
    mode = stat.S_IMODE(status.st_mode) & 0o777
    return Entry(name, "file", mode, status.st_size, digest, "", max(0, status.st_mtime_ns))


def _load(memory: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        told = json.loads(memory.read_text())
        return told if isinstance(told, dict) else {}
    return {}
