"""Deliveries: what this machine cannot fetch itself and a session's client brings, as blobs.

Made by the supervisor, runs in its event loop. A session says what it wants in its own series, again from time to time,
so that a client that comes later hears it too; whichever client answers first is taken. The wish names only what the
wheels must fit: which packages they are of is the client's to decide.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any, Callable

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.tool import EnvironmentFault
from choline_jupyter.model.environment import Target

_AGAIN = 60.0

Tell = Callable[[dict[str, Any]], None]


class Deliveries:
    """What sessions wait for, by session."""

    def __init__(self, blobs: BlobFolder, folder: Path) -> None:
        self._blobs, self._folder = blobs, folder
        self._awaited: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def bring(self, session: str, target: Target, tell: Tell) -> list[Path]:
        """The wheels of what the session's environment is to hold; raises EnvironmentFault."""
        answer = await self._await(session, {"state": "wanting", "wheels": target.to_json()}, tell)
        if "failure" in answer:
            raise EnvironmentFault(str(answer["failure"]))
        return await asyncio.get_running_loop().run_in_executor(None, self._lay_out, answer["wheels"])

    def provide(self, session: str, answer: dict[str, Any]) -> None:
        """A client's answer: `wheels` (digests by file name), or a `failure` in one sentence."""
        awaited = self._awaited.get(session)
        if awaited and not awaited.done():
            awaited.set_result(answer)

    async def _await(self, session: str, wish: dict[str, Any], tell: Tell) -> dict[str, Any]:
        awaited: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._awaited[session] = awaited
        try:
            while not awaited.done():
                tell(wish)
                await asyncio.wait({awaited}, timeout=_AGAIN)
            return awaited.result()
        finally:
            del self._awaited[session]

    def _lay_out(self, wheels: dict[str, str]) -> list[Path]:
        """Give blobs the names of their wheels; they leave the blob folder. The folder is a new one, the caller's to remove."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        paths = []
        for name, digest in wheels.items():
            if Path(name).name != name or not name.endswith(".whl"):
                raise EnvironmentFault("%r is not the name of a wheel" % name)
            os.link(self._blobs.find(digest), folder / name)
            paths.append(folder / name)
        for digest in wheels.values():
            self._blobs.remove(digest)
        return paths
