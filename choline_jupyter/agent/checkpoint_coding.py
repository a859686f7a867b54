"""Coding: how a checkpoint travels: as a difference to the one before of its kind, where that is smaller.

Used by `agent.training_feed` in its thread. The client says what it can read; the difference is a blob of the agent's for it to
fetch. What cannot be coded travels as it is.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Optional

from choline_jupyter.agent.blob_folder import BlobFolder
from choline_jupyter.store.difference import DifferenceError, list_codecs, write_difference
from choline_jupyter.store.tensor_map import list_spans, pair_spans

_KEPT = 3
_SMALLEST = 1 << 20  # bytes of a file that are worth the work


class Base(NamedTuple):
    """The last checkpoint of a kind: its file, name and digest."""

    path: Path
    name: str
    digest: str


class CheckpointCoding:
    """Knows the last checkpoint of each kind of one job, and which blobs wait for a client."""

    def __init__(self, blobs: BlobFolder, readable: Sequence[str]) -> None:
        self._blobs, self._readable = blobs, readable
        self._bases: dict[str, Base] = {}
        self._waiting: dict[str, list[str]] = {}

    @cached_property
    def _codec(self) -> str:
        """Looked for when there is something to code: numpy is not imported for a job that has no checkpoints."""
        return next((name for name in list_codecs() if name in self._readable), "") if self._readable else ""

    def code(self, kind: str, path: Path, digest: str) -> Optional[dict[str, Any]]:
        """What the client is told of the difference; None where the file itself is to be fetched."""
        base, self._bases[kind] = self._bases.get(kind), Base(path, path.name, digest)
        if base is None or path.is_dir() or path.stat().st_size < _SMALLEST or not self._codec:
            return None
        scratch = self._blobs.folder / ("%s.new" % uuid.uuid4().hex)
        self._blobs.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return self._make(kind, path, base, scratch)
        except (OSError, DifferenceError):  # no room, or the base is gone
            return None
        finally:
            scratch.unlink(missing_ok=True)

    def _make(self, kind: str, path: Path, base: Base, scratch: Path) -> Optional[dict[str, Any]]:
        pairs = pair_spans(list_spans(path), list_spans(base.path))
        if not any(twin for _, twin in pairs):
            return None
        with open(scratch, "wb") as file:
            write_difference(path, base.path, pairs, self._codec, file.write)
            size = file.tell()
        if size >= os.path.getsize(path):
            return None
        blob = self._blobs.take(scratch)
        self._keep(kind, blob)
        return {"blob": blob, "size": size, "base": base.name, "base_sha256": base.digest}

    def _keep(self, kind: str, blob: str) -> None:
        """As many differences as checkpoints: an older one that nobody has fetched is superseded."""
        waiting = self._waiting.setdefault(kind, [])
        waiting.append(blob)
        while len(waiting) > _KEPT:
            self._blobs.remove(waiting.pop(0))
