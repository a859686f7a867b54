"""Both ends of the files on demand with nothing between them: an agent's questions, and a client's answers.

Made by the tests that need real files to come and no session.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.file_requests import PATIENCE, FileRequests
from choline_jupyter.agent.file_roots import join_paths, read_roots
from choline_jupyter.session.file_grant import FileGrant
from choline_jupyter.session.file_service import LARGEST, FileService
from tests.source_tree import PACKAGE

SHIM = PACKAGE / "preload" / f"shim-{os.uname().machine}.so"
Result = TypeVar("Result")


class FilePair:
    """The client has its files in `here`; programs see `there`, which is empty. Owns a thread with the loop of both ends.

    `asked` are the questions that reached the client, `told` the agent's events.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE, largest: int = LARGEST) -> None:
        self.here, self.there = folder / "here", folder / "there"
        self.here.mkdir()
        self.there.mkdir()
        self.asked: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.arrived: dict[Path, str] = {}
        self.is_connected = True
        self.socket = folder / "socket"
        self._blobs = BlobFolder(folder / "blobs")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.call(self._start(patience, largest))

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run something in the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(40)

    def write(self, name: str, data: bytes = b"content") -> Path:
        """A file that only the client has."""
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def make_environment(self, excluded: Iterable[str] = ()) -> dict[str, str]:
        """What a program is started with."""
        marks = {"CHOLINE_FILES": str(self.socket), "CHOLINE_FILES_ROOTS": str(self.there)}
        marks["CHOLINE_FILES_EXCEPT"] = join_paths(excluded)
        return {**os.environ, **marks, "LD_PRELOAD": str(SHIM)}

    def connect(self) -> None:
        """A client comes (back)."""
        self.is_connected = True
        self._loop.call_soon_threadsafe(lambda: self._push(self.requests.welcome()))

    def close(self) -> None:
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        """Whoever asked may have gone without waiting for the answer."""
        self.requests.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # for what they have closed

    async def _start(self, patience: float, largest: int) -> None:
        roots = read_roots({"roots": [str(self.here)]}, {str(self.here): (str(self.there), str(self.there))})
        self.requests = FileRequests(
            roots, self._blobs, self._push, lambda client: self.is_connected, self.told.append, patience=patience
        )
        grant = FileGrant([str(self.here)], lambda path, status: "is a secret" if path.endswith("/.env") else "")
        self.service = FileService(grant, self._provide, self._put, self.arrived.__setitem__, largest)
        await self.requests.start(self.socket)

    def _push(self, wants: list[dict[str, Any]]) -> None:
        self.asked += ["%s %s" % (want["kind"], os.path.relpath(want["path"], self.here)) for want in wants]
        if self.is_connected:
            self.service.take(wants)

    async def _provide(self, head: dict[str, Any], body: bytes) -> None:
        await self.requests.provide(self, head, body)

    async def _put(self, files: Mapping[str, Path]) -> None:
        for digest, path in files.items():
            self._blobs.put(digest, 0, path.stat().st_size, path.read_bytes())
