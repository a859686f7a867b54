"""The workspace of a session: files that came from the client are put in place, files that a job has made are announced.

Used in the rank, or by the host of a script, in the thread that runs the cell; so it sees the files where the cell does.
What is in place is kept in an index beside the session's journal: what differs from it has been made or changed here.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Optional

from choline_jupyter.agent import mounts
from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.contents import Contents
from choline_jupyter.agent.fetched_log import FetchedLog
from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.agent.layout import Layout, list_kept
from choline_jupyter.agent.small_files import SmallFiles
from choline_jupyter.model.event import Kind
from choline_jupyter.store.entry import SMALL, Entry, EntryError, read_entry, write_entry
from choline_jupyter.store.scan import Scan, sign
from choline_jupyter.store.tree import PREFIX, Tree

_SKIPPED = {"__pycache__", ".ipynb_checkpoints", ".git", "node_modules"}
INDEX = "files.json"  # in the session's folder
_MOST = 20_000  # files that one job may announce
_FULL = (
    "%d files could not be put in place: the disk of this machine is full at %s. Free some space: they come again then"
)
_AT_ONCE = 8 << 20  # bytes of small files that come with the announcement


class Change(NamedTuple):
    """A file that a job has made or changed; `content` only if it is small."""

    entry: Entry
    content: Optional[bytes]


class Workspace:
    """The files of one session. `index` is the file that the index is kept in, `blobs` where large files have come to."""

    def __init__(self, layout: Layout, index: Path, blobs: Path, folder: Path) -> None:
        self.root = layout.root
        self.client_root = layout.client or layout.root  # what the client calls it
        self._layout, self._index, self._folder = layout, index, folder
        self._blobs, self._contents = BlobFolder(blobs), Contents(blobs.parent)
        self._full = ""  # what was said when the disk was full
        # what is renamed must not leave its mount
        self._reals = {layout.root: layout.real, **dict(layout.folders)} if layout.binds else {}
        self.shown = frozenset(list_kept(layout))  # folders of this machine that are not part of the project
        self._scan = Scan()
        self._fetched = FetchedLog(index.with_name("fetched.jsonl"))
        self.arrived: set[str] = set()  # files that the last job brought
        self.gathered: set[str] = set()  # parts of checkpoints that several nodes write
        self.apart = ""  # the folder below the project, with a slash, whose files are told of by others
        self.unplaced: list[str] = []  # and those of them that could not be put in place
        # root -> path -> [digest, *signature]; without a digest what was there before us
        self._known: dict[str, dict[str, list[Any]]] = load_index(index)
        if self.root not in self._known:
            self._known[self.root] = {path: ["", *sign(status)] for path, status in walk(self.root, self.shown)}

    def unpack(self, size: int, data: memoryview) -> Iterator[str]:
        """What came with a job: `size` bytes of JSON that say what it is, then the small files; see `receive`."""
        if size:
            told = json.loads(bytes(data[:size]))
            packs = told["packs"]
            yield from self.receive(told["parts"], SmallFiles(data[size:], packs, self._blobs if packs else None))

    def receive(self, told: Sequence[dict[str, Any]], small: Optional[SmallFiles] = None) -> Iterator[str]:
        """Put in place what has come; gives a sentence for each file that cannot be, one for all when the disk is full.

        Without `small` the contents of small files are on this machine already, too.
        """
        self.arrived, self.unplaced, self._full = set(), [], ""
        for part in told:
            root = self._find_root(str(part["root"]))
            problem = self._prepare(root)
            tree = Tree(self._reals.get(root, root), keeps_open=True)
            for one in part["entries"]:
                entry = read_entry(one)
                content = small.take(entry.size) if small and entry.kind == "file" and entry.size <= SMALL else None
                problem_here = problem or self._full or self._try(tree, root, entry, content)
                if problem_here:
                    self.unplaced.append(os.path.join(str(part["root"]), entry.path))
                    if not self._full:
                        yield "%s could not be put in place: %s." % (os.path.join(root, entry.path), problem_here)
            for path in part.get("removed", ()):
                self._remove(tree, root, path)
            tree.close()
        if self._full:
            yield _FULL % (len(self.unplaced), self.root)
        self._save()

    def collect(self) -> tuple[list[Change], list[str]]:
        """What in the project's folder differs from what is known, and what of it is gone; it is known from now on."""
        known = self._known.setdefault(self.root, {})
        self._fetched.note(self.root, known)
        seen: set[str] = set()
        changes: list[Change] = []
        for path, status in walk(self.root, self.shown):
            seen.add(path)
            if path in self.gathered or (self.apart and path.startswith(self.apart)):
                known[path] = ["", *sign(status)]  # nor are they news to a later job
                continue
            if len(changes) < _MOST and known.get(path, [""])[1:] != list(sign(status)):
                changes += filter(None, [self._take(path, status)])
        removed = [path for path in known if path not in seen]
        for path in removed:
            del known[path]
        if changes or removed or self.apart or self.gathered:
            self._save()
        return changes, removed

    def note_content(self, path: str, digest: str) -> None:
        """A file below the project has this content now: it need not come from the client."""
        real = self._reals.get(self.root, self.root) + path[len(self.root) :]
        with suppress(OSError):
            self._contents.note(digest, real)

    def has_placed(self, path: str, status: os.stat_result) -> bool:
        """Whether a file is one that was here before, came with a job or on demand, and is as it was."""
        known = self._known.get(self.root, {})
        FetchedLog(self._index.with_name("fetched.jsonl")).note(self.root, fetched := dict[str, list[Any]]())
        return any(index.get(path, [""])[1:] == list(sign(status)) for index in (known, fetched))

    def _prepare(self, root: str) -> str:
        """Have a folder that is not the project's; gives what stands in the way."""
        if root == self.root or os.path.isdir(root):
            return ""
        try:
            if self._layout.binds and not self._is_in_folder(root):
                number = len(list(self._folder.glob("outside*")))
                real, scratch = self._folder / ("outside%d" % number), self._folder / ("scratch%d" % number)
                real.mkdir(mode=0o700)
                scratch.mkdir(mode=0o700)
                mounts.make_point(root, str(scratch))
                mounts.bind(str(real), root)
                self._reals[root] = str(real)
            else:
                os.makedirs(root)
                self._reals.update((root, real + root[len(path) :]) for path, real in self._find_folder(root))
        except OSError as error:
            return _explain(error)
        return ""

    def _find_root(self, root: str) -> str:
        return self.root if root == self.client_root else root

    def _is_in_folder(self, root: str) -> bool:
        """Whether it is in a folder that is shown at its own path, so that it can just be made."""
        return bool(self._find_folder(root))

    def _find_folder(self, root: str) -> list[tuple[str, str]]:
        return [folder for folder in self._layout.folders if root.startswith(folder[0] + "/")]

    def _try(self, tree: Tree, root: str, entry: Entry, content: Optional[memoryview]) -> str:
        try:
            self._put(tree, root, entry, content)
        except (OSError, EntryError) as error:
            if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
                self._full = _explain(error)
            return _explain(error)
        return ""

    def _put(self, tree: Tree, root: str, entry: Entry, content: Optional[memoryview]) -> None:
        known = self._known.setdefault(root, {})
        status: Optional[os.stat_result] = None
        if entry.kind == "folder":
            tree.put_folder(entry.path, entry.mode)
            return
        if not known.get(entry.path, [""])[0] and not tree.is_new(entry.path) and tree.find(entry.path):
            if not self._has_already(tree, entry):
                raise FileExistsError(errno.EEXIST, "this machine has one of its own there")
            status = tree.find(entry.path)
        elif entry.kind == "link":
            tree.put_link(entry.path, entry.target)
            status = tree.find(entry.path)
        else:
            status = self._put_file(tree, entry, content)
            if entry.path in known:
                _forget_byte_code(os.path.join(tree.root, entry.path))
        self.arrived.add(os.path.join(root, entry.path))
        if status:
            known[entry.path] = [_name(entry), *sign(status)]

    def _has_already(self, tree: Tree, entry: Entry) -> bool:
        """Whether a file of this machine's own is what has come: a checkpoint that went home from here, or equal by chance.

        Of a checkpoint each side has a record of its own.
        """
        if entry.path.startswith("checkpoints/") and entry.path.endswith(".json"):
            return True
        status = tree.find(entry.path)
        is_candidate = entry.kind == "file" and status and stat.S_ISREG(status.st_mode) and status.st_size == entry.size
        return bool(is_candidate) and self._scan.hash(os.path.join(tree.root, entry.path))[0] == entry.digest

    def _put_file(self, tree: Tree, entry: Entry, content: Optional[memoryview]) -> Optional[os.stat_result]:
        """A small file that came is written, any other is its blob itself."""
        if content is not None:
            if len(content) != entry.size:
                raise FileNotFoundError(errno.ENOENT, "it has not come whole")
            return tree.put_file(entry.path, [content], entry.mode, entry.mtime)
        with self._contents.hold(entry.digest):
            with _let_go_later(tree, entry.path):
                tree.put_made(entry.path, partial(self._contents.place, entry.digest), entry.mode, entry.mtime)
            self._contents.note(entry.digest, os.path.join(tree.root, entry.path))
        return tree.find(entry.path)

    def _remove(self, tree: Tree, root: str, path: str) -> None:
        """What the client has removed; not what was changed here since."""
        known = self._known.get(root, {}).pop(path, None)
        with suppress(OSError, EntryError):
            status = tree.find(path)
            if known and status and known[1:] == list(sign(status)):
                tree.remove(path)

    def _take(self, path: str, status: os.stat_result) -> Optional[Change]:
        """One file that may have changed; None when its content has not, or it is gone again."""
        known = self._known[self.root]
        old = known.get(path, [""])[0]
        try:
            entry, content = self._describe(path, status)
        except (OSError, EntryError):
            return None
        known[path] = [_name(entry), *sign(status)]
        return None if old == _name(entry) else Change(entry, content)

    def _describe(self, path: str, status: os.stat_result) -> tuple[Entry, Optional[bytes]]:
        full = os.path.join(self.root, path)
        mode, mtime = stat.S_IMODE(status.st_mode) & 0o777, max(0, status.st_mtime_ns)
        if stat.S_ISLNK(status.st_mode):
            entry = Entry(path, "link", mode, 0, "", os.readlink(full), mtime)
            return read_entry(list(entry)), None
        digest, now = self._scan.hash(full)
        content = None
        if now.st_size <= SMALL:
            with open(full, "rb") as file:
                content = file.read(SMALL + 1)
        return Entry(path, "file", mode, now.st_size, digest, "", mtime), content

    def _save(self) -> None:
        temporary = self._index.with_suffix(".tmp")
        temporary.write_text(json.dumps(self._known))
        os.replace(temporary, self._index)


def tell_unplaced(workspace: Workspace, journal: JournalWriter, job: str, attempt: int) -> None:
    """Have the client know what the session does not have after all: it sends it again."""
    if workspace.unplaced:
        fact = json.dumps({"state": "unplaced", "files": workspace.unplaced}).encode()
        journal.append(Kind.STATE, [b"{}", b"{}", b"{}", fact], job, attempt)


def announce(workspace: Workspace, journal: JournalWriter, job: str, attempt: int, pull: bool) -> None:
    """Append what a job has made to the journal: the first small files with their content, of the others that they are.

    `pull` False: nothing is to come home by itself.
    """
    changes, removed = workspace.collect()
    if not changes and not removed:
        return
    room, buffers, told = _AT_ONCE if pull else 0, [], []
    for entry, content in changes:
        is_along = content is not None and len(content) <= room
        if is_along and content is not None:
            room -= len(content)
            buffers.append(content)
        told.append([*write_entry(entry), is_along])
    fact = {"files": told, "removed": removed, "root": workspace.client_root, "pull": pull}
    journal.append(Kind.ARTIFACT, [b"{}", b"{}", b"{}", json.dumps(fact).encode(), *buffers], job, attempt)


def find_workspace(order: dict[str, Any]) -> Optional[Workspace]:
    """The workspace that the supervisor's order to a rank speaks of; None in a session that has the client's own files."""
    if not order.get("layout"):
        return None
    layout, folder = Layout(**order["layout"]), Path(order["workspace"])
    return Workspace(layout, Path(order["journal"]) / INDEX, Path(order["blobs"]), folder)


@contextmanager
def _let_go_later(tree: Tree, path: str) -> Iterator[None]:
    """To free the blocks of a large old version takes as long as to write some of the new one: the cell does not wait."""
    try:
        old = tree.open(path)
    except OSError:
        old = -1
    try:
        yield
    finally:
        if old >= 0:
            threading.Thread(target=os.close, args=(old,), daemon=True).start()


def _forget_byte_code(path: str) -> None:
    """Python tells byte code from an older source by size and whole seconds: an edit may change neither."""
    folder, stem = os.path.join(os.path.dirname(path), "__pycache__"), os.path.basename(path).partition(".py")[0]
    with suppress(OSError):
        for name in os.listdir(folder) if path.endswith(".py") else ():
            if name.startswith(stem + ".") and name.endswith(".pyc"):
                os.unlink(os.path.join(folder, name))


def _name(entry: Entry) -> str:
    """What a file or link holds, in a word."""
    return entry.digest or "link " + entry.target


def walk(root: str, shown: Container[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Files and links below a folder, not through links; of what jobs leave behind for themselves nothing.

    `shown` are folders of the machine's own that are not part of the project.

    It runs at the end of each cell: no more than one system call for a file.
    """
    folders = [("", root)]
    while folders:
        below, folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED and entry.path not in shown:
                    folders.append((below + entry.name + "/", entry.path))
            elif not entry.name.startswith(PREFIX) and not entry.name.endswith(".pyc"):
                yield from _look_at(below + entry.name, entry)


def _look_at(path: str, entry: os.DirEntry[str]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:  # it is gone
        return
    if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        yield path, status


def _explain(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def load_index(index: Path) -> dict[str, dict[str, list[Any]]]:
    """By root and path, digest (empty for what was there before us) and signature."""
    with suppress(OSError, ValueError):
        told = json.loads(index.read_text())
        return told if isinstance(told, dict) else {}
    return {}
