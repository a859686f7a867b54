"""Cargo: what goes along with a job, as one piece: names first, then what the files are, then the small files.

Called by `magic.luggage` and `cli`. A small piece travels in the job's own frame, so the cell costs one round trip; a larger
one goes ahead on the bulk channel, as the large files do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from choline_jupyter.errors import RequestError
from choline_jupyter.session.bulk import Bulk, hash_file
from choline_jupyter.session.file_sync import Shipment
from choline_jupyter.session.files import make_outbox
from choline_jupyter.session.progress import TransferLine
from choline_jupyter.session.window import Progress
from choline_jupyter.store.entry import SMALL
from choline_jupyter.wire.frame import CHUNK

if TYPE_CHECKING:
    from choline_jupyter.session.bridge import Bridge
    from choline_jupyter.session.live import LiveSession

_WITH_THE_JOB = 4 << 20  # bytes; as much is also sent before it is known whether the session needs it
Buffer = Any  # bytes, or a memoryview of them
Packs = list[tuple[str, int]]  # digests, and how many files are in each


class Packed(NamedTuple):
    """What the job's header says of what comes along, and its bytes if they go with it."""

    header: dict[str, Any]
    extra: bytes = b""


class Cargo(NamedTuple):
    """`acts` are what is made of `buffers` (see `agent.kernel.names`); `shipment` is None where no files go.

    `digests` are the SHA-256 of buffers that may go ahead by themselves, in their order; empty for others.
    """

    acts: Sequence[Mapping[str, Any]] = ()
    buffers: Sequence[Buffer] = ()
    shipment: Shipment | None = None
    digests: Sequence[str] = ()

    def send(self, bridge: Bridge, session: LiveSession) -> Packed:
        """Send ahead what must go ahead and return the rest; a session with this folder's own files gets none.

        Raises HostError; RequestError for a file that does not stay as it is.
        """
        size = self._measure()
        if self.shipment and size > _WITH_THE_JOB and bridge.call(session.learn_files()):
            return self._replace(shipment=None).send(bridge, session)
        line = TransferLine("sending what the job needs", size)
        try:
            packed = self._pack(bridge, session, line.note)
        except ValueError as error:
            raise RequestError(f"{error}.", "Run it again when nothing writes that file any more.") from None
        finally:
            line.close()
        if self.shipment:
            session.files.sync.note_sent(self.shipment)
        session.cargo = (self.acts, self.buffers)
        return packed

    def _measure(self) -> int:
        large = sum(path.stat().st_size for path in self.shipment.large.values()) if self.shipment else 0
        return large + self._measure_piece()

    def _pack(self, bridge: Bridge, session: LiveSession, progress: Progress) -> Packed:
        if any(self.digests) and self._measure_piece() > _WITH_THE_JOB:
            return self._send_large(bridge, session, progress)._pack(bridge, session, progress)
        header: dict[str, Any] = {"names": self.acts} if self.acts else {}
        if self.shipment and self.shipment.large:
            deltas = session.files.make_deltas(self.shipment.bases)
            bridge.call(Bulk(session.connection).put(self.shipment.large, progress, deltas))
        is_ahead = self._measure_piece() > _WITH_THE_JOB
        packs = self._send_packs(bridge, session, progress) if is_ahead else []
        told = self._tell(packs)
        if told:
            header["files"] = len(told)
        if not header:
            return Packed({})
        pieces = [*map(bytes, self.buffers), told, *([] if packs or not self.shipment else self._read(session))]
        if sum(map(len, pieces)) <= _WITH_THE_JOB + len(told):
            return Packed(header, b"".join(pieces))
        return Packed({**header, "blob": self._send_ahead(bridge, session, pieces, progress)})

    def _tell(self, packs: Packs) -> bytes:
        if not self.shipment or not self.shipment.told:
            return b""
        return json.dumps({"parts": self.shipment.told, "packs": packs}).encode()

    def _read(self, session: LiveSession) -> Iterator[bytes]:
        return session.files.sync.read_small(self.shipment) if self.shipment else iter(())

    def _send_packs(self, bridge: Bridge, session: LiveSession, progress: Progress) -> Packs:
        """The small files, several in a piece, read as they go."""
        packs: Packs = []
        if self.shipment and self.shipment.small:
            bridge.call(Bulk(session.connection).put_packs(_join(self._read(session), packs), progress))
        return packs

    def _send_large(self, bridge: Bridge, session: LiveSession, progress: Progress) -> Cargo:
        """Send large buffers from where they lie, each as a blob, and return the rest, whose acts speak of the blobs."""
        large = {
            digest: memoryview(data).cast("B")
            for data, digest in zip(self.buffers, self.digests, strict=True)
            if digest
        }
        bridge.call(Bulk(session.connection).put_values(large, progress))
        digests = iter(self.digests)
        acts = [_refer(act, [next(digests) for _ in act["sizes"]]) for act in self.acts]
        small = [data for data, digest in zip(self.buffers, self.digests, strict=True) if not digest]
        return self._replace(acts=acts, buffers=small, digests=())

    def _measure_piece(self) -> int:
        small = sum(entry[3] for _, entry in self.shipment.list_files() if entry[3] <= SMALL) if self.shipment else 0
        return small + sum(memoryview(part).nbytes for part in self.buffers)

    def _send_ahead(self, bridge: Bridge, session: LiveSession, pieces: Sequence[bytes], progress: Progress) -> str:
        path = make_outbox(bridge.engine.directory)
        try:
            with path.open("wb") as file:
                file.writelines(pieces)
            digest = bridge.call(hash_file(path))
            bridge.call(Bulk(session.connection).put({digest: Path(path)}, progress))
        finally:
            path.unlink(missing_ok=True)
        return digest


def _join(files: Iterator[bytes], packs: Packs) -> Iterator[bytes]:
    """Files in packs of at most a chunk; what each is is added to `packs`."""
    held, size = list[bytes](), 0
    for content in files:
        if held and size + len(content) > CHUNK:
            yield _close(held, packs)
            held, size = [], 0
        held.append(content)
        size += len(content)
    if held:
        yield _close(held, packs)


def _close(held: list[bytes], packs: Packs) -> bytes:
    pack = b"".join(held)
    packs.append((hashlib.sha256(pack).hexdigest(), len(held)))
    return pack


def _refer(act: Mapping[str, Any], digests: Sequence[str]) -> Mapping[str, Any]:
    """An act of which some buffers come as blobs: they take no room in the piece."""
    if not any(digests):
        return act
    sizes = [0 if digest else size for size, digest in zip(act["sizes"], digests, strict=True)]
    return {**act, "sizes": sizes, "blobs": digests}
