"""The agent as bytes to push: the source of its packages and its preload shims in one zip, named by its content.

Used by the transports that reach other machines. The same sources give the same bytes and so the same name on every
client, so a host is sent each version once.
"""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

_PACKAGE = Path(__file__).resolve().parents[1]
_PARTS = ("agent", "wire", "store", "model", "training")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's own; the time of day must not change the digest


class Archive(NamedTuple):
    """The zip and the first 16 hexadecimal digits of its SHA-256."""

    digest: str
    data: bytes


@functools.lru_cache(maxsize=1)
def build_archive() -> Archive:
    """Pack the agent of this installation."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _list_sources():
            info = zipfile.ZipInfo(path.relative_to(_PACKAGE.parent).as_posix(), _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())
    data = buffer.getvalue()
    return Archive(hashlib.sha256(data).hexdigest()[:16], data)


def _list_sources() -> list[Path]:
    found = [path for part in _PARTS for path in (_PACKAGE / part).rglob("*.py")]
    return sorted([*found, *(_PACKAGE / "preload").glob("*.so"), _PACKAGE / "__init__.py"])
