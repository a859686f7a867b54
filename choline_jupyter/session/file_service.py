"""The file service of one session: brings what its kernels need and nobody foresaw.

Made by `session.live` for a session that was opened with folders to serve; runs in the engine's loop, reads the disk in an
executor. Only what `session.file_grant` allows exists for the other side. A file comes by itself when it is asked for; from
the third one of a directory that was listed on, those behind it come too, as one stream, before they are asked for.
"""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from choline_jupyter.errors import HostError
from choline_jupyter.session.bulk import Bulk
from choline_jupyter.session.connection import Connection
from choline_jupyter.session.file_grant import FileGrant, Offered, TooMany
from choline_jupyter.session.file_parcel import Parcel, pack_files
from choline_jupyter.session.withheld import Withheld
from choline_jupyter.wire.frame import Type

LARGEST = 2 << 30  # bytes of one file
_STREAM_FROM = 3
_NEVER = -(1 << 40)  # asked for in a directory that nobody has listed
_STREAM_BYTES, _STREAM_FILES = 64 << 20, 10_000
_PACK_BYTES, _PACK_FILES = 16 << 20, 1000
_EXPECTED = 1.0  # seconds after which the other side hears that its question is being worked on

Provide = Callable[[dict[str, Any], bytes], Awaitable[Any]]
Put = Callable[[Mapping[str, Path]], Awaitable[None]]
Note = Callable[[Path, str], None]


def _ignore(path: Path, digest: str) -> None:
    """Nobody keeps what the session has."""


class FileService:
    """`provide(head, body)` answers the agent, `put(files)` brings blobs, `note(path, digest)` hears what has arrived.

    `notices` are sentences for whoever shows the session's events; `fetched` what came on demand, to be remembered.
    """

    def __init__(self, grant: FileGrant, provide: Provide, put: Put, note: Note, largest: int = LARGEST) -> None:
        self.notices: list[str] = []
        self.fetched: dict[Path, None] = {}
        self.count = 0
        self.exclude: Callable[[Sequence[str]], None] = lambda patterns: None  # what the user's next job is not to have
        self.use: Callable[[Connection], None] = lambda connection: None  # its agent is behind another one now
        self._grant, self._provide, self._put, self._note, self._largest = grant, provide, put, note, largest
        self._turn = asyncio.Lock()  # a blob must be placed before another is asked for
        self._stream_turn = asyncio.Lock()
        self._listed: dict[str, int] = {}  # by directory that was listed, how many of its files were asked for since
        self._streams: set[str] = set()  # directories that are being sent
        self._coming: dict[str, asyncio.Future[None]] = {}
        self._sent: set[str] = set()
        self._served: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, wants: Sequence[Mapping[str, Any]]) -> None:
        """Questions of the agent; one that comes again, behind a cut, is worked on already."""
        for want in wants:
            number, kind, path = want.get("want"), want.get("kind"), want.get("path")
            if isinstance(number, int) and isinstance(path, str) and number not in self._served:
                answer = self._list(number, path) if kind == "D" else self._fetch(number, path)
                self._served[number] = self._keep(self._serve(number, answer))

    def take_notices(self) -> list[str]:
        """What is to be said, once."""
        said, self.notices = self.notices, []
        if self.count:
            files = "1 file" if self.count == 1 else f"{self.count} files"
            ahead = "it goes" if self.count == 1 else "they go"
            said.append(f"fetched on demand: {files}; next time {ahead} ahead")
        self.count = 0
        return said

    def take_fetched(self) -> list[Path]:
        """Files and folders to be remembered, once."""
        fetched, self.fetched = self.fetched, {}
        return list(fetched)

    def forget(self) -> None:
        """Another machine asks from now on: it has nothing, and its questions have numbers of their own."""
        for task in self._served.values():
            task.cancel()
        self._served.clear()
        self._sent.clear()
        self._listed.clear()

    async def _serve(self, number: int, answer: Coroutine[Any, Any, dict[str, Any]]) -> None:
        """Answer one question, whatever happens; one that takes long is said to be worked on."""
        working = asyncio.ensure_future(answer)
        done, _ = await asyncio.wait({working}, timeout=_EXPECTED)
        try:
            if not done:
                await self._provide({"want": number, "taken": True}, b"")
            try:
                head = await working
            except TooMany:
                head = {"errno": errno.EFBIG}
            except OSError as error:
                head = {"errno": error.errno or errno.EIO}
            if head:
                await self._provide({"want": number, **head}, b"")
        except HostError:
            working.cancel()  # the session has ended
        finally:
            if self._served.get(number) is asyncio.current_task():
                del self._served[number]

    async def _fetch(self, number: int, path: str) -> dict[str, Any]:
        if path in self._coming:
            await asyncio.shield(self._coming[path])
            return {"entries": []}  # if it could not be sent, the next question says why
        offered = await _in_thread(self._grant.find, path)
        if not offered:
            return {"absent": True}
        large = next((one for one in offered if one.size > self._largest), None)
        if large:
            self.notices.append(
                f"{large.path} is not fetched on demand: it has {large.size / 1e9:.1f} GB; --with sends it"
            )
            return {"errno": errno.EFBIG}
        if offered[-1].kind == "f":  # noted first: with the answer the job may end
            self._note_asked(path)
            self._sent.add(offered[-1].path)
        await self._send(offered, {"want": number})
        return {}

    async def _list(self, number: int, path: str) -> dict[str, Any]:
        """The names of a directory; its folders and links are made."""
        listing = await _in_thread(self._grant.list_folder, path)
        if listing is None:
            return {"absent": True}
        self._listed[path] = 0
        await self._send(listing.offered, {"want": number, "names": listing.names})
        return {}

    def _note_asked(self, asked: str) -> None:
        """Somebody has opened a file; whoever goes through a directory will want the next ones."""
        self.count += 1
        path = Path(asked)
        folder = str(path.parent)
        self._listed[folder] = self._listed.get(folder, _NEVER) + 1
        is_many = self._listed[folder] >= _STREAM_FROM
        self.fetched[path.parent if is_many else path] = None
        if is_many and folder not in self._streams:
            self._streams.add(folder)
            self._keep(self._stream(folder, path.name))

    async def _stream(self, folder: str, behind: str) -> None:
        """Send the files of a directory that come behind one, then those before it, up to the limits."""
        try:
            chosen = await _in_thread(self._choose, folder, behind)
            sending = [self._keep(self._send_part(part)) for part in _cut(chosen)]
            await asyncio.gather(*sending)
        except (OSError, TooMany, HostError):
            pass  # it fails again, and is said, when it is asked for
        finally:
            self._streams.discard(folder)

    def _choose(self, folder: str, behind: str) -> list[Offered]:
        known = self._sent | set(self._coming)
        files = [one for one in self._grant.list_files(folder) if one.path not in known]
        start = next((place for place, one in enumerate(files) if Path(one.path).name > behind), 0)
        chosen: list[Offered] = []
        room = _STREAM_BYTES
        for one in files[start:] + files[:start]:
            room -= one.size
            if room < 0 or len(chosen) == _STREAM_FILES:
                break
            chosen.append(one)
        return chosen

    async def _send_part(self, part: Sequence[Offered]) -> None:
        """Files that nobody has asked for yet; whoever does meanwhile waits for them."""
        sent = asyncio.get_running_loop().create_future()
        self._coming.update((one.path, sent) for one in part)
        try:
            async with self._stream_turn:
                await self._send(part, {})
            self.count += len(part)
        finally:
            for one in part:
                del self._coming[one.path]
            sent.set_result(None)

    async def _send(self, offered: Sequence[Offered], head: dict[str, Any]) -> None:
        """Bring files; `head` says what they answer."""
        with tempfile.TemporaryDirectory(prefix="choline-files-") as folder:
            parcel = await _in_thread(pack_files, offered, Path(folder))
            if parcel.blobs:
                async with self._turn:
                    await self._put(parcel.blobs)
                    await self._provide({**parcel.head, **head}, parcel.body)
            else:
                await self._provide({**parcel.head, **head}, parcel.body)
            self._note_arrived(parcel)

    def _note_arrived(self, parcel: Parcel) -> None:
        for path, digest in parcel.digests.items():
            self._sent.add(path)
            self._note(Path(path), digest)

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def make_service(connection: Connection, session: str, roots: Sequence[str], note: Note = _ignore) -> FileService:
    """The service of a session whose agent is behind `connection`."""
    ways = [connection]

    async def provide(head: dict[str, Any], body: bytes) -> None:
        await ways[-1].request(Type.PROVIDE, {"session": session, **head}, body)

    async def put(files: Mapping[str, Path]) -> None:
        await Bulk(ways[-1]).put(files)

    def use(connection: Connection) -> None:
        ways[:] = [connection]
        service.forget()

    withheld = Withheld(roots)
    service = FileService(FileGrant(roots, withheld.find), provide, put, note)
    service.exclude, service.use = withheld.exclude, use
    return service


def _cut(chosen: Sequence[Offered]) -> list[list[Offered]]:
    """Parts that are placed in one go without anybody having to wait for long."""
    parts: list[list[Offered]] = []
    room = count = 0
    for one in chosen:
        room, count = room - one.size, count + 1
        if room < 0 or count > _PACK_FILES:
            parts.append([])
            room, count = _PACK_BYTES - one.size, 1
        parts[-1].append(one)
    return parts


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)
