"""The files of one session: what it has of the project's, and what it makes that comes home.

Made by `session.live` when there is something to do; `plan` is called by the thread that runs the cell, the rest in the
engine's loop. `notices` are sentences for whoever shows the session's events.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from choline_jupyter.model.event import Event
from choline_jupyter.session.delta import Deltas
from choline_jupyter.session.file_sync import FileSync
from choline_jupyter.session.homecoming import Homecoming, find_earlier, list_paths
from choline_jupyter.session.project import find_project
from choline_jupyter.store.chunk_tables import ChunkTables
from choline_jupyter.store.entry import Entry
from choline_jupyter.store.scan import Scan

if TYPE_CHECKING:
    from choline_jupyter.model.session import SessionRow

_scans: dict[Path, Scan] = {}


class SessionFiles:
    """`directory` is the engine's own, where it is kept what was sent and read."""

    def __init__(self, row: SessionRow, directory: Path) -> None:
        root = find_project(Path(row.directory))
        if directory not in _scans:
            _scans[directory] = Scan(directory / "scan.json", ChunkTables(directory / "chunks"))
        scan = _scans[directory]
        self.sync = FileSync(root, directory / "files" / f"{row.id}.json", scan)
        self.session, self.notices = row.id, list[str]()
        self._tables, self._directory = scan.tables, directory
        self._inbox = directory / "inbox"
        self._home = Homecoming(self.sync, scan, find_earlier(directory))

    def make_deltas(self, bases: Mapping[str, str]) -> Deltas:
        """What can be sent of changed files instead of all; `bases` are the session's versions, by the new ones."""
        return Deltas(self._tables, bases, make_outbox(self._directory).parent)

    def take(self, event: Event, is_asked: bool = False) -> list[Entry]:
        """Bring home what came with an announcement; gives the files that have to be fetched.

        `is_asked`: the user wants it now, whatever was said when the job began.
        """
        sentences, missing = self._home.take(event, is_asked)
        self.notices += sentences
        if missing and not is_asked:
            self.notices.append(f"coming home in the background: {list_paths(missing)}")
        return missing

    def find_inbox(self, entry: Entry) -> Path:
        """Where a file is fetched to; the same each time, so that a transfer goes on where it was cut."""
        self._inbox.mkdir(mode=0o700, exist_ok=True)
        return self._inbox / entry.digest

    def put(self, entry: Entry, file: Path, job: str) -> None:
        """A file has been fetched: put it in place."""
        self.notices += self._home.put(entry, file, job)
        file.unlink(missing_ok=True)

    def note(self, sentence: str) -> None:
        """Something else that is to be said."""
        self.notices.append(sentence)

    def take_notices(self) -> list[str]:
        """What is to be said, once."""
        said, self.notices = self.notices, []
        return said


def make_outbox(directory: Path) -> Path:
    """A file for what goes ahead of a job in one piece; the caller's to remove."""
    folder = directory / "outbox"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{os.getpid()}-{uuid.uuid4().hex}"
