"""Checkpoints on their way from here to the user's store, behind everybody's back.

Made by `session.checkpoints`. Owns the daemon thread `choline-store`, which is there while something is on its way: neither
training, nor the copy at home, nor the end of a process waits for it. What did not go in time goes with the next one, or with
`%choline pull JOB`. What a store says no to is told once.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from choline_jupyter.errors import CholineError, CorruptBlob, RequestError
from choline_jupyter.ledger.file_lock import FileLock
from choline_jupyter.model.names import check_identifier
from choline_jupyter.session.checkpoint_policy import Policy, choose_surplus, read_policy
from choline_jupyter.session.checkpoint_record import Kept, list_kept
from choline_jupyter.session.checkpoint_store import CheckpointStore

_TEXT = 200
_PATIENCE = 1.0


def note_store(directory: Path, folder: str, url: str | None, keep: str | None) -> None:
    """The checkpoints of this folder go to that store, whichever process gets them; without a URL nothing changes."""
    if url:
        path = _find_note(directory, folder)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.touch(0o600)
        temporary.write_text(json.dumps({"url": url, "keep": keep}))
        temporary.replace(path)


def find_store(directory: Path, folder: str) -> dict[str, Any]:
    """`url` and `keep` of a folder's store; empty where it has none."""
    with suppress(OSError, ValueError):
        found = json.loads(_find_note(directory, folder).read_text())
        return found if isinstance(found, dict) else {}
    return {}


class Uploads:
    """`root` is the project's folder; `tell` takes a sentence for whoever shows the session's events."""

    def __init__(self, directory: Path, root: Path, tell: Callable[[str], None]) -> None:
        self._directory, self._root, self._tell = directory, root, tell
        self._turn = threading.Condition()
        self._wanted: list[str] = []
        self._is_running = False
        self._told: set[str] = set()

    def add(self, folder: str) -> None:
        """A checkpoint of this folder is home; costs a look at one small file where it has no store."""
        if not find_store(self._directory, folder):
            return
        with self._turn:
            if folder not in self._wanted:
                self._wanted.append(folder)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="choline-store", daemon=True).start()

    def wait(self, patience: float | None = None) -> bool:
        """Until all has gone, or could not; False when that took too long."""
        with self._turn:
            return self._turn.wait_for(lambda: not self._is_running, patience)

    def _run(self) -> None:
        while True:
            with self._turn:
                if not self._wanted:
                    self._is_running = False
                    self._turn.notify_all()
                    return
                folder = self._wanted.pop(0)
            try:
                self._sync(folder)
            except Exception as error:  # noqa: BLE001 - every file system has errors of its own
                self._complain(folder, error)

    def _sync(self, folder: str) -> None:
        """Have there what is here and is not there yet; then those go that its policy does not keep."""
        found = find_store(self._directory, folder)
        store = CheckpointStore(str(found["url"]))
        lock = FileLock(self._directory / "stores" / f"{folder}.lock")
        try:
            while not lock.seize(_PATIENCE):
                pass  # another process is at it
            there = {kept.path.name: kept.record.get("sha256") for kept in store.list_kept(folder)}
            for kept in list_kept(self._root, folder):
                if there.get(kept.path.name, "-") != kept.record.get("sha256") and "job" in kept.record:
                    self._put(store, folder, kept)
            for surplus in choose_surplus(store.list_kept(folder), _read_policy(found.get("keep"))):
                store.remove(folder, surplus)
        finally:
            lock.close()

    def _put(self, store: CheckpointStore, folder: str, kept: Kept) -> None:
        """One that is damaged here does not stop the others."""
        try:
            store.put(folder, kept)
        except CorruptBlob as error:
            self._complain(folder, error)

    def _complain(self, folder: str, error: Exception) -> None:
        why = error.message if isinstance(error, CholineError) else (str(error) or type(error).__name__)
        sentence = f"checkpoints of {folder} are here, but not in the store: {why:.{_TEXT}}"
        if sentence not in self._told:
            self._told.add(sentence)
            self._tell(sentence)


def _read_policy(keep: Any) -> Policy:
    try:
        return read_policy(keep)
    except RequestError:  # of another version
        return read_policy(None)


def _find_note(directory: Path, folder: str) -> Path:
    return directory / "stores" / f"{check_identifier(folder)}.json"
