"""What comes with a cell, files and names, and what the cell leaves behind: unpacked before it runs, announced after it.

Called by `application` in the kernel's main thread. A file or name that cannot be made does not stop the others: the cell
says what it misses, a line on stderr says why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Callable, Optional

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.agent.kernel.modules import Modules
from choline_jupyter.agent.kernel.names import install_names, remove_blobs
from choline_jupyter.agent.small_files import open_data
from choline_jupyter.agent.workspace import Workspace, announce, tell_unplaced

Pause = Callable[[], AbstractContextManager[None]]


class Luggage:
    """`workspace` is None in a session that has the client's own files; in `pause` nothing is fetched on demand.

    Large buffers of names are in `blobs`. It is one of `size` ranks.
    """

    def __init__(
        self,
        journal: JournalWriter,
        workspace: Optional[Workspace],
        pause: Pause,
        blobs: BlobFolder,
        rank: int = 0,
        size: int = 1,
    ) -> None:
        self._rank, self._is_alone = rank, size == 1
        self._journal, self._workspace, self._pause, self._blobs = journal, workspace, pause, blobs
        self._modules = Modules()

    def unpack(self, shell: Any, wish: dict[str, Any], buffers: list[Any]) -> Iterator[str]:
        """Make what `wish` names; gives one sentence for each thing that cannot be."""
        acts, file = wish.get("names") or [], wish.get("file")
        data = open_data(Path(file)) if file else memoryview(bytes(buffers[0]) if buffers else b"")
        start = sum(size for act in acts for size in act["sizes"])
        if self._workspace and wish.get("brought"):
            with self._pause():
                missing = list(self._workspace.receive(wish["brought"]))
            yield from missing
        if self._workspace and wish.get("files"):
            with self._pause():
                sentences = list(self._workspace.unpack(wish["files"], data[start:]))
            yield from sentences
            yield from self._modules.reload(self._workspace.arrived)
        yield from install_names(shell, acts, data[:start], self._blobs, self._rank)
        if self._is_alone:  # what several ranks use goes when room is needed
            remove_blobs(acts, self._blobs)
        if file:
            os.unlink(file)

    def tell_unplaced(self, job: str, attempt: int) -> None:
        """Tell which files that came are not in place."""
        if self._workspace and job:
            tell_unplaced(self._workspace, self._journal, job, attempt)

    def announce(self, job: str, attempt: int, pull: bool) -> None:
        """Tell what the cell has made and changed in the project's folder."""
        if self._workspace and job:
            with self._pause():
                announce(self._workspace, self._journal, job, attempt, pull)
