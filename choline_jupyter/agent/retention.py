"""What may be deleted from the journals, and when: the acknowledged after a while, the rest only in need.

Called by the supervisor on every acknowledgement and once a minute. Promises: a record that no client has stored is
deleted only when the disk is down to its reserve, oldest first, and the series then says so (its seq has a hole that
every reader sees); the segment being written is never deleted; nothing of a session stays once it has ended and
everything in it was acknowledged or has grown old.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from choline_jupyter.agent.journal import Segment, find_last_seq, list_ranks, list_segments

KEEP_SECONDS = 7 * 86400
KEEP_BYTES = 2 << 30
DISK_RESERVE = 256 << 20
_FRESH = 10.0


class Retention:
    """Keeps the acknowledged seq per series in `acked.json` of each session's folder, written once a minute."""

    def __init__(self, sessions: Path) -> None:
        self._sessions = sessions
        self._acked: dict[str, dict[str, int]] = {}

    def acknowledge(self, session: str, rank: int, seq: int) -> None:
        """A client has stored this series up to `seq`."""
        series = self._load(session)
        series[str(rank)] = max(seq, series.get(str(rank), 0))

    def forget(self, session: str) -> None:
        """Its series begin anew."""
        self._acked.pop(session, None)

    def has_waiting(self, living: list[str]) -> bool:
        """Whether any of these sessions has put out what no client has stored yet."""
        return any(
            find_last_seq(self._sessions / session, rank) > self._load(session).get(str(rank), 0)
            for session in living
            for rank in list_ranks(self._sessions / session)
        )

    def flush(self, living: set[str]) -> None:
        """Put on the disk what power loss could take. Blocks; for an executor."""
        for session in living:
            for path in (self._sessions / session).glob("*.seg"):
                if time.time() - path.stat().st_mtime < _FRESH:
                    _flush(path)

    def sweep(self, living: set[str]) -> None:
        """Delete what may go, of all sessions on this disk. Blocks; for an executor."""
        if not self._sessions.is_dir():
            return
        for directory in sorted(self._sessions.iterdir()):
            self._save(directory)
            if directory.name in living:
                self._thin(directory)
            elif self._is_done(directory):
                shutil.rmtree(directory, ignore_errors=True)
                self._acked.pop(directory.name, None)
        if _is_short(self._sessions):
            self._free(living)

    def _is_done(self, directory: Path) -> bool:
        """Whether an ended session's folder can go: all stored by a client, or untouched for the keeping time."""
        if (directory / "session.json").exists():
            return False
        acked = self._load(directory.name)
        ends = {rank: find_last_seq(directory, rank) for rank in list_ranks(directory)}
        if all(acked.get(str(rank), 0) >= end for rank, end in ends.items()):
            return True
        return time.time() - directory.stat().st_mtime > KEEP_SECONDS

    def _thin(self, directory: Path) -> None:
        acked = self._load(directory.name)
        for rank in list_ranks(directory):
            segments = list_segments(directory, rank)
            size = sum(segment.path.stat().st_size for segment in segments)
            for segment, following in zip(segments, segments[1:]):
                status = segment.path.stat()
                is_old = time.time() - status.st_mtime > KEEP_SECONDS or size > KEEP_BYTES
                if following.first_seq - 1 > acked.get(str(rank), 0) or not is_old:
                    break
                segment.path.unlink()
                size -= status.st_size

    def _free(self, living: set[str]) -> None:
        """The disk is nearly full: delete the oldest segments that nobody writes, stored or not."""
        closed: list[tuple[float, Segment]] = []
        for directory in self._sessions.iterdir():
            for rank in list_ranks(directory):
                segments = list_segments(directory, rank)
                spare = segments[:-1] if directory.name in living else segments
                closed += [(segment.path.stat().st_mtime, segment) for segment in spare]
        for _, segment in sorted(closed):
            if not _is_short(self._sessions):
                return
            segment.path.unlink(missing_ok=True)

    def _load(self, session: str) -> dict[str, int]:
        if session not in self._acked:
            self._acked[session] = _read(self._sessions / session / "acked.json")
        return self._acked[session]

    def _save(self, directory: Path) -> None:
        if directory.name in self._acked:
            temporary = directory / "acked.tmp"
            temporary.write_text(json.dumps(self._acked[directory.name]))
            os.replace(temporary, directory / "acked.json")


def _is_short(path: Path) -> bool:
    usage = shutil.disk_usage(path)
    return usage.free < min(DISK_RESERVE, usage.total // 20)


def _read(path: Path) -> dict[str, int]:
    try:
        value: Any = json.loads(path.read_text())
        return {str(rank): int(seq) for rank, seq in value.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _flush(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY)
        os.fdatasync(fd)
        os.close(fd)
    except OSError:
        pass
