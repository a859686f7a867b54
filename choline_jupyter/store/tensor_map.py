"""Where the tensors stand in a checkpoint's file: `torch.save`'s zip and safetensors. Nothing of it is unpickled or run.

Used by `agent.checkpoint_coding` to find what belongs together in two files, and by `agent.checkpoint_sight` to tell a whole
file from the beginning of one.
"""

from __future__ import annotations

import json
import os
import pickletools
import struct
import zipfile
from pathlib import Path
from typing import Any, NamedTuple, Optional

_WIDTHS = {
    "FloatStorage": 4, "BFloat16Storage": 2, "HalfStorage": 2, "DoubleStorage": 8, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2,
    "F32": 4, "BF16": 2, "F16": 2, "F64": 8, "I64": 8, "I32": 4, "I16": 2,
}  # fmt: skip
_LOCAL_HEADER = 30
_LARGEST = 64 << 20  # bytes of a description of tensors


class Span(NamedTuple):
    """One tensor's bytes in a file; `width` is that of one of its numbers."""

    name: str
    offset: int
    length: int
    width: int


def list_spans(path: Path) -> list[Span]:
    """The tensors of a file in their order; none where it has another form. Raises OSError."""
    try:
        found = _list_zipped(path) if zipfile.is_zipfile(path) else _list_safetensors(path)
    except (ValueError, KeyError, struct.error, zipfile.BadZipFile, TypeError, AttributeError):
        return []
    size, end = os.path.getsize(path), 0
    for span in found:
        if span.offset < end or span.offset + span.length > size:
            return []
        end = span.offset + span.length
    return found


def pair_spans(new: list[Span], old: list[Span]) -> list[tuple[Span, Optional[Span]]]:
    """Each tensor with the one of its name, if that has its form."""
    known = {(span.name, span.length, span.width): span for span in old}
    return [(span, known.get((span.name, span.length, span.width))) for span in new]


def looks_whole(path: Path) -> bool:
    """Whether a file of a known form has an end as well as a beginning; of other forms nobody can tell. Raises OSError."""
    with open(path, "rb") as file:
        start = file.read(8)
        size = os.fstat(file.fileno()).st_size
    if start.startswith(b"PK\x03\x04"):
        return zipfile.is_zipfile(path)
    if path.suffix == ".safetensors":
        return len(start) == 8 and _find_end(path, size) == size
    return size > 0


def _list_zipped(path: Path) -> list[Span]:
    """The storages of a `torch.save` file are stored, not compressed; its pickle says what each one holds."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        infos = {info.filename: info for info in archive.infolist()}
        [pickled] = [name for name in infos if name.endswith("/data.pkl")]
        folder = pickled[: -len("data.pkl")] + "data/"
        widths = _read_widths(archive.read(pickled))
        spans = []
        for name, info in infos.items():
            if name.startswith(folder) and info.compress_type == zipfile.ZIP_STORED:
                file.seek(info.header_offset)
                lengths = struct.unpack("<HH", file.read(_LOCAL_HEADER)[26:30])
                width = widths.get(name[len(folder) :], 1)
                offset = info.header_offset + _LOCAL_HEADER + sum(lengths)
                spans.append(Span(name[len(folder) :], offset, info.file_size, width))
    return sorted((_check(span) for span in spans if span.length), key=lambda span: span.offset)


def _read_widths(data: bytes) -> dict[str, int]:
    """Width by storage: a persistent id is the tuple ("storage", its class, its key, its place, its count)."""
    memo: dict[int, Any] = {}
    last: list[Any] = []
    widths: dict[str, int] = {}
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[int(argument or 0)] = last[-1] if last else None
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = last[-1] if last else None
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            last.append(memo.get(int(argument or 0)))
        elif opcode.name == "BINPERSID":
            fields = [field for field in last[-6:] if isinstance(field, str)]
            kind = next((field for field in fields if field.endswith("Storage")), "")
            if kind and fields.index(kind) + 1 < len(fields):
                widths[fields[fields.index(kind) + 1]] = _WIDTHS.get(kind.split()[-1], 1)
            last.append(None)
        elif opcode.name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            last.append(None)
        elif argument is not None:
            last.append(argument)
    return widths


def _list_safetensors(path: Path) -> list[Span]:
    header, start = _read_header(path)
    spans = []
    for name, told in header.items():
        if name != "__metadata__":
            begin, end = (int(offset) for offset in told["data_offsets"])
            if end > begin:
                spans.append(_check(Span(name, start + begin, end - begin, _WIDTHS.get(str(told["dtype"]), 1))))
    return sorted(spans, key=lambda span: span.offset)


def _find_end(path: Path, size: int) -> int:
    try:
        header, start = _read_header(path)
        ends = [int(told["data_offsets"][1]) for name, told in header.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, struct.error):
        return -1
    return start + max(ends, default=0) if start <= size else -1


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if not 2 <= length <= _LARGEST:
            raise ValueError("not safetensors")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("not safetensors")
    return header, 8 + int(length)


def _check(span: Span) -> Span:
    """Numbers that do not fill their span are bytes."""
    return span if span.length % span.width == 0 else span._replace(width=1)
