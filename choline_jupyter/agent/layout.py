"""The layout of a session's files on this machine: where its workspace is, and how its kernels see it.

Decided by the supervisor when a session's kernel is made; entered by the rank that has just been forked, or by the host
of a script. The best way this machine allows is taken: the client's own files where the folder is the very same one, else
a workspace shown at the client's path in a mount namespace, else the path itself if it is there or can be made, else the
workspace where it is: then the folder that cells begin in is there, too, and paths that are spelled out whole are not.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Optional

from choline_jupyter.agent import mounts
from choline_jupyter.agent.contents import Contents
from choline_jupyter.agent.place import find_cache, find_directory, find_runtime
from choline_jupyter.agent.retention import KEEP_SECONDS
from choline_jupyter.model.names import check_identifier
from choline_jupyter.store.mark import is_same
from choline_jupyter.store.tree import Tree

_CODE = Path(__file__).resolve().parents[2]  # the agent's own: a folder, or the archive that it runs from


class Layout(NamedTuple):
    """As it goes to the rank, in JSON: `root` is the project as the kernel sees it, `real` as everybody else does.

    `binds`: whether `real` has to be shown at `root`; `hidden` and `kept`: what an isolated session does not see.
    `folders`: others of the client's that are shown at their own paths, each with where it really is. `client`: the project's
    path there, if it is another one here.
    """

    root: str
    real: str
    binds: bool = False
    hidden: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    folders: tuple[tuple[str, str], ...] = ()
    client: str = ""


class Layouts:
    """Knows what this machine allows."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._contents = folder, Contents(folder.parent)
        self._can_mount: Optional[bool] = None
        self._roots: dict[str, str] = {}

    def find(self, session: str) -> Path:
        """The folder of a session's workspace."""
        return self._folder / session

    def read(self, session: str, path: str, offset: int, count: int) -> tuple[bytes, int]:
        """A piece of a file in a session's workspace and its size. Raises OSError, EntryError. Blocks; for an executor."""
        fd = Tree(self._roots.get(session) or str(self.find(check_identifier(session)) / "root")).open(path)
        try:
            return os.pread(fd, count, offset), os.fstat(fd).st_size
        finally:
            os.close(fd)

    async def settle(self, session: str, spec: dict[str, Any]) -> bool:
        """Note a session's layout in its spec; True when it sees its user's own paths, whatever this machine has there."""
        layout = None if spec.get("shares", True) else await self._decide(session, spec["files"])
        spec["layout"] = layout._asdict() if layout else None
        if layout:
            self._roots[session] = layout.real
        return bool(layout and layout.binds)

    async def _decide(self, session: str, wish: dict[str, Any]) -> Layout:
        root = str(wish["root"])
        real = self.find(session) / "root"
        if await self._may_mount():
            real.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.find(session) / "scratch").mkdir(mode=0o700, exist_ok=True)
            os.utime(self.find(session))  # agents that share a volume do not know of each other's sessions
            folders = tuple(self._make_folders(session, wish))
            return Layout(root, str(real), True, tuple(wish.get("hidden", ())), tuple(wish.get("kept", ())), folders)
        if wish.get("isolated"):
            raise OSError(1, "this machine allows no mount namespaces, which --isolated needs")
        if find_directory(root, str(real)) == root:
            return Layout(root, root)
        return Layout(str(real), str(real), client=root)

    def _make_folders(self, session: str, wish: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Folders for what the client serves outside of the project; a path that this machine has stays this machine's."""
        paths = [path for path in map(str, wish.get("roots", ())) if not _is_below(path, str(wish["root"]))]
        paths = [path for path in paths if wish.get("isolated") or not os.path.isdir(path)]
        for number, path in enumerate(paths):
            real = self.find(session) / ("outside%d" % number)
            for folder in (real, self.find(session) / ("scratch%d" % number)):
                folder.mkdir(mode=0o700, exist_ok=True)
            yield path, str(real)

    def remove(self, session: str) -> None:
        """Remove a session's workspace; the cache takes its large files. Blocks; for an executor."""
        with suppress(OSError):  # a full disk, or a file that somebody else has made there
            self._contents.keep(str(self.find(session)))
        shutil.rmtree(self.find(session), ignore_errors=True)

    def sweep(self, living: set[str]) -> None:
        """Remove what ended sessions have left and nobody has fetched in the keeping time. Blocks; for an executor."""
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if folder.name not in living and time.time() - folder.stat().st_mtime > KEEP_SECONDS:
                self.remove(folder.name)

    async def _may_mount(self) -> bool:
        if self._can_mount is None:
            null = asyncio.subprocess.DEVNULL
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-S", "-E", str(mounts.__file__), stdin=null, stdout=null, stderr=null, cwd="/"
            )
            self._can_mount = await process.wait() == 0
        return self._can_mount


def translate(layout: Optional[dict[str, Any]], path: str) -> str:
    """Where something of the client's project is here, as the session's kernels see it; other paths stay as they are."""
    client = (layout or {}).get("client", "")
    return layout["root"] + path[len(client) :] if layout and client and _is_below(path, client) else path


def shares_files(wish: Optional[dict[str, Any]]) -> bool:
    """Whether a session works on its client's own files, so that nothing is copied."""
    return wish is None or (not wish.get("isolated") and is_same(str(wish["root"]), wish.get("mark") or {}))


def enter_layout(order: dict[str, Any]) -> None:
    """Do as the supervisor's order to a rank says; returns when the session's folder exists. Raises OSError."""
    if order.get("layout"):
        _enter(Layout(**order["layout"]), os.path.join(order["workspace"], "scratch"))
        os.makedirs(order["directory"], exist_ok=True)


def list_kept(layout: Layout) -> list[str]:
    """What a kernel needs of its machine although it may lie where the project is shown, as in a home folder."""
    home = os.path.dirname(os.path.dirname(os.path.dirname(layout.real)))
    own = [home, str(find_cache()), str(find_runtime()), str(_CODE)]
    return [*layout.kept, *own, sys.prefix, sys.base_prefix, sys.exec_prefix]


def _enter(layout: Layout, scratch: str) -> None:
    """Have this process, which has one thread, see the files as the session does. Raises OSError."""
    if not layout.binds:
        return
    mounts.unshare()
    # What is shown elsewhere must be in reach while other things are hidden.
    handle = os.open(layout.real, os.O_PATH | os.O_CLOEXEC)
    own = os.open(scratch, os.O_PATH | os.O_CLOEXEC)
    try:
        with mounts.keep(list_kept(layout)):
            mounts.hide([folder for folder in layout.hidden if os.path.isdir(folder)])
            mounts.make_point(layout.root, "/proc/self/fd/%d" % own)
            mounts.bind("/proc/self/fd/%d" % handle, layout.root)
        for number, (path, real) in enumerate(layout.folders):
            mounts.make_point(path, scratch + str(number))
            mounts.bind(real, path)
    finally:
        os.close(handle)
        os.close(own)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
