"""Sessions that are being started without a cell: what each is to be, how far it is, and what has become of it.

Written by `session.starter`, which starts one in a process of its own, and by the server, which asks for it and shows it. One
file each; a lock is held by the process that works on it, so one that was killed is known to have been. A start that has
succeeded leaves nothing: its session is in the event store.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from choline_jupyter.ledger.file_lock import FileLock, is_held
from choline_jupyter.model.names import check_identifier

FOLDER = "starts"
_CUT = "What was starting it has ended before it was done. Its machine, if there is one, is ended by choline's keeper."


@dataclass(frozen=True)
class Start:
    """One session to be. `id` will be the session's; `words` are the options of its machine, `what` says it in few words.

    `stage` is `offers`, `renting`, `booting` or `opening`, `text` what is done there. `problem` is why it came to nothing.
    """

    id: str
    name: str
    directory: str
    words: tuple[str, ...]
    what: str
    since: float
    stage: str = "offers"
    text: str = ""
    problem: str = ""


class Starts:
    """Those of this user, below the `directory` of the record. May be used by any thread."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / FOLDER

    def save(self, start: Start) -> None:
        """Note it as it is now; the file is replaced as a whole."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        new = self.folder / f"{start.id}.{os.getpid()}.new"
        new.touch(0o600)
        new.write_text(json.dumps(dataclasses.asdict(start)))
        new.replace(self._find_path(start.id))

    def find(self, id: str) -> Start | None:
        """The start of this id; None when it has succeeded or nobody knows it."""
        try:
            content = json.loads(self._find_path(id).read_text())
            return Start(**{**content, "words": tuple(content["words"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def list_all(self) -> list[Start]:
        """Those that go on, and those that failed and were not dismissed yet; oldest first."""
        found = [self._judge(path.stem) for path in self.folder.glob("*.json")]
        return sorted(filter(None, found), key=lambda start: start.since)

    def remove(self, id: str) -> None:
        """There is nothing more to be said of it."""
        self._find_path(id).unlink(missing_ok=True)
        self._find_lock(id).unlink(missing_ok=True)

    @contextmanager
    def hold(self, id: str) -> Iterator[FileLock]:
        """Hold a new one's lock: a process that is started meanwhile can be given it, and holds it until it ends."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(self._find_lock(id))
        try:
            lock.seize(0)
            yield lock
        finally:
            lock.close()

    def note_worker(self, id: str, pid: int) -> None:
        """Which process works on it."""
        self._find_lock(id).write_text(str(pid))

    def note_end(self, id: str) -> None:
        """Its process has ended: where it has left no word, say so."""
        start = self.find(id)
        if start and not start.problem:
            self.save(dataclasses.replace(start, problem=_CUT))

    def cancel(self, id: str) -> bool:
        """Have its process put away what it has begun; False where none works on it any more."""
        if not is_held(self._find_lock(id)):
            return False
        with suppress(ProcessLookupError):
            os.kill(int(self._find_lock(id).read_text()), signal.SIGTERM)
        return True

    def _judge(self, id: str) -> Start | None:
        """As it is: what is looked at behind the lock is the last word of a process that has let go of it."""
        goes_on = is_held(self._find_lock(id))
        start = self.find(id)
        return dataclasses.replace(start, problem=_CUT) if start and not start.problem and not goes_on else start

    def _find_path(self, id: str) -> Path:
        return self.folder / f"{check_identifier(id)}.json"

    def _find_lock(self, id: str) -> Path:
        return self.folder / f"{check_identifier(id)}.lock"
