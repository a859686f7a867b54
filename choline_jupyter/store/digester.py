"""SHA-256 in a thread of its own, so that reading and writing go on meanwhile (hashlib lets go of the interpreter's lock).

Used wherever a large file is read or made. It owns one thread from the first `update` to `finish`.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from typing import Optional, Union

_AHEAD = 4  # pieces that wait; what they hold is memory


class Digester:
    """Pieces are not to be changed once they are given."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._pieces: queue.Queue[Optional[Union[bytes, memoryview]]] = queue.Queue(_AHEAD)
        self._thread: Optional[threading.Thread] = None

    def update(self, piece: Union[bytes, memoryview]) -> None:
        """The next bytes; waits when too many are waiting."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="choline-digest", daemon=True)
            self._thread.start()
        self._pieces.put(piece)

    def finish(self) -> str:
        """The digest of all, in hexadecimal; must be called, also by whoever gives up."""
        if self._thread:
            self._pieces.put(None)
            self._thread.join()
            self._thread = None
        return self._hash.hexdigest()

    def _work(self) -> None:
        while True:
            piece = self._pieces.get()
            if piece is None:
                return
            self._hash.update(piece)
