"""The checkpoints of one session on their way home: fetched in the background, verified, put in place whole.

Made by `session.live` when the first one is announced, in whatever process follows the session; runs in the engine's loop,
hashing and disk in an executor. Promises: output never waits for a checkpoint; what does not match its SHA-256 is not kept; of
several processes that follow one session one fetches.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from choline_jupyter.errors import CorruptBlob, DataError, HostError, NoRoom, RequestError
from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.model.event import Event
from choline_jupyter.session.bulk import Bulk
from choline_jupyter.session.checkpoint_policy import choose_surplus, read_policy
from choline_jupyter.session.checkpoint_record import (
    FOLDER,
    Announced,
    Kept,
    Part,
    find_note,
    list_kept,
    make_record,
    read_announced,
)
from choline_jupyter.session.checkpoint_uploads import Uploads
from choline_jupyter.session.connection import Connection, Refused
from choline_jupyter.store.difference import DifferenceError, read_difference
from choline_jupyter.store.entry import EntryError
from choline_jupyter.store.tree import Tree
from choline_jupyter.wire.frame import Type

_RESERVE = 64 << 20  # of the disk, for everything else
_PATIENCE = 1.0
_BEHIND = 3  # checkpoints that may wait before the newest goes first; as many as stay over there
_READ = 1 << 20

Describe = Callable[[str], dict[str, Any]]


class _Coming(NamedTuple):
    """One on its way; `order` is the place of its announcement: session's epoch, attempt, event."""

    announced: Announced
    job: str
    keep: str | None
    order: tuple[int, int, int]


class Checkpoints:
    """`root` is the project's folder, `inbox` where pieces arrive; `describe(job)` says what its record is to hold besides.

    `tell` takes sentences for whoever shows the session's events; `is_past` says whether the session goes on elsewhere.
    """

    def __init__(
        self,
        connection: Connection,
        session: str,
        root: Path,
        inbox: Path,
        describe: Describe,
        tell: Callable[[str], None],
        is_past: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connection, self._session, self._root, self._inbox = connection, session, root, inbox
        self._describe, self._tell, self._is_past = describe, tell, is_past
        self._tree = Tree(str(root))
        self._waiting: list[_Coming] = []
        self._coming: _Coming | None = None
        self._turn = asyncio.Lock()
        self._refused: set[str] = set()  # jobs that go on elsewhere
        self.uploads = Uploads(inbox.parent, root, tell)

    def take(self, event: Event) -> bool:
        """Note an announcement; True where there is something to bring."""
        if event.job in self._refused:
            return False
        try:
            fact = event.read_content()
            announced = read_announced(fact)
        except (ValueError, TypeError) as error:
            self._tell(f"a checkpoint of that machine was not taken: {error}")
            return False
        keep = fact.get("keep")
        order = (event.series.epoch, event.attempt, event.seq)
        self._waiting.append(_Coming(announced, event.job, keep if isinstance(keep, str) else None, order))
        return True

    def count_coming(self, job: str = "") -> int:
        """How many are announced and not here yet, of one job or of all; in any thread."""
        return sum(job in ("", one.job) for one in [*self._waiting, self._coming] if one)

    def use(self, connection: Connection) -> None:
        """The session goes on on another machine: what waited on the one before cannot come."""
        self._connection = connection
        self._waiting.clear()

    def refuse(self, job: str) -> None:
        """The job goes on on another machine: what this one still saves does not count."""
        self._refused.add(job)
        self._waiting = [one for one in self._waiting if one.job != job]

    async def bring(self) -> None:
        """Bring what waits; what goes wrong is told."""
        async with self._turn:
            while self._waiting:
                lock = await self._seize()
                try:
                    while self._waiting:
                        # in their order each is a difference to one that is here; one that lags is better up to date
                        self._coming = self._waiting.pop(0 if len(self._waiting) <= _BEHIND else -1)
                        await self._bring(self._coming)
                finally:
                    self._coming = None
                    lock.close()

    async def _seize(self) -> FileLock:
        """Wait until no other process of this user is at it."""
        self._inbox.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(self._inbox / f"{self._session}.lock")
        while not await asyncio.get_running_loop().run_in_executor(None, lock.seize, _PATIENCE):
            pass
        return lock

    async def _bring(self, coming: _Coming) -> None:
        run, announced = asyncio.get_running_loop().run_in_executor, coming.announced
        try:
            if await run(None, self._is_here, announced):
                self.uploads.add(announced.folder)
                return
            received = 0
            if not announced.is_home:
                await run(None, self._check_room, announced)
                received = await self._fetch(announced)
            await run(None, self._commit, coming, received)
            self.uploads.add(announced.folder)
        except Refused:
            pass  # it has been superseded over there
        except CorruptBlob:
            self._tell(f"checkpoint {announced.name} came damaged and was not kept")
        except (HostError, DataError, OSError, EntryError) as error:
            why = getattr(error, "strerror", None) or error
            self._tell(
                f"checkpoint {announced.name} did not come home ({why}); `%choline pull {coming.job}` tries again"
            )

    async def _fetch(self, announced: Announced) -> int:
        """Have it in place; gives how many bytes that took."""
        if announced.difference and await self._fetch_difference(announced, announced.difference):
            return int(announced.difference["size"])
        arrived = []
        for part in announced.parts:
            path = f"{announced.path}/{part.name}" if part.name else announced.path
            target = self._inbox / f"checkpoint-{part.digest}"  # the job's own file of that content comes by itself
            place = {"session": self._session, "path": path}
            await Bulk(self._connection).get_file(place, part.digest, part.size, target)
            arrived.append((part, target))
        await asyncio.get_running_loop().run_in_executor(None, self._place, announced, arrived)
        return announced.size

    async def _fetch_difference(self, announced: Announced, told: dict[str, Any]) -> bool:
        """Make it from the one before; False where that is not here, or it is not what it should be."""
        base = self._root / FOLDER / announced.folder / told["base"]
        if not _has_digest(base, told["base_sha256"]):
            return False
        target = self._inbox / told["blob"]
        run = asyncio.get_running_loop().run_in_executor
        try:
            await Bulk(self._connection).get({told["blob"]: target}, {told["blob"]: told["size"]})
            await run(None, self._apply, announced, target, base)
        except (Refused, CorruptBlob, DifferenceError):
            return False
        finally:
            target.unlink(missing_ok=True)
        with suppress(HostError):
            await self._connection.request(Type.DROP, {"blob": told["blob"]})
        return True

    def _apply(self, announced: Announced, difference: Path, base: Path) -> None:
        [part] = announced.parts
        with difference.open("rb") as file:
            pieces = read_difference(file.read, base, part.size)
            self._tree.put_file(announced.path, _verify(pieces, part), 0o600)

    def _place(self, announced: Announced, arrived: list[tuple[Part, Path]]) -> None:
        """One file at a time; until the record is there they do not count."""
        find_note(self._root / announced.path).unlink(missing_ok=True)
        for part, source in arrived:
            path = f"{announced.path}/{part.name}" if part.name else announced.path
            with source.open("rb") as file:
                self._tree.put_file(path, _verify(iter(lambda: file.read(_READ), b""), part), 0o600)
            source.unlink()

    def _commit(self, coming: _Coming, received: int) -> None:
        """Its record makes it count; then those go that are not to be kept."""
        announced, job, keep, order = coming
        if self._is_past():
            self._tell(
                f"checkpoint {announced.name} came from a machine whose session goes on elsewhere, and does not count"
            )
            return
        if (
            announced.is_home and not (self._root / announced.path).exists()
        ):  # of what was written here no other copy is left
            self._tell(f"checkpoint {announced.name} is not there any more")
            return
        record = make_record(announced, job, {**self._describe(job), "received": received, "order": list(order)})
        text = json.dumps(record, indent=1).encode()
        self._tree.put_file(announced.path + ".json", [text], 0o600)
        try:
            policy = read_policy(keep)
        except RequestError:  # of another version
            policy = read_policy(None)
        for surplus in choose_surplus(list(list_kept(self._root, announced.folder)), policy):
            remove_kept(surplus)

    def _is_here(self, announced: Announced) -> bool:
        """Another process has brought it; where it is written at home, its own record says less than ours."""
        path = self._root / announced.path
        return _has_digest(path, announced.parts[0].digest) and '"job"' in find_note(path).read_text()

    def _check_room(self, announced: Announced) -> None:
        """Raises NoRoom: it is in the inbox and in its place for a moment."""
        free = shutil.disk_usage(self._root).free
        if free < 2 * announced.size + _RESERVE:
            what = f"it needs {2 * announced.size / 1e6:,.0f} MB, {self._root} has {free / 1e6:,.0f} MB"
            raise NoRoom(what)


def remove_kept(kept: Kept) -> None:
    """The record goes first: without it the rest does not count."""
    find_note(kept.path).unlink(missing_ok=True)
    if kept.path.is_dir() and not kept.path.is_symlink():
        shutil.rmtree(kept.path)
    else:
        kept.path.unlink(missing_ok=True)


def _has_digest(path: Path, digest: str) -> bool:
    """By its record; the bytes were checked when it was written."""
    try:
        record = json.loads(find_note(path).read_text())
        return (
            bool(record["sha256"] == digest or digest in [one[2] for one in record.get("files", ())]) and path.exists()
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return False


def _verify(pieces: Iterator[bytes], part: Part) -> Iterator[bytes]:
    """The same; raises CorruptBlob at the end where it is something else."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        yield piece
    if (size, digest.hexdigest()) != (part.size, part.digest):
        raise CorruptBlob("What came is not what that machine announced.", "Ask again; nothing of it was kept.")
