"""The jobs that a session has taken and that are not over, one file each, so that a supervisor that is killed forgets none.

Owned by one `agent.session`; the next supervisor's reads what it left. A file holds the RUN frame as it came, but of its
secrets the names only, and is named by the time of its arrival. Nothing is flushed to the disk: it is for the death of a
process, not of the machine.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Optional

from choline_jupyter.model.names import check_identifier
from choline_jupyter.wire.frame import Frame, FrameDecoder, encode_frame
from choline_jupyter.wire.record import WireError


class JobFolder:
    """Keeps RUN frames in `directory`, which is made with the first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._paths: dict[str, Path] = {}

    def put(self, frame: Frame) -> None:
        """Keep a job; where the disk is full it runs all the same, and only a supervisor's death would lose it."""
        job = check_identifier(frame.header["job"])
        path = self._paths[job] = self._directory / ("%020d-%s" % (time.time_ns(), job))
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(encode_frame(*_strip_secrets(frame)))
        except OSError:
            self.remove(job)

    def remove(self, job: str) -> None:
        """A job is over."""
        path = self._paths.pop(job, None)
        if path:
            with suppress(OSError):
                path.unlink()

    def load(self) -> list[Frame]:
        """What an earlier supervisor left, in the order of arrival; a torn file was never answered for."""
        frames = []
        for path in sorted(self._directory.iterdir()) if self._directory.is_dir() else ():
            found = _read(path)
            if found is None:
                path.unlink()
            else:
                self._paths[found.header["job"]] = path
                frames.append(found)
        return frames


def _strip_secrets(frame: Frame) -> Frame:
    if not frame.header.get("secrets"):
        return frame
    return frame._replace(header={**frame.header, "secrets": dict.fromkeys(frame.header["secrets"])})


def _read(path: Path) -> Optional[Frame]:
    try:
        frames = list(FrameDecoder().feed(path.read_bytes()))
    except (OSError, WireError):
        return None
    return frames[0] if frames else None
