"""The training feed: what a job's code tells (`choline_jupyter.training`) and what checkpoints it writes become events.

Made by `agent.kernel.application` and `agent.script`, one per rank; owns the thread `choline-training`, which reads what was
told, copies and codes checkpoints, and appends to the journal. Promise: what was told before a job's end stands before the end.
"""

from __future__ import annotations

import errno
import json
import os
import re
import select
import sys
import threading
from collections.abc import Container, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional, Union

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.checkpoint_coding import CheckpointCoding
from choline_jupyter.agent.checkpoint_sight import CheckpointSight, Sighting
from choline_jupyter.agent.file_watch import FileWatch
from choline_jupyter.agent.folder_watch import FolderWatch
from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.agent.part_sight import PartSight
from choline_jupyter.agent.progress_feed import ProgressFeed
from choline_jupyter.agent.workspace import Workspace
from choline_jupyter.model.event import Kind
from choline_jupyter.store.entry import SMALL

_VARIABLE = "CHOLINE_TRAINING"
_NAME = re.compile(r"j-?[0-9a-z-]{1,60}\Z")
_KINDS = {"metric": Kind.METRIC, "checkpoint": Kind.CHECKPOINT}
_KEPT = 3  # checkpoints of a job that stay over here, where home has the others
_POLL = 500  # ms between looks where the system does not tell


class TrainingFeed:
    """`workspace` is None in a session that has the client's own files: there checkpoints are home when they are written."""

    def __init__(
        self, journal: JournalWriter, folder: Path, blobs: Path, workspace: Optional[Workspace], rank: int = 0
    ) -> None:
        self._journal, self._workspace, self._rank = journal, workspace, rank
        self._blobs = BlobFolder(blobs)
        self._told = folder / "told.jsonl"
        self._read = 0
        self._job, self._attempt = "", 0
        self._folder = Path()
        self._turn = threading.Lock()  # held while events are made
        self._coding = CheckpointCoding(self._blobs, ())
        self._sight: Optional[CheckpointSight] = None
        self._parts: Optional[PartSight] = None
        self._folders: Optional[FolderWatch] = None
        self._is_blind = False  # there is no telling what is written in folders
        self._wish: dict[str, Any] = {}
        self._is_started = False
        self._progress = ProgressFeed()
        self._logs = False  # the job tells its metrics itself: its output is not searched for them

    def hear(self, stream: str, text: Union[str, bytes]) -> None:
        """A piece of output, in whatever thread has it (see `ProgressFeed.hear`)."""
        if self._is_started and not self._logs:
            self._progress.hear(stream, text)

    def begin(self, job: str, attempt: int, wish: Any) -> dict[str, str]:
        """A job begins; gives what its processes find in their environment. `wish`: what the client has said of it."""
        if not isinstance(wish, dict) or not job or not _NAME.match(str(wish.get("name", ""))):
            return {}
        root = self._workspace.root if self._workspace else str(wish.get("root", ""))
        if not os.path.isdir(root):
            return {}
        folder = Path(root, "checkpoints", wish["name"])
        if self._rank:  # of several the first one saves and tells; all go on from what it has saved
            order = {"folder": str(folder), "job": job, "keep": 0, "told": ""}
            return {_VARIABLE: json.dumps(order), **_show_helpers()}
        with self._turn:
            self._job, self._attempt, self._folder = job, attempt, folder
            self._wish, self._logs = wish, False
            self._progress.begin()
            self._coding = CheckpointCoding(self._blobs, tuple(wish.get("codecs") or ()))
            self._prepare(root, wish)
        if not self._is_started:
            self._start()
        keep = _KEPT if self._workspace else 0
        order = {"folder": str(folder), "job": job, "keep": keep, "told": str(self._told)}
        order["notice"] = str(self._told.with_name("notice"))
        return {_VARIABLE: json.dumps(order), **_show_helpers()}

    def catch_up(self) -> None:
        """Return when everything so far has been told."""
        self._take_told()
        self._take_sightings()

    def finish(self) -> None:
        """Return when everything of the job has been told."""
        training = sys.modules.get("choline_jupyter.training.checkpoints")
        with suppress(KeyboardInterrupt):
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError, AttributeError):
                    stream.flush()
            if training is not None:
                training.finish()
            self.catch_up()
            self._take_progress(is_last=True)
        self._sight = self._parts = None  # what is written from now on may be what comes with the next job

    def _prepare(self, root: str, wish: Mapping[str, Any]) -> None:
        """Have an eye on the project's folder; only where what is written there is not at home already."""
        if self._workspace is None:
            return
        self._workspace.apart = str(self._folder.relative_to(root)) + "/"
        patterns = [str(pattern) for pattern in wish.get("patterns") or ()]
        knows = self._workspace.has_placed
        apart = os.path.join(root, "checkpoints")
        if wish.get("parts"):
            self._parts, apart = PartSight(root, patterns, knows), str(self._folder)
        else:
            self._sight = CheckpointSight(root, self._folder, patterns, knows, self._complain)
        while self._folders and self._folders.read():
            pass  # what came with the job is not the job's
        if self._folders is None and not self._is_blind:
            self._folders = self._watch_folders(root, {apart, *self._workspace.shown})

    def _watch_folders(self, root: str, apart: Container[str]) -> Optional[FolderWatch]:
        """None, which is said once, where the user has no inotify left: what the code saves by itself is not seen."""
        try:
            return FolderWatch(root, apart)
        except OSError as error:
            self._is_blind = True
            if error.errno == errno.EMFILE:
                self._complain("fs.inotify.max_user_instances is used up here: only what checkpoint() saves comes home")
            return None

    def _start(self) -> None:
        self._is_started = True
        with suppress(OSError):
            self._told.touch(0o600)
        threading.Thread(target=self._run, name="choline-training", daemon=True).start()

    def _run(self) -> None:
        """In the thread, until the process ends; it works when the training leaves the processor to it."""
        with suppress(OSError, AttributeError):  # Linux has priorities for threads
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        poll = select.poll()
        watch: Optional[FileWatch] = None
        with suppress(OSError, AttributeError):  # other systems than Linux are asked now and then
            watch = FileWatch()
            watch.add(self._told)
            poll.register(watch.fileno(), select.POLLIN)
        if self._folders:
            poll.register(self._folders.fileno(), select.POLLIN)
        while True:
            pause = self._wait(poll, None if watch else _POLL)
            if watch:
                watch.read()
            with suppress(Exception):  # a disk in trouble: the next one may do
                self._take_told()
                self._take_sightings()
                if not pause:
                    self._take_progress()

    def _wait(self, poll: select.poll, patience: Optional[int]) -> float:
        """Until something is to be taken; gives for how long that is not what was printed."""
        pause = self._progress.find_pause()
        if pause:
            poll.poll(int(1000 * pause) + 1)
            return pause
        poll.register(self._progress.fileno(), select.POLLIN)
        poll.poll(patience)
        poll.unregister(self._progress.fileno())
        return 0.0

    def _take_progress(self, is_last: bool = False) -> None:
        with self._turn:
            points = self._progress.close() if is_last else self._progress.collect()
            if points and not self._logs:
                self._append(Kind.PROGRESS, self._job, {"points": points})

    def _take_told(self) -> None:
        with suppress(OSError):
            if os.path.getsize(self._told) == self._read and not self._turn.locked():
                return
        with self._turn:
            for fact in self._read_told():
                self._take(fact)

    def _read_told(self) -> list[dict[str, Any]]:
        try:
            with open(self._told, "rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:
            return []
        data = data[: data.rfind(b"\n") + 1]
        self._read += len(data)
        found = []
        for line in data.splitlines():
            with suppress(ValueError):
                fact = json.loads(line)
                found += [fact] if isinstance(fact, dict) else []
        return found

    def _take(self, fact: dict[str, Any]) -> None:
        kind = _KINDS.get(str(fact.pop("kind", "")))
        job = str(fact.pop("job", ""))
        if kind is Kind.CHECKPOINT:
            path = Path(str(fact.pop("path")))
            files = [["", fact["size"], fact["sha256"]]]
            self._announce(job, path, files, {**fact, "made": "checkpoint"}, "preview" if fact["preview"] else "exact")
        elif kind is not None:
            self._logs = self._logs or job == self._job
            self._append(kind, job, fact)

    def _take_sightings(self) -> None:
        if not self._folders or not (self._sight or self._parts):
            return
        with self._turn:
            while written := self._folders.read():
                for sighting in self._sight.look(written) if self._sight else ():
                    self._announce_sighting(sighting)
                for part in self._parts.look(written) if self._parts else ():
                    self._append(Kind.STATE, self._job, part)
                    if self._workspace and part["path"].endswith((".distcp", ".metadata")):
                        self._workspace.gathered.add(part["path"])

    def _announce_sighting(self, sighting: Sighting) -> None:
        at = sighting.copy.stat().st_mtime
        fact = {"made": "seen", "source": sighting.path, "step": None, "epoch": None, "loss": None, "at": at}
        self._announce(self._job, sighting.copy, [list(file) for file in sighting.files], fact, sighting.path)

    def _announce(self, job: str, path: Path, files: list[list[Any]], fact: dict[str, Any], kind: str) -> None:
        """`kind`: of which the checkpoint before is what it is compared with."""
        told: dict[str, Any] = {
            **fact,
            "name": path.name,
            "folder": path.parent.name,
            "files": files,
            "keep": self._wish.get("keep"),
            "is_home": self._workspace is None,
        }
        if self._workspace is not None:
            for name, _, digest in [file for file in files if file[1] > SMALL]:
                self._workspace.note_content(str(path / name), digest)
        if self._workspace is not None and path.exists():
            told["difference"] = self._coding.code(kind, path, str(files[0][2]))
        self._append(Kind.CHECKPOINT, job, told)

    def _complain(self, sentence: str) -> None:
        content = json.dumps({"name": "stderr", "text": "choline: %s\n" % sentence}).encode()
        header = b'{"msg_type": "stream"}'
        self._journal.append(Kind.STREAM, [header, b"{}", b"{}", content], self._job, self._attempt)

    def _append(self, kind: Kind, job: str, fact: Mapping[str, Any]) -> None:
        content = json.dumps(fact).encode()
        self._journal.append(kind, [b"{}", b"{}", b"{}", content], job or self._job, self._attempt)


def _show_helpers() -> dict[str, str]:
    """Have programs that a job starts find `choline_jupyter`, where it was pushed here and is not installed."""
    package = Path(__file__).resolve().parents[1]
    if (package / "session").is_dir():
        return {}
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {"PYTHONPATH": os.pathsep.join([*others, *({str(package.parent)} - set(others))])}
