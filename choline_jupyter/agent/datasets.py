"""The datasets of a session's jobs: a job that names some waits until they are on this machine.

Made by `agent.session`, one per session; runs in the supervisor's event loop and owns a process for each download
(`agent.dataset.main`). A session that works on its user's own files gets them put in place here; for others the kernel that sees
the workspace does that, when it unpacks what came with the job. Promise: what a session has had stays as it was then, also where
a job has changed it; a file that is no dataset's is never replaced.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple, TypeVar

from choline_jupyter.agent.contents import Contents
from choline_jupyter.agent.nursery import make_command
from choline_jupyter.agent.tool import end_with_parent
from choline_jupyter.store.entry import Entry, EntryError, write_entry
from choline_jupyter.store.tree import Tree
from choline_jupyter.wire.frame import Frame

_SETTINGS = ("HF_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")
_SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_LINE = 64 << 20  # of a repository's files
_MOST = 12 << 20  # bytes of what a kernel is told of all files, in its job's frame

_T = TypeVar("_T")
Tell = Callable[[dict[str, Any], str], None]


class DatasetFault(Exception):
    """It cannot be had, or has no place; `hint` is what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class Wish(NamedTuple):
    """What a job's header says: `path` is where its client has it; a folder's files are below."""

    url: str
    path: str
    name: str
    settings: Mapping[str, str]

    @property
    def key(self) -> str:
        """Of an address at a path; it may be a secret, and is kept on the disk."""
        return hashlib.sha256(("%s\0%s" % (self.url, self.path)).encode("utf-8", "surrogateescape")).hexdigest()[:32]


class Datasets:
    """`spec` is the session's own, where it is kept what it has had; `tell(fact, job)` writes into its series."""

    def __init__(self, home: Path, spec: dict[str, Any], tell: Tell) -> None:
        self._home, self._spec, self._tell = home, spec, tell
        self._contents = Contents(home)
        self._tasks: dict[str, asyncio.Future[Any]] = {}

    def start(self, frame: Frame, done: Callable[[], None], fail: Callable[[str, str], None]) -> bool:
        """Have what a job names; False where that is nothing. Calls `done` in the end, before that `fail` if it cannot be had."""
        if not frame.header.get("datasets"):
            return False
        job = str(frame.header["job"])
        task = self._tasks[job] = asyncio.ensure_future(self._have_all(frame, fail))

        def finish(_: object) -> None:
            self._tasks.pop(job, None)
            done()

        task.add_done_callback(finish)
        return True

    def stop(self, job: str) -> bool:
        """Nobody waits for a job's datasets any more; what has come of them is kept. False where there is nothing to stop."""
        return job in self._tasks and self._tasks[job].cancel()

    async def _have_all(self, frame: Frame, fail: Callable[[str, str], None]) -> None:
        job, parts = str(frame.header["job"]), list[dict[str, Any]]()
        secrets = {name: value for name, value in (frame.header.get("secrets") or {}).items() if name in _SECRETS}
        for told in frame.header["datasets"]:
            name = str(told.get("name"))
            try:
                wish = Wish(str(told["url"]), str(told["path"]), name, _read_settings(told))
                parts += await self._have(wish, secrets, job)
            except DatasetFault as fault:
                fail("%s cannot be had: %s" % (name, fault), fault.hint)
                return
            except (OSError, EntryError) as error:
                fail("%s cannot be put in place: %s" % (name, getattr(error, "strerror", None) or error), "")
                return
        if len(json.dumps(parts)) > _MOST:
            fail(
                "their files are too many for one job",
                "Name a folder of them, ending with /, in each of several cells.",
            )
            return
        frame.header["brought"] = parts or None

    async def _have(self, wish: Wish, secrets: Mapping[str, str], job: str) -> list[dict[str, Any]]:
        """Have one; gives what the kernel is to put in place."""
        had: dict[str, Any] = self._spec.setdefault("datasets", {})
        place = self._find_place(wish.path)
        key, earlier = had.get(wish.path) or ("", [])
        if key == wish.key and place and all(os.path.lexists(_join(place, name)) for name in earlier):
            return []
        if place and not os.path.isdir(place):
            await _in_thread(self._check_place, place, [""], earlier)  # before anything is downloaded for nothing
        last = await self._download(wish, secrets, job)
        names = [str(one[0]) for one in last["files"]]
        place, shares = self._find_place(wish.path), bool(self._spec.get("shares", True))
        if place:
            await _in_thread(self._check_place, place, names, earlier)
        entries = [_make_entry(wish.path, one) for one in last["files"]]
        if shares:
            await _in_thread(self._place, entries)
        had[wish.path] = [wish.key, names]
        self._tell({**last, "state": "downloaded", "what": wish.name, "files": len(names)}, job)
        return [] if shares else self._divide(entries)

    async def _download(self, wish: Wish, secrets: Mapping[str, str], job: str) -> dict[str, Any]:
        order = {"home": str(self._home), "url": wish.url, "settings": wish.settings, "secrets": secrets}
        process = await asyncio.create_subprocess_exec(
            *make_command("download"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd="/", limit=_LINE, preexec_fn=end_with_parent,
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps(order).encode())
            process.stdin.close()
            async for line in process.stdout:
                said = json.loads(line)
                if "fault" in said:
                    raise DatasetFault(str(said["fault"]), str(said["hint"]))
                if "files" in said:
                    return dict(said)
                self._tell({**said, "state": "downloading", "what": wish.name}, job)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        raise DatasetFault("the process that downloads it ended", "Run it again: it goes on where it was.")

    def _find_place(self, path: str) -> str:
        """Where a client's path is for this process; empty where only the kernel sees it."""
        if self._spec.get("shares", True):
            return path
        layout, root = self._spec.get("layout") or {}, self._find_root()
        below = path[len(root) :]
        return str(layout["real"]) + below if layout and (path == root or below.startswith("/")) else ""

    def _check_place(self, place: str, names: Sequence[str], earlier: Sequence[str]) -> None:
        """Raise DatasetFault where something stands that no dataset has put there, or that was changed since."""
        shares = self._spec.get("shares", True)
        for name in names:
            path = _join(place, name)
            is_ours = (shares or name in earlier) and bool(self._contents.find_digest(path))
            if os.path.lexists(path) and not is_ours:
                raise DatasetFault("there is a file of that name already, %s" % path, "Name another: --with PATH=URL.")

    def _place(self, entries: Sequence[tuple[str, Entry]]) -> None:
        """Into the user's own folders, each whole or not at all."""
        for folder, entry in entries:
            target = os.path.join(folder, entry.path)
            with self._contents.hold(entry.digest):
                if self._contents.is_at(entry.digest, target):
                    continue
                os.makedirs(folder, exist_ok=True)
                Tree(folder).put_made(entry.path, partial(self._contents.place, entry.digest), entry.mode, entry.mtime)
                self._contents.note(entry.digest, target)

    def _divide(self, entries: Sequence[tuple[str, Entry]]) -> list[dict[str, Any]]:
        """By the folders that a workspace knows: the project's own, and those of files outside of it."""
        root, parts = self._find_root(), dict[str, list[Any]]()
        for folder, entry in entries:
            if folder == root or folder.startswith(root.rstrip("/") + "/"):
                below = os.path.relpath(folder, root)
                path = entry.path if below == "." else "%s/%s" % (below, entry.path)
                parts.setdefault(root, []).append(write_entry(entry._replace(path=path)))
            else:
                parts.setdefault(folder, []).append(write_entry(entry))
        return [{"root": folder, "entries": told} for folder, told in parts.items()]

    def _find_root(self) -> str:
        return str((self._spec.get("files") or {}).get("root", ""))


def _join(place: str, name: str) -> str:
    """Where one file of a dataset is; without a name it is the dataset itself."""
    return os.path.join(place, name) if name else place


def _make_entry(path: str, file: Sequence[Any]) -> tuple[str, Entry]:
    """The folder that one file of a dataset is placed from, and the file below it."""
    name, digest, size, mtime = file
    folder, own = (path, str(name)) if name else os.path.split(path)
    return folder, Entry(own, "file", 0o644, int(size), str(digest), "", int(mtime))


def _read_settings(told: Mapping[str, Any]) -> dict[str, str]:
    """The client's endpoints and region, else this machine's own."""
    given = told.get("settings") or {}
    found = {name: str(given.get(name) or os.environ.get(name) or "") for name in _SETTINGS}
    return {name: value for name, value in found.items() if value}


async def _in_thread(function: Callable[..., _T], *arguments: Any) -> _T:
    """The disk may be slow: the loop does not wait for it."""
    working: Awaitable[_T] = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    return await working
