"""Files that nobody foresaw: answers a session's kernels when they need a path that is not here yet.

Made by the supervisor for a session with `files` in its spec; runs in its event loop. The shim or the hook in the
kernel asks on a Unix socket and waits; the question goes to every client that follows the session, and again to each
that comes while it waits; whoever answers first is taken. Promises: a path is asked for once, whoever wants it; what the
client does not have is remembered until the next job; what the kernel has removed does not come back; when nobody takes
a question for its patience, the answer is "no such file" and an event says so.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.file_placing import Placing
from choline_jupyter.agent.file_roots import Roots, Spot
from choline_jupyter.store.tree import PREFIX

PATIENCE = 30.0
_TICK = 0.5
_LONGEST = 1 << 13
_QUESTION = struct.Struct("=I")
_ANSWER = struct.Struct("=II")
_OWN = ("/__pycache__", "/" + PREFIX)  # made anew here; ours while they are being written

Push = Callable[[list[dict[str, Any]]], None]
Tell = Callable[[dict[str, Any]], None]
IsThere = Callable[[object], bool]
Log = Callable[[list[tuple[str, Mapping[str, Any]]]], None]


class Want:
    """A question that a client has to answer. `taken`: by which client, None as long as nobody has."""

    def __init__(self, number: int, kind: str, spot: Spot) -> None:
        self.number, self.kind, self.spot = number, kind, spot
        self.taken: Optional[object] = None
        self.answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def to_json(self) -> dict[str, Any]:
        return {"want": self.number, "kind": self.kind, "path": self.spot.path}


class FileRequests:
    """The questions of one session's kernels.

    `push` sends questions to the clients that follow, `is_there(client)` says whether one that took a question still is,
    `tell` puts an event into the session's own series, `log` keeps which files were placed.
    """

    def __init__(
        self,
        roots: Roots,
        blobs: BlobFolder,
        push: Push,
        is_there: IsThere,
        tell: Tell,
        log: Log = lambda entries: None,
        patience: float = PATIENCE,
    ) -> None:
        self._roots, self._blobs = roots, blobs
        self._push, self._is_there, self._tell, self._log = push, is_there, tell, log
        self._patience = patience
        self._numbers = itertools.count(time.time_ns())  # an earlier supervisor may have asked too
        self._wants: dict[tuple[str, str], Want] = {}
        self._listings: dict[str, frozenset[str]] = {}  # what directories have on the client, by its paths
        self._absent: set[str] = set()
        self._unanswered: set[str] = set()
        self._gone: set[str] = set()
        self._is_deserted = False
        self._server: Optional[asyncio.AbstractServer] = None

    async def start(self, socket: Path) -> None:
        """Listen; may be called again, for a kernel that follows another."""
        if self._server is None:
            self._socket = socket
            socket.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, str(socket))
            os.chmod(socket, 0o600)

    def close(self) -> None:
        """Stop listening; what waits goes on without."""
        if self._server:
            self._server.close()
            self._socket.unlink(missing_ok=True)
        for want in self._wants.values():
            if not want.answer.done():
                want.answer.set_result(0)

    def forget(self) -> None:
        """A job begins: what the client did not have it may have now."""
        self._absent.clear()
        self._unanswered.clear()
        self._listings.clear()

    def welcome(self) -> list[dict[str, Any]]:
        """A client has begun to follow: the questions that wait."""
        self._is_deserted = False
        self._unanswered.clear()
        return [want.to_json() for want in self._wants.values() if not want.answer.done()]

    async def provide(self, client: object, head: Mapping[str, Any], body: bytes) -> None:
        """A client's word on a question: that it is on it (`taken`), or what there is.

        `entries` are put in place, `names` is a directory's content, `absent` says that the path does not exist there,
        `errno` makes the kernel's call fail. Without `want` it is something that will be asked for next.
        """
        want = next((want for want in self._wants.values() if want.number == head.get("want")), None)
        if head.get("taken"):
            if want:
                want.taken = client
            return
        error = await self._place(head, body)
        if want and not want.answer.done():
            self._note(want, head)
            want.answer.set_result(error or int(head.get("errno", 0)))

    async def _place(self, head: Mapping[str, Any], body: bytes) -> int:
        """The errno of what went wrong here, or 0."""
        entries = [(entry, self._find_spot(str(entry["path"]))) for entry in head.get("entries", ())]
        places = [(entry, spot.place) for entry, spot in entries]
        placing = Placing(self._blobs, places, body, str(head.get("pack", "")))
        try:
            await asyncio.get_running_loop().run_in_executor(None, placing.run)
        except OSError as error:
            self._tell({"state": "unwritten", "reason": error.strerror or str(error)})
            return error.errno or errno.EIO
        self._log([(spot.seen, entry) for entry, spot in entries if "digest" in entry])
        return 0

    def _find_spot(self, path: str) -> Spot:
        """Raises ValueError for what is in no root: the client sends only what was asked for."""
        spot = self._roots.find_path(path)
        if spot is None:
            raise ValueError("%r is not in a root" % path)
        return spot

    def _note(self, want: Want, head: Mapping[str, Any]) -> None:
        if head.get("absent"):
            self._absent.add(want.spot.path)
        elif "names" in head:
            self._listings[want.spot.path] = frozenset(head["names"])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question of a kernel, or of something that it has started."""
        try:
            (length,) = _QUESTION.unpack(await reader.readexactly(_QUESTION.size))
            if not 2 <= length <= _LONGEST:
                raise ValueError("a question of %d bytes" % length)
            question = await reader.readexactly(length)
            error, names = await self._answer(chr(question[0]), os.fsdecode(question[1:]))
            listed = b"".join(os.fsencode(name) + b"\0" for name in names)
            writer.write(_ANSWER.pack(error, len(listed)) + listed)
            await writer.drain()
        except (OSError, EOFError, ValueError):
            pass  # whoever asked has gone, or spoke nonsense
        finally:
            writer.close()

    async def _answer(self, kind: str, seen: str) -> tuple[int, list[str]]:
        spot = self._roots.find_seen(os.path.normpath(seen))
        if spot is None:
            return 0, []
        if kind == "X":
            self._gone.add(spot.path)
        elif not self._is_settled(kind, spot):
            error = await self._await(kind, spot)
            if error:
                return error, []
        return 0, await self._list_missing(spot) if kind == "D" else []

    def _is_settled(self, kind: str, spot: Spot) -> bool:
        """Whether the answer is known here."""
        path, ways = spot.path, _list_ways(spot.path)
        if any(own in path for own in _OWN) or any(
            way in known for way in ways for known in (self._gone, self._absent, self._unanswered)
        ):
            return True
        if kind == "D":
            return path in self._listings
        folder, _, name = path.rpartition("/")
        is_known = folder in self._listings and name not in self._listings[folder]
        return is_known or os.path.exists(spot.place)

    async def _await(self, kind: str, spot: Spot) -> int:
        """Have a client answer; several who want the same wait for one answer."""
        key = (kind, spot.path)
        want = self._wants.get(key)
        if want is None:
            want = self._wants[key] = Want(next(self._numbers), kind, spot)
            self._push([want.to_json()])
            try:
                await self._wait(want)
            finally:
                if not want.answer.done():
                    want.answer.set_result(0)
                del self._wants[key]
        return await asyncio.shield(want.answer)

    async def _wait(self, want: Want) -> None:
        """Until it is answered, or nobody has been on it for the patience; once that has happened nobody waits so again,
        until a client comes.
        """
        loop = asyncio.get_running_loop()
        since = loop.time()
        while not want.answer.done():
            if want.taken is not None and self._is_there(want.taken):
                since = loop.time()
            elif self._is_deserted or loop.time() - since >= self._patience:
                self._give_up(want)
                return
            await asyncio.wait({want.answer}, timeout=min(_TICK, self._patience))

    def _give_up(self, want: Want) -> None:
        if not self._is_deserted:
            self._tell({"state": "unserved", "path": want.spot.path, "wait": "%g" % self._patience})
        self._is_deserted = True
        self._unanswered.add(want.spot.path)

    async def _list_missing(self, spot: Spot) -> list[str]:
        """What a directory has on the client and not here, but for what the kernel has removed."""
        names = self._listings.get(spot.path, frozenset())
        if not names:
            return []
        here = await asyncio.get_running_loop().run_in_executor(None, _list_names, spot.place)
        gone = {path.rpartition("/")[2] for path in self._gone if path.rpartition("/")[0] == spot.path}
        return sorted(names - here - gone)


def _list_names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def _list_ways(path: str) -> list[str]:
    """A path and all folders above it."""
    ways = [path]
    while len(ways[-1]) > 1:
        ways.append(os.path.dirname(ways[-1]))
    return ways
