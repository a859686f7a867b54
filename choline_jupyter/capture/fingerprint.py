"""Fingerprints of values that have no form as data: whether one is still what it was when its cells were run over there.

Asked by `capture.sent` about what was re-made there. The value's parts are walked as pickle would walk them, and hashed;
nothing of that is kept or sent. What pickle cannot look into (a generator, a lock) is described by what can be seen of it.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
import pickle
from types import CellType, CodeType, FunctionType, GeneratorType, ModuleType
from typing import Any

_MOST = 100_000  # objects that are looked at
_Reduced = tuple[Any, ...]


class _TooMany(Exception):
    """The value is too large to be looked at before every cell."""


def find_fingerprint(value: Any) -> str | None:
    """The same text as long as a value does not change; None where that cannot be said."""
    printer = _Printer()
    try:
        printer.dump(value)
    except Exception:  # noqa: BLE001 - the user's own classes are asked what they are made of
        return None
    return None if printer.is_unsure else printer.find_digest()


class _Printer(pickle.Pickler):
    """Hashes what pickle would write; `is_unsure` once something could not be looked into."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._count = 0
        self.is_unsure = False
        super().__init__(_Sink(self._digest), 5, buffer_callback=self._take_buffer)

    def find_digest(self) -> str:
        return self._digest.hexdigest()

    def reducer_override(self, value: Any) -> Any:
        """What a value consists of; pickle's own way wherever that goes."""
        self._count += 1
        if self._count > _MOST:
            raise _TooMany
        if value is _keep:
            return NotImplemented
        if isinstance(value, type):
            return _tell(value, (value.__module__, value.__qualname__, id(value)))
        if isinstance(value, ModuleType):
            return _tell(value, value.__name__)
        if isinstance(value, GeneratorType):
            frame = value.gi_frame
            return _tell(value, (frame and frame.f_lasti, frame and dict(frame.f_locals)))
        if isinstance(value, FunctionType):
            return _tell(
                value, (value.__code__, value.__closure__, value.__defaults__, value.__kwdefaults__, vars(value))
            )
        if isinstance(value, CodeType):
            return _tell(value, value.co_code)
        if isinstance(value, CellType):
            return _tell(value, _read_cell(value))
        if isinstance(value, io.IOBase):
            return _tell(value, None if value.closed else _find_position(value))
        return self._reduce(value)

    def _reduce(self, value: Any) -> Any:
        try:
            known = copyreg.dispatch_table.get(type(value))
            reduced = known(value) if known else value.__reduce_ex__(4)
        except Exception:  # noqa: BLE001 - as above
            fields = getattr(value, "__dict__", None)
            self.is_unsure = self.is_unsure or (fields is None and not _has_no_state(value))
            return _tell(value, fields)
        if isinstance(reduced, str):
            return _tell(value, reduced)
        return _keep, (type(value).__qualname__, *reduced[1:3]), None, *reduced[3:]

    def _take_buffer(self, buffer: pickle.PickleBuffer) -> bool:
        self._digest.update(buffer.raw())
        return False


class _Sink:
    """Where pickle writes."""

    def __init__(self, digest: Any) -> None:
        self.write = digest.update


def _keep(*parts: Any) -> None:
    """Stands for whatever would make a value again: nothing is made from a fingerprint."""


def _tell(value: Any, state: Any) -> _Reduced:
    return _keep, (type(value).__qualname__, state)


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
