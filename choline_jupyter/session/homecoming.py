"""Homecoming: files that a job has made over there are put into the project's folder here.

Called by `session.live` for each announcement, before the cell that waits for the job goes on. Promise: nothing is written
outside the project's folder, whatever the machine says; an edit that was made here meanwhile is never overwritten; a file that
takes another's place leaves the earlier one where it can be found.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from choline_jupyter.model.event import Event
from choline_jupyter.session.file_sync import FileSync
from choline_jupyter.store.entry import Entry, EntryError, read_entry
from choline_jupyter.store.scan import Scan
from choline_jupyter.store.tree import Tree

_FOREIGN = {".git", ".hg", ".svn", ".ssh", ".vscode", ".idea", ".ipynb_checkpoints", "__pycache__"}  # even if they went
_LARGEST = 64 << 20  # bytes of one announcement's small files


class Homecoming:
    """`earlier` is the folder that replaced files are moved to."""

    def __init__(self, sync: FileSync, scan: Scan, earlier: Path) -> None:
        self._sync, self._scan, self._earlier = sync, scan, earlier
        self._tree = Tree(str(sync.root))

    def take(self, event: Event, is_asked: bool) -> tuple[list[str], list[Entry]]:
        """Put the small files of an announcement in place: what to say of it, and the files that have to be fetched."""
        fact = event.read_content()
        if fact.get("root") != str(self._sync.root) or not (fact.get("pull") or is_asked):
            return [], []
        sentences: list[str] = []
        missing: list[Entry] = []
        buffers = iter(event.buffers)
        for told in fact.get("files", ()):
            entry, is_along = _read(told)
            content = bytes(next(buffers)) if is_along else None
            if entry is None:
                sentences.append("a file with a name that leads out of the project did not come home")
            elif content is None and entry.kind == "file":
                missing.append(entry)
            else:
                sentences += self._bring(entry, content or b"", event.job)
        for path in fact.get("removed", ()):
            self._remove(str(path), event.job)
        self._sync.save()
        return sentences, missing

    def put(self, entry: Entry, file: Path, job: str) -> list[str]:
        """Put a file in place that was fetched; what to say of it."""
        with file.open("rb") as source:
            sentences = list(self._place(entry, iter(lambda: source.read(1 << 20), b""), job))
        self._sync.save()
        return sentences

    def _bring(self, entry: Entry, content: bytes, job: str) -> Iterator[str]:
        if entry.kind == "file" and (len(content) > _LARGEST or hashlib.sha256(content).hexdigest() != entry.digest):
            yield f"{entry.path} came damaged and was not kept"
            return
        yield from self._place(entry, iter([content]), job)

    def _place(self, entry: Entry, pieces: Iterator[bytes], job: str) -> Iterator[str]:
        path = self._sync.root / entry.path
        if self._is_foreign(entry.path.split("/"), path):
            yield f"{entry.path} stays over there: hidden files are not taken from other machines"
            return
        try:
            target, sentence = self._make_room(entry, path, job)
            if entry.kind == "link":
                self._tree.put_link(target, entry.target)
            else:
                self._tree.put_file(target, pieces, entry.mode | 0o600, entry.mtime)
        except (OSError, EntryError) as error:
            yield f"{entry.path} could not be brought home: {getattr(error, 'strerror', None) or error}"
            return
        if target == entry.path:
            self._sync.note(path, entry.digest)
        if sentence:
            yield sentence

    def _is_foreign(self, parts: list[str], path: Path) -> bool:
        """Hidden files make programs do things here (shells, editors, git); one that the user had sent may come back."""
        is_hidden = any(part.startswith(".") for part in parts)
        return not _FOREIGN.isdisjoint(parts) or (is_hidden and not self._sync.find_sent(path))

    def _make_room(self, entry: Entry, path: Path, job: str) -> tuple[str, str]:
        """Where the file goes: beside one that was edited here since; in place of any other, which is kept elsewhere."""
        here = self._find_here(path)
        if not here or here in (entry.digest, self._sync.find_sent(path)):
            return entry.path, ""
        if self._sync.find_sent(path):
            beside = str(Path(entry.path).with_name(f"{path.stem}.{job}{path.suffix}"))
            return beside, f"{entry.path} was changed here and over there; that one is {beside}"
        return entry.path, f"{entry.path} took the place of an earlier one, which is kept in {self._keep(path, job)}"

    def _keep(self, path: Path, job: str) -> Path:
        """A copy of what is here, out of the way."""
        kept = self._earlier / job / path.relative_to(self._sync.root)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, kept, follow_symlinks=False)
        return kept

    def _find_here(self, path: Path) -> str:
        """What is here in that place: a digest, or another mark that it is something."""
        status = self._tree.find(str(path.relative_to(self._sync.root)))
        if status is None:
            return ""
        try:
            return self._scan.hash(str(path))[0] if not path.is_symlink() else "a link"
        except OSError:
            return "something"

    def _remove(self, path: str, job: str) -> None:
        """What a job has removed is removed here, unless it was changed here; a copy stays, should that be a mistake."""
        full = self._sync.root / path
        try:
            if self._sync.find_sent(full) and self._find_here(full) == self._sync.find_sent(full):
                self._keep(full, job)
                self._tree.remove(path)
                self._sync.note(full, "")
        except (OSError, EntryError):
            pass  # it stays


def _read(told: Any) -> tuple[Entry | None, bool]:
    """The entry of an announcement and whether its content came along."""
    *fields, is_along = told if isinstance(told, list) and told else [None]
    try:
        return read_entry(fields), is_along is True
    except EntryError:
        return None, is_along is True


def list_paths(entries: list[Entry]) -> str:
    """For a sentence: a few names, and how many more."""
    names = [entry.path for entry in entries[:3]]
    more = f" and {len(entries) - 3} more" if len(entries) > 3 else ""
    return ", ".join(names) + more + f" ({sum(entry.size for entry in entries) / 1e6:,.1f} MB)"


def find_earlier(directory: Path) -> Path:
    """Where replaced files are kept."""
    return directory / "earlier"
