"""Rows of a table as frozen dataclasses and back: one column for each field, in the same order and by the same name.

Used by `ledger.ledger` and `ledger.event_store`, so that a field added to a row is added in one place here.
"""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.job import JobRow, JobState
from choline_jupyter.model.session import SessionRow, SessionState, Trust

Row = TypeVar("Row", SessionRow, JobRow, InstanceRow)

TEXT_LIMIT = 64 << 10  # bytes kept of one text: code and error messages have no limit of their own


class Table(Generic[Row]):
    """How rows of one type are written and read. `convert` names the fields that SQLite gives back as plainer types."""

    def __init__(self, name: str, row: type[Row], convert: Mapping[str, Any]) -> None:
        self._row: type[Row] = row
        self._convert = convert
        hints = typing.get_type_hints(row)
        self._types = {field.name: _list_types(hints[field.name]) for field in dataclasses.fields(row)}
        self._names = list(self._types)
        columns, marks = ", ".join(self._names), ", ".join("?" for _ in self._names)
        self.insert = f"INSERT INTO {name} ({columns}) VALUES ({marks})"  # noqa: S608 - names of our own fields
        self.select = f"SELECT {columns} FROM {name}"  # noqa: S608

    def make_upsert(self, keep: str, condition: str) -> str:
        """`insert`, or when the id is there an update of all but the columns in `keep`, if `condition` holds."""
        names = [name for name in self._names if name not in ("id", *keep.split())]
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        return f"{self.insert} ON CONFLICT (id) DO UPDATE SET {changes} WHERE {condition}"

    def encode(self, row: Row) -> tuple[object, ...]:
        """The values of one row, in the order of the columns.

        Raises ValueError when a field has not its declared type: some are filled with what another machine said.
        """
        return tuple(_encode(getattr(row, name), types) for name, types in self._types.items())

    def decode(self, values: Sequence[Any]) -> Row:
        """The row of the values that `select` gave."""
        fields = dict(zip(self._names, values, strict=True))
        for name, convert in self._convert.items():
            fields[name] = convert(fields[name])
        return self._row(**fields)


def clip_text(text: str) -> str:
    """What is kept of a text: its first 64 KiB, with question marks for what is not Unicode.

    Error messages come from other machines and paths from file systems; both may hold lone surrogates.
    """
    return text[:TEXT_LIMIT].encode("utf-8", "replace")[:TEXT_LIMIT].decode("utf-8", "ignore")


def _list_types(hint: Any) -> tuple[type, ...]:
    types = typing.get_args(hint) or (hint,)
    return (*types, int) if float in types else types


def _encode(value: object, types: tuple[type, ...]) -> object:
    is_beyond = isinstance(value, (int, float)) and not abs(value) < 1 << 63  # NaN is not below anything
    if not isinstance(value, types) or is_beyond:
        raise ValueError(f"{value!r:.80} cannot be stored")
    if isinstance(value, enum.Enum):
        return value.value
    return clip_text(value) if isinstance(value, str) else value


SESSIONS = Table("session", SessionRow, {"state": SessionState, "trust": Trust})
JOBS = Table("job", JobRow, {"state": JobState, "detached": bool, "evicted": bool})
INSTANCES = Table("instance", InstanceRow, {"state": InstanceState})
