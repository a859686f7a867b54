"""The thread that stores what is in the queue.

Started by `ledger.event_store` when the first thing is put. Promises: it tells of a seq only after the commit that
holds it; whatever goes wrong with the disk, it keeps its batch, says why, and tries again until it is closed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from choline_jupyter.ledger.blob_folder import BlobFolder
from choline_jupyter.ledger.database import Database
from choline_jupyter.ledger.event_batch import Entry, Item, save_blobs, write_batch
from choline_jupyter.ledger.event_queue import EventQueue
from choline_jupyter.ledger.eviction import Evictor
from choline_jupyter.ledger.trouble import StoreError, explain_error
from choline_jupyter.model.event import Series

_FIRST_DELAY, _LONGEST_DELAY = 0.25, 8.0  # seconds between tries
_KEPT = "New output is shown but not recorded; recording goes on by itself once that is put right."

OnStored = Callable[[Series, int], None]
OnFailure = Callable[[str], None]


class EventWriter:
    """Owns one daemon thread, which calls both callbacks; from `start` to `join`."""

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        queue: EventQueue[Item],
        on_stored: OnStored,
        on_failure: OnFailure,
        evictor: Evictor,
    ) -> None:
        self.failure = ""
        self._database, self._blobs, self._queue = database, blobs, queue
        self._on_stored, self._on_failure, self._evictor = on_stored, on_failure, evictor
        self._thread = threading.Thread(target=self._run, name="choline-event-writer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_current_thread(self) -> bool:
        """Whether the caller is a callback of this writer."""
        return threading.current_thread() is self._thread

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread, after the queue was closed; False when it takes longer."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while batch := self._queue.take():
            stored = self._store(batch)
            if stored is None:
                return
            self._queue.mark_done()
            for series, seq in stored.items():
                _call(self._on_stored, series, seq)
            self._make_room(batch)

    def _store(self, batch: list[Item]) -> dict[Series, int] | None:
        """Store the batch however often it takes; None when the queue was closed before it could be."""
        delay = _FIRST_DELAY
        while True:
            try:
                stored = self._try_to_store(batch)
            except StoreError as error:
                self._report(f"{error} {_KEPT}")
                if not self._queue.wait_before_retry(delay):
                    return None
                delay = min(2 * delay, _LONGEST_DELAY)
            else:
                self._report("")
                return stored

    def _try_to_store(self, batch: list[Item]) -> dict[Series, int]:
        try:
            digests = save_blobs(self._blobs, batch)
        except OSError as error:
            raise explain_error(error, self._database.path) from None
        return write_batch(self._database, self._blobs, digests, batch)

    def _make_room(self, batch: list[Item]) -> None:
        try:
            self._evictor.count(sum(len(item.record) for item in batch if isinstance(item, Entry)))
        except StoreError:
            pass  # tried again after the next batch; if the disk is full the writing itself will say so

    def _report(self, failure: str) -> None:
        if failure != self.failure:
            self.failure = failure
            _call(self._on_failure, failure)


def _call(callback: Callable[..., None], *values: object) -> None:
    """A callback's mistake must not end the thread that keeps the output."""
    try:
        callback(*values)
    except Exception:
        logging.getLogger(__name__).exception("a callback of the event store failed")
