"""Which files a notebook's cells, or a script, fetched on demand: they go ahead next time.

Kept in the engine's data directory, one file for each session name or script; written and read by `session.live`.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from choline_jupyter.capture.foresight import Need

_MOST = 10_000  # of one notebook; the oldest are forgotten


class FetchedFiles:
    """`directory` is the engine's own; any thread may call."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "fetched"
        self._lock = threading.Lock()

    def remember(self, notebook: str, paths: Iterable[Path]) -> None:
        """Add files or folders to what is known of a notebook. Raises OSError."""
        with self._lock:
            known = dict.fromkeys([*self.list_remembered(notebook), *paths])
            self._write(notebook, list(known)[-_MOST:])

    def list_remembered(self, notebook: str) -> list[Path]:
        """What was fetched on demand before and is still here, the oldest first; a folder stands for all its files."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(self._find(notebook).read_text())
            return [Path(path) for path in told["paths"] if os.path.lexists(path)]
        return []

    def list_needs(self, notebook: str) -> list[Need]:
        """The same as what the next job needs."""
        known = self.list_remembered(notebook)
        return [Need(path, "folder" if path.is_dir() else "data", "fetched on demand before") for path in known]

    def _write(self, notebook: str, paths: list[Path]) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = self._find(notebook)
        temporary = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}")
        temporary.write_text(json.dumps({"notebook": notebook, "paths": [str(path) for path in paths]}))
        temporary.replace(target)

    def _find(self, notebook: str) -> Path:
        return self._folder / (hashlib.sha256(notebook.encode(errors="surrogateescape")).hexdigest()[:16] + ".json")
