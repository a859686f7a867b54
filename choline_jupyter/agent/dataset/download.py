"""One download: a file of a source becomes a blob of this machine, once, whole, from where an earlier one was cut.

Made by `agent.dataset.main` for each item. What is on this machine already, under its digest or because the server says that it
has not changed, is not downloaded. Only bytes with the right digest become a blob.
"""

from __future__ import annotations

import email.utils
import hashlib
import http.client
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from choline_jupyter.agent.contents import Contents
from choline_jupyter.agent.dataset.catalog import Catalog, Known, Part
from choline_jupyter.agent.dataset.fault import DownloadFault, explain_disk
from choline_jupyter.agent.dataset.hub import find_linked_digest
from choline_jupyter.agent.dataset.source import Item, Source
from choline_jupyter.agent.dataset.web import Answer, Headers, Passing, is_passing

_READ = 1 << 20
_PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before it is tried again; what has brought something begins anew
_LONGEST_PAUSE = 60.0
_CHECK = 256 << 20  # bytes between two looks at the disk, where nobody knows how much is to come
_RANGE = re.compile(r"bytes (\d{1,19})-\d{1,19}/(\d{1,19}|\*)\Z")
_TOTAL = re.compile(r"bytes \*/(\d{1,19})\Z")

Progress = Callable[[int, int], None]  # bytes that have come since the last call, and of how many in all, or -1


class Found(NamedTuple):
    """A file that is on this machine now; `is_new`: it was downloaded for this."""

    known: Known
    is_new: bool


class Download:
    """Raises DownloadFault. Blocks. `pause(seconds)` waits."""

    def __init__(
        self, home: Path, source: Source, item: Item, progress: Progress, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._source, self._item, self._progress, self._pause = source, item, progress, pause
        self._catalog, self._contents, self._blobs = Catalog(home), Contents(home), home / "blobs"
        self._sha256 = item.sha256
        self._total, self._done = item.size, 0
        self._hash = hashlib.sha256()
        self._version = Headers()

    def run(self, wait: Callable[[int], None] = lambda _: None) -> Found:
        """Have it; `wait(size)` is called while another process is downloading it."""
        try:
            with self._catalog.take_turn(self._item.identity, wait):
                return self._find_here() or self._bring()
        except OSError as error:
            raise explain_disk(error) from None

    def _find_here(self) -> Optional[Found]:
        """What needs no look at the server."""
        known = self._catalog.find(self._item.identity)
        if known and self._has(known.sha256) and (self._item.is_fixed or self._sha256 == known.sha256):
            return Found(known, False)
        if self._sha256 and self._has(self._sha256):
            fd = self._contents.open(self._sha256)
            size = os.fstat(fd).st_size
            os.close(fd)
            return Found(self._note(Known(self._sha256, size, mtime=time.time_ns())), False)
        return None

    def _bring(self) -> Found:
        known = self._catalog.find(self._item.identity)
        here = known if known and self._has(known.sha256) else None
        part = self._catalog.find_part(self._item.identity)
        failures, most = 0, 0
        while True:
            try:
                if self._take(part, here):
                    return Found(self._publish(part), True)
                assert here
                return Found(here, False)
            except Passing as trouble:
                failures, most = (0, self._done) if self._done > most else (failures + 1, most)
                if failures > len(_PAUSES):
                    raise DownloadFault(str(trouble), _explain_cut(self._done)) from None
                self._pause(min(max(trouble.wait, _PAUSES[max(0, failures - 1)]), _LONGEST_PAUSE))

    def _take(self, part: Part, here: Optional[Known]) -> bool:
        """Have all of the part from one answer, or Passing; False where what is here has not changed."""
        offset = self._find_offset(part)
        answer = self._source.get(self._item, _make_headers(offset, part.read_validator(), here))
        if answer.status == 304 and here:
            return False
        if answer.status == 416 and offset:
            return self._close_range(part, answer, offset)
        if answer.stream is None:
            if is_passing(answer.status):
                raise Passing(str(self._source.explain(self._item, answer)), _read_wait(answer))
            raise self._source.explain(self._item, answer)
        with answer.stream:
            self._begin(part, answer, offset)
            self._read(part, answer.stream)
        return True

    def _find_offset(self, part: Part) -> int:
        """How much of it need not come again: what is known to be of the same version, or will be seen to be by its digest."""
        size = part.read_size()
        if size and (part.read_validator() or self._sha256):
            if self._done != size:  # of an earlier process
                self._hash = _hash(part.path)
                self._progress(size - self._done, self._total)
                self._done = size
            return size
        return 0

    def _begin(self, part: Part, answer: Answer, offset: int) -> None:
        """Learn from an answer's headers what comes, and go on or begin anew."""
        self._version = answer.headers
        self._sha256 = self._sha256 or find_linked_digest(answer)
        found = _RANGE.match(answer.headers.get("Content-Range") or "") if answer.status == 206 else None
        if answer.status == 206 and (found is None or int(found[1]) != offset):
            part.remove()
            raise Passing("the server sent another piece than was asked for")
        if found:
            self._total = int(found[2]) if found[2] != "*" else self._total
        else:
            self._restart(part)
            part.begin(_find_validator(answer.headers))
            length = answer.headers.get("Content-Length") or ""
            self._total = int(length) if length.isdigit() else self._item.size
        self._contents.make_room(max(0, self._total - self._done))

    def _read(self, part: Part, stream: Any) -> None:
        """To the end of the answer; Passing where that is not the end of the file."""
        checked = self._done
        with open(part.path, "ab", buffering=0) as file:
            while True:
                try:
                    data = stream.read1(_READ) if hasattr(stream, "read1") else stream.read(_READ)
                except (OSError, http.client.HTTPException) as error:
                    raise Passing("the connection was cut: %s" % (str(error) or type(error).__name__)) from None
                if not data:
                    break
                self._write(part, file, data)
                if self._total < 0 and self._done - checked > _CHECK:
                    checked = self._done
                    self._contents.make_room(_CHECK)
            os.fsync(file.fileno())
        if self._done < self._total:
            raise Passing("the connection was cut")

    def _write(self, part: Part, file: Any, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[file.write(view) :]
        except OSError:
            part.remove()  # others need the room
            raise
        self._hash.update(data)
        self._done += len(data)
        self._progress(len(data), self._total)

    def _close_range(self, part: Part, answer: Answer, offset: int) -> bool:
        """There is nothing behind what has come: that was all, or it is of something else."""
        told = _TOTAL.match(answer.headers.get("Content-Range") or "")
        if told and int(told[1]) == offset and self._sha256:
            self._total = offset
            return True
        self._restart(part)
        raise Passing("what had come is not of that file")

    def _restart(self, part: Part) -> None:
        part.remove()
        self._progress(-self._done, self._total)
        self._hash, self._done = hashlib.sha256(), 0

    def _publish(self, part: Part) -> Known:
        """Give it the name of its content; what has another than was said is thrown away."""
        digest = self._hash.hexdigest()
        if self._sha256 and digest != self._sha256:
            part.remove()
            raise DownloadFault(
                "what came has the SHA-256 %s and not %s" % (digest, self._sha256),
                "It was changed on its server, or the digest is another file's.",
            )
        if 0 <= self._total != self._done:
            part.remove()
            raise DownloadFault("%d bytes came and %d were announced" % (self._done, self._total), "Run it again.")
        self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(part.path, self._blobs / digest)
        part.remove()
        headers = self._version
        etag, modified = headers.get("ETag") or "", headers.get("Last-Modified") or ""
        return self._note(Known(digest, self._done, etag, modified, _read_time(modified)))

    def _note(self, known: Known) -> Known:
        self._catalog.note(self._item.identity, known)
        return known

    def _has(self, digest: str) -> bool:
        """Whether the content is here; it is not evicted from now on."""
        self._contents.reserve(digest)
        return self._contents.has(digest)


def _make_headers(offset: int, validator: str, here: Optional[Known]) -> dict[str, str]:
    if offset:
        return {"Range": "bytes=%d-" % offset, **({"If-Range": validator} if validator else {})}
    if here and here.etag:
        return {"If-None-Match": here.etag}
    return {"If-Modified-Since": here.modified} if here and here.modified else {}


def _find_validator(headers: Headers) -> str:
    """A weak tag says that two versions mean the same, not that their bytes are."""
    etag = headers.get("ETag") or ""
    return (headers.get("Last-Modified") or "") if not etag or etag.startswith("W/") else etag


def _read_wait(answer: Answer) -> float:
    text = answer.headers.get("Retry-After") or ""
    return float(text) if text.isdigit() and len(text) < 6 else 0.0


def _read_time(modified: str) -> int:
    """In ns; now, where the server does not say."""
    with suppress(TypeError, ValueError, OverflowError):
        return max(0, int(email.utils.parsedate_to_datetime(modified).timestamp())) * 10**9
    return time.time_ns()


def _hash(path: Path) -> Any:
    found = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        for piece in iter(lambda: file.read(_READ), b""):
            found.update(piece)
    return found


def _explain_cut(done: int) -> str:
    kept = " The %.1f MB that have come are kept: run it again, and it goes on there." % (done / 1e6) if done else ""
    return "Where that machine has no way out, download it here and send it: --with FILE.%s" % kept
