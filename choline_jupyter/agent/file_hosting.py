"""Files on demand as the supervisor hosts them: which sessions have them, where each asks, who hears it.

Made by the supervisor; runs in its event loop. A session has them when its spec's `files` name `roots` and it does not work
on its client's own files; all others cost nothing. It is kept which files came this way (`agent.fetched_log`), so that they
are not taken for files that a job has made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.fetched_log import FetchedLog
from choline_jupyter.agent.file_requests import PATIENCE, FileRequests
from choline_jupyter.agent.file_roots import Roots, read_roots
from choline_jupyter.agent.place import Place, find_cache
from choline_jupyter.agent.shim import find_shim

if TYPE_CHECKING:
    from choline_jupyter.agent.client import Client
    from choline_jupyter.agent.session import HostedSession

_PARTS = ("sessions", "blobs", "preload", "wheels")

ListClients = Callable[[], Iterable["Client"]]


class FileHosting:
    """`list_clients` gives the clients that are connected now."""

    def __init__(self, place: Place, blobs: BlobFolder, list_clients: ListClients) -> None:
        self._place, self._blobs, self._list_clients = place, blobs, list_clients
        self._requests: dict[str, FileRequests] = {}

    async def start(self, session: HostedSession, python: str = "") -> Optional[dict[str, Any]]:
        """Listen to a session's kernels; what a rank of this interpreter is told, None without files on demand."""
        wish = session.spec.get("files") or {}
        if not wish.get("roots") or not session.spec.get("layout"):
            return None
        if session.id not in self._requests:
            self._requests[session.id] = self._make(session, wish)
        socket = self._place.find_files_socket(session.id)
        await self._requests[session.id].start(socket)
        return {
            "socket": str(socket),
            "roots": _find_roots(session, wish).seen,
            "except": [str(path) for path in (*self._list_own(session), self._place.sockets, find_cache())],
            "preload": find_shim(self._place.home, python),
        }

    def forget(self, session: str) -> None:
        """A job of this session is over: the next one asks anew."""
        if session in self._requests:
            self._requests[session].forget()

    def welcome(self, session: str, client: Client) -> None:
        """A client has begun to follow a session: it hears what is waited for."""
        if session in self._requests:
            wants = self._requests[session].welcome()
            if wants:
                client.ask_for_files(session, wants)

    async def provide(self, session: str, client: Client, head: Mapping[str, Any], body: bytes) -> None:
        """A client's word on a question, or files that will be asked for next."""
        if session in self._requests:
            await self._requests[session].provide(client, head, body)

    def close(self, session: str) -> None:
        """A session is over here."""
        requests = self._requests.pop(session, None)
        if requests:
            requests.close()

    def close_all(self) -> None:
        for session in list(self._requests):
            self.close(session)

    def _list_own(self, session: HostedSession) -> Iterable[Path]:
        """The agent's own folder, or its parts where a kernel sees the project inside of it."""
        home = self._place.home
        is_inside = str(session.spec["layout"]["root"]).startswith("%s/" % home)
        return [home / name for name in _PARTS] if is_inside else [home]

    def _make(self, session: HostedSession, wish: Mapping[str, Any]) -> FileRequests:
        def push(wants: list[dict[str, Any]]) -> None:
            for client in self._list_clients():
                if client.follows(session.id):
                    client.ask_for_files(session.id, wants)

        return FileRequests(
            _find_roots(session, wish),
            self._blobs,
            push,
            lambda client: any(client is one for one in self._list_clients()),
            lambda state: session.tell(state, session.running),
            FetchedLog(session.directory / "fetched.jsonl").add,
            float(wish.get("patience", PATIENCE)),
        )


def _find_roots(session: HostedSession, wish: Mapping[str, Any]) -> Roots:
    """Where the roots are: the project's folder, and others, where the session's layout has them."""
    layout = session.spec["layout"]
    folders = {path: (path, real) for path, real in layout.get("folders", ())}
    return read_roots(wish, {str(wish["root"]): (layout["root"], layout["real"]), **folders})
