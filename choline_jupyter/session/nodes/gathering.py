"""Checkpoints of several nodes, put together at home: each writes its parts, and all need all of them to go on.

Made by `session.nodes.controller`; in the engine's loop, disk in an executor. Parts are fetched as they are written, so what a
lost machine had is here. A directory of torch.distributed.checkpoint is whole when the files that its `.metadata` names are
here, each in the same version; the pickle is read for names, never run. Whole ones are kept as other checkpoints are
(`checkpoints/JOB/`), so the job can be resumed later, too.
"""

from __future__ import annotations

import asyncio
import json
import pickletools
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from choline_jupyter.errors import CorruptBlob, DataError, HostError, RequestError
from choline_jupyter.session.bulk import Bulk
from choline_jupyter.session.checkpoint_policy import choose_surplus, read_policy
from choline_jupyter.session.checkpoint_record import Part, list_kept, make_record, read_announced
from choline_jupyter.session.checkpoints import remove_kept
from choline_jupyter.store.entry import EntryError, read_entry
from choline_jupyter.store.tree import Tree

if TYPE_CHECKING:
    from choline_jupyter.session.nodes.node import Node

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_LARGEST = 64 << 20  # bytes of a `.metadata`
_FOLDERS, _FILES = 2, 8  # whole ones that a machine that comes anew is given
_METADATA = ".metadata"
_ODD, _NAME = re.compile(r"[^A-Za-z0-9_.+=@-]"), 150  # what a kept checkpoint's name does not have

Files = dict[str, Part]  # by path below the project


class _Announced(NamedTuple):
    node: Node
    path: str
    part: Part


class Gathering:
    """`root` is the project's folder, `inbox` this job's own; `describe()` says what stands beside each checkpoint."""

    def __init__(
        self, root: Path, inbox: Path, job: str, keep: str | None, describe: Callable[[], dict[str, Any]]
    ) -> None:
        self._root, self._inbox, self._job, self._keep, self._describe = root, inbox, job, keep, describe
        self._tree = Tree(str(root))
        self._turn = asyncio.Lock()  # one thread at a time makes something whole
        self._versions: dict[str, list[Part]] = {}  # of this attempt
        self._folders: dict[str, Files] = {}  # whole ones, newest last
        self._files: Files = {}  # single ones, newest last
        self._ever_whole: set[str] = set()
        self._tasks: dict[Node, asyncio.Task[None]] = {}
        self._waiting: dict[Node, list[_Announced]] = {}
        self.count = 0  # of whole ones so far
        self.notices: list[str] = []

    def take(self, node: Node, fact: dict[str, Any]) -> None:
        """A part was written on a node: fetch it behind those before."""
        try:
            digest, size = str(fact["sha256"]), int(fact["size"])
            path = read_entry([str(fact["path"]), "file", 0o644, size, digest, "", 0]).path
        except (KeyError, TypeError, ValueError, EntryError):
            self.notices.append(f"{node.machine} told of a checkpoint in a way that cannot be read")
            return
        node.files[path] = digest
        self._waiting.setdefault(node, []).append(_Announced(node, path, Part("", size, digest)))
        task = self._tasks.get(node)
        if task is None or task.done():
            self._tasks[node] = asyncio.create_task(self._bring(node))

    async def settle(self, nodes: list[Node]) -> None:
        """Return when all that these nodes have told of is here, or cannot be."""
        for node in nodes:
            if node in self._tasks:
                await self._tasks[node]

    def abandon(self, node: Node) -> None:
        """A node is lost: what it had and is not here is gone."""
        self._waiting.pop(node, None)
        task = self._tasks.pop(node, None)
        if task:
            task.cancel()

    def begin_attempt(self) -> None:
        """What was not whole never will be."""
        self._versions.clear()

    def list_files(self) -> Files:
        """What every node should have when it goes on."""
        return {**{path: part for files in self._folders.values() for path, part in files.items()}, **self._files}

    def find_lack(self, node: Node) -> tuple[list[str], Files]:
        """What has to go from a node, and what has to come, so that it has what all have."""
        lacking = {path: part for path, part in self.list_files().items() if node.files.get(path) != part.digest}
        remove = {path for path in node.files if path in lacking or self._is_torn(path)}
        return sorted(remove), lacking

    def _is_torn(self, path: str) -> bool:
        """Whether it is a part of something that did not become whole."""
        return _is_of_folder(path) and _find_folder(path) not in self._ever_whole

    def find_piece(self, part: Part) -> Path:
        """Where a part's bytes are."""
        return self._inbox / part.digest

    def close(self) -> None:
        for node in list(self._tasks):
            self.abandon(node)
        shutil.rmtree(self._inbox, ignore_errors=True)

    async def _bring(self, node: Node) -> None:
        while waiting := self._waiting.get(node):
            announced = waiting.pop(0)
            try:
                await self._fetch(announced)
            except CorruptBlob:
                continue  # it was written again meanwhile, and is told of again
            except (HostError, DataError, OSError) as error:
                self.notices.append(f"{announced.path} of {node.machine} did not come home ({error})")
                continue
            self._versions.setdefault(announced.path, []).append(announced.part)
            async with self._turn:
                try:
                    await asyncio.to_thread(self._look, announced.path)
                except (OSError, ValueError, EntryError) as error:
                    self.notices.append(f"{announced.path} could not be kept ({error})")

    async def _fetch(self, announced: _Announced) -> None:
        target = self.find_piece(announced.part)
        if not target.exists():
            self._inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
            part, coming = announced.part, target.with_suffix(".part")
            place = {"session": announced.node.session.row.id, "path": announced.path}
            await Bulk(announced.node.session.connection).get_file(place, part.digest, part.size, coming)
            coming.replace(target)

    def _look(self, path: str) -> None:
        """In an executor: whether something has become whole by this part."""
        if not _is_of_folder(path):
            self._files.pop(path, None)
            self._files[path] = self._versions[path][-1]
            self._commit(path, {path: self._files[path]})
            for old in list(self._files)[:-_FILES]:
                del self._files[old]
        else:
            folder = _find_folder(path)
            files = self._find_whole(folder)
            if files and files != self._folders.get(folder):
                self._folders.pop(folder, None)
                self._folders[folder] = files
                self._ever_whole.add(folder)
                self._commit(folder, files)
                for old in list(self._folders)[:-_FOLDERS]:
                    del self._folders[old]
        self._sweep()

    def _find_whole(self, folder: str) -> Files:
        """The newest version of a directory of which everything is here."""
        metadata = _join(folder, _METADATA)
        for number in range(len(self._versions.get(metadata, ())), 0, -1):
            noted = self._versions[metadata][number - 1]
            names = list(read_names(self.find_piece(noted)))
            paths = [_join(folder, name) for name in names]
            if names and all(len(self._versions.get(path, ())) >= number for path in paths):
                return {**{path: self._versions[path][number - 1] for path in paths}, metadata: noted}
        return {}

    def _commit(self, source: str, files: Files) -> None:
        """Keep it at home, its record last."""
        self.count += 1
        name = f"{self.count:06d}-{_ODD.sub('_', Path(source).name)[:_NAME]}"
        is_folder = _METADATA in {Path(path).name for path in files}
        told = [[Path(path).name if is_folder else "", part.size, part.digest] for path, part in files.items()]
        fact = {"name": name, "folder": self._job, "files": told, "made": "seen", "source": source, "at": time.time()}
        announced = read_announced(fact)
        for path, part in files.items():
            target = f"{announced.path}/{Path(path).name}" if is_folder else announced.path
            with self.find_piece(part).open("rb") as file:
                self._tree.put_file(target, iter(lambda: file.read(1 << 20), b""), 0o600)
        record = make_record(announced, self._job, self._describe())
        self._tree.put_file(announced.path + ".json", [json.dumps(record, indent=1).encode()], 0o600)
        try:
            policy = read_policy(self._keep)
        except RequestError:
            policy = read_policy(None)
        for surplus in choose_surplus(list(list_kept(self._root, self._job)), policy):
            remove_kept(surplus)

    def _sweep(self) -> None:
        """Remove the pieces that nothing needs any more."""
        needed = {part.digest for part in self.list_files().values()}
        stale: set[str] = set()
        for path, parts in self._versions.items():
            count = self._count_stale(path, parts)
            stale.update(part.digest for part in parts[:count])
            needed.update(part.digest for part in parts[count:])
        for digest in stale - needed:
            (self._inbox / digest).unlink(missing_ok=True)

    def _count_stale(self, path: str, parts: list[Part]) -> int:
        """How many of a path's versions have become part of something whole, or never will."""
        if not _is_of_folder(path):
            return len(parts)
        files = self._folders.get(_find_folder(path), {})
        if path in files:
            return parts.index(files[path]) + 1 if files[path] in parts else 0
        return len(parts) if _find_folder(path) in self._ever_whole else 0


def read_names(metadata: Path) -> Iterator[str]:
    """The files that a `.metadata` of torch.distributed.checkpoint names."""
    if metadata.stat().st_size > _LARGEST:
        return
    found: dict[str, None] = {}
    with suppress(ValueError, IndexError, UnicodeDecodeError, OverflowError):
        for _, argument, _ in pickletools.genops(metadata.read_bytes()):
            if isinstance(argument, str) and argument.endswith(".distcp") and "/" not in argument:
                found[argument] = None
    yield from found


def _is_of_folder(path: str) -> bool:
    return path.endswith(".distcp") or Path(path).name == _METADATA


def _find_folder(path: str) -> str:
    return path.rpartition("/")[0]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
