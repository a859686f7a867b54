"""A store of the user's for checkpoints: any place that fsspec has a URL for (s3://, gs://, file://, memory://, ...).

Used by `session.checkpoint_uploads` and `session.resumption`, in threads of theirs; fsspec is imported on use. Promises: a
checkpoint counts there once its record `NAME.json` is there, which is written last; what is fetched is what its record says, by
SHA-256; an address with its keys never goes to another machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from choline_jupyter.errors import CorruptBlob, RequestError
from choline_jupyter.model.names import check_identifier
from choline_jupyter.session.checkpoint_record import Kept, read_announced
from choline_jupyter.store.tree import Tree

_READ = 1 << 22
_EXTRA = "`%pip install choline-jupyter[store]`"


class CheckpointStore:
    """One URL. Raises OSError and whatever the file system of that URL raises."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = _connect(url)

    def list_kept(self, folder: str) -> list[Kept]:
        """The checkpoints of a job that count there, oldest first; their paths are names only."""
        self._fs.invalidate_cache()
        base = self._find(check_identifier(folder))
        if not self._fs.isdir(base):
            return []
        found = []
        for path in self._fs.ls(base, detail=False):
            name = PurePosixPath(path).name
            if name.endswith(".json") and not name.startswith("."):
                with suppress(ValueError, KeyError, TypeError):
                    record = json.loads(self._fs.cat_file(path))
                    read_record(record, name.removesuffix(".json"), folder)
                    found.append(Kept(Path(name.removesuffix(".json")), record))
        return sorted(found, key=lambda kept: kept.order)

    def put(self, folder: str, kept: Kept) -> None:
        """Have a checkpoint of this machine there, whole; raises CorruptBlob where it is not what its record says."""
        base, name = self._find(folder), kept.path.name
        self._fs.makedirs(base, exist_ok=True)
        self._remove_record(f"{base}/{name}")
        inside: Sequence[Sequence[Any]] = kept.record.get("files") or [["", kept.record["size"], kept.record["sha256"]]]
        for part, size, digest in inside:
            source = kept.path / str(part) if part else kept.path
            target = f"{base}/{name}/{part}" if part else f"{base}/{name}"
            if part:
                self._fs.makedirs(f"{base}/{name}", exist_ok=True)
            self._put_file(source, target, int(size), str(digest))
        self._put_bytes(f"{base}/{name}.json", json.dumps(kept.record, indent=1).encode())

    def fetch(self, folder: str, kept: Kept, tree: Tree) -> None:
        """Have it in the project's folder; raises CorruptBlob where it is not what its record says."""
        announced = read_record(kept.record, kept.path.name, folder)
        for part in announced.parts:
            path = f"{announced.path}/{part.name}" if part.name else announced.path
            place = f"{self._find(folder)}/{kept.path.name}" + (f"/{part.name}" if part.name else "")
            tree.put_file(path, _verify(self._read(place), part.size, part.digest), 0o600)
        tree.put_file(announced.path + ".json", [json.dumps(kept.record, indent=1).encode()], 0o600)

    def remove(self, folder: str, kept: Kept) -> None:
        """The record goes first."""
        path = f"{self._find(folder)}/{kept.path.name}"
        self._remove_record(path)
        if self._fs.exists(path):
            self._fs.rm(path, recursive=True)

    def _put_file(self, source: Path, target: str, size: int, digest: str) -> None:
        """Under another name until all of it is there."""
        head, _, name = target.rpartition("/")
        temporary = f"{head}/.part-{name}"
        try:
            with source.open("rb") as file, self._fs.open(temporary, "wb") as out:
                for piece in _verify(iter(lambda: file.read(_READ), b""), size, digest):
                    out.write(piece)
            if self._fs.info(temporary)["size"] != size:
                raise CorruptBlob(f"{name} did not arrive whole in the store.", "It goes again with the next one.")
            self._fs.mv(temporary, target)
        except BaseException:
            with suppress(Exception):
                self._fs.rm(temporary)
            raise

    def _put_bytes(self, target: str, data: bytes) -> None:
        head, _, name = target.rpartition("/")
        self._fs.pipe_file(f"{head}/.part-{name}", data)
        self._fs.mv(f"{head}/.part-{name}", target)

    def _read(self, path: str) -> Iterator[bytes]:
        with self._fs.open(path, "rb") as file:
            while data := file.read(_READ):
                yield data

    def _remove_record(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._fs.rm(f"{path}.json")

    def _find(self, folder: str) -> str:
        return f"{self._root.rstrip('/')}/{folder}"


def read_record(record: Any, name: str, folder: str) -> Any:
    """A record as what a machine announces: names that lead elsewhere and digests that are none raise ValueError."""
    if not isinstance(record, dict):
        raise ValueError("it is no record")
    files = record.get("files") or [["", record.get("size"), record.get("sha256")]]
    return read_announced({**record, "name": name, "folder": folder, "files": files, "difference": None})


def check_store(url: str) -> None:
    """Raise RequestError for a URL that cannot be one here; nothing is asked of any store yet."""
    _connect(url)


def _connect(url: str) -> tuple[Any, str]:
    scheme = url.partition("://")[0] if "://" in url else "file"
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise RequestError("--store needs the package fsspec, which is not installed here.", f"{_EXTRA}.") from None
    try:
        found: tuple[Any, str] = url_to_fs(url)
    except ImportError as error:
        raise RequestError(
            f"--store {scheme}://... cannot be used yet: {error}.", "`%pip install` that package."
        ) from None
    except (ValueError, TypeError, OSError) as error:
        raise RequestError(
            f"--store {scheme}://... is no store that fsspec knows: {error}.", "Write it like s3://bucket/folder."
        ) from None
    return found


def _verify(pieces: Iterator[bytes], size: int, digest: str) -> Iterator[bytes]:
    """The same; raises CorruptBlob at the end where it is something else."""
    seen, count = hashlib.sha256(), 0
    for piece in pieces:
        seen.update(piece)
        count += len(piece)
        yield piece
    if (count, seen.hexdigest()) != (size, digest):
        raise CorruptBlob("It is not what its record says.", "The one before is taken.")
