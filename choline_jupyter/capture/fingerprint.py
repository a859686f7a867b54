"""Fingerprints of values that have no form as data: whether one is still what it was when its cells were run over there.

Asked by `capture.sent` about what was re-made there. The value's parts, as it names them itself (`__reduce_ex__`), are walked and
hashed; nothing of that is kept or sent, and nothing is made from it. What does not name its parts (a generator, a lock) is
described by what can be seen of it.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
from types import CellType, CodeType, FunctionType, GeneratorType, ModuleType
from typing import Any

_MOST = 100_000  # objects that are looked at
_PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, range, type(Ellipsis))
_SEQUENCES = (list, tuple, set, frozenset)


class _TooMany(Exception):
    """The value is too large to be looked at before every cell."""


def find_fingerprint(value: Any) -> str | None:
    """The same text as long as a value does not change; None where that cannot be said."""
    walk = _Walk()
    try:
        walk.run(value)
    except Exception:  # noqa: BLE001 - the user's own classes are asked what they are made of
        return None
    return None if walk.is_unsure else walk.find_digest()


class _Walk:
    """Goes through a value's parts without recursion; `is_unsure` once something could not be looked into."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # an id is somebody else's as soon as its object is gone
        self.is_unsure = False

    def find_digest(self) -> str:
        return self._digest.hexdigest()

    def run(self, top: Any) -> None:
        left = [top]
        while left:
            value = left.pop()
            if type(value) in _PLAIN:
                self._note(
                    type(value).__name__, value if isinstance(value, (bytes, bytearray)) else repr(value).encode()
                )
            elif id(value) in self._seen:
                self._note("again", b"%d" % self._seen[id(value)])
            else:
                self._seen[id(value)] = len(self._kept)
                self._kept.append(value)
                if len(self._kept) > _MOST:
                    raise _TooMany
                parts = self._list_parts(value)
                self._note(type(value).__qualname__, b"%d" % len(parts))
                left += reversed(parts)

    def _list_parts(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind in _SEQUENCES:
            return list(value)
        if kind is dict:
            return [part for pair in value.items() for part in pair]
        if isinstance(value, type):
            return [value.__module__, value.__qualname__, id(value)]
        seen = _list_seen(value)
        return self._reduce(value) if seen is None else seen

    def _reduce(self, value: Any) -> list[Any]:
        try:
            known = copyreg.dispatch_table.get(type(value))
            reduced = known(value) if known else value.__reduce_ex__(4)
        except Exception:  # noqa: BLE001 - as above
            fields = getattr(value, "__dict__", None)
            self.is_unsure = self.is_unsure or (fields is None and not _has_no_state(value))
            return [fields]
        if isinstance(reduced, str):
            return [reduced]
        items = [list(part) if part is not None else None for part in reduced[3:5]]
        return [*reduced[1:3], *items]

    def _note(self, kind: str, content: bytes | bytearray) -> None:
        self._digest.update(b"%s:%d:" % (kind.encode(errors="replace"), len(content)))
        self._digest.update(content)


def _list_seen(value: Any) -> list[Any] | None:
    """What can be seen of a value that would not say it; None for all others."""
    if isinstance(value, ModuleType):
        return [value.__name__]
    if isinstance(value, GeneratorType):
        frame = value.gi_frame
        return [frame and frame.f_lasti, frame and dict(frame.f_locals)]
    if isinstance(value, FunctionType):
        return [value.__code__, value.__closure__, value.__defaults__, value.__kwdefaults__, vars(value)]
    if isinstance(value, CodeType):
        return [value.co_code, value.co_names]
    if isinstance(value, CellType):
        return [_read_cell(value)]
    if isinstance(value, io.IOBase):
        return [None if value.closed else _find_position(value)]
    return None


def _has_no_state(value: Any) -> bool:
    """Whether it is a lock or the like, which is the same wherever it is made."""
    return type(value).__module__ in ("_thread", "threading")


def _read_cell(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty as yet
        return None


def _find_position(file: Any) -> Any:
    return file.tell() if file.seekable() else None
