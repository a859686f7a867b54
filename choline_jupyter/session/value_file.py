"""Variables of a session as files: arrays as .npy, tensors as .safetensors, tables as .arrow, the rest as .json.

Used by `cli.results`. Arrays and tensors are written from the description and bytes that came, so that neither numpy nor
torch is needed here. Promise: no file is written over.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import pathlib
import struct
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

from choline_jupyter.errors import CholineError
from choline_jupyter.session.results import Buffers, decode, read_description
from choline_jupyter.wire.value.arrays import describe_dtype

_TORCH = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint64": "U64",
    "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL", "complex64": "C64",
}  # fmt: skip
_TABLES = ("frame", "series", "arrow.table")
_TEXTS = (dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID, pathlib.PurePath)


class _Content(NamedTuple):
    """What is to stand in a file of this suffix."""

    suffix: str
    pieces: Iterable[Any]


def write_value(name: str, parts: Buffers, folder: Path) -> Path:
    """Write a variable into a new file of `folder` and say which. Raises CholineError, OSError."""
    content = _make_content(name, parts)
    path, file = _create(folder, name, content.suffix)
    try:
        with file:
            for piece in content.pieces:
                file.write(piece)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _make_content(name: str, parts: Buffers) -> _Content:
    told = read_description(parts)
    kind = told.get("t") if isinstance(told, dict) else ""
    if kind in ("ndarray", "scalar"):
        return _Content(".npy", [_make_npy_head(told), parts[1 + told["b"]]])
    tensors = _find_tensors(name, told)
    if tensors:
        return _Content(".safetensors", _make_safetensors(tensors, parts))
    value = decode(name, parts)
    if kind in _TABLES:
        return _Content(".arrow", [_make_arrow(name, value)])
    try:
        text = json.dumps(value, default=_simplify, indent=1, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise CholineError(f"{name} has no form as a file.", "Bring it into a notebook by `%choline get`.") from None
    return _Content(".json", [text.encode(errors="replace"), b"\n"])


def _make_npy_head(told: dict[str, Any]) -> bytes:
    """The first lines of a .npy file, version 3: the dtype as numpy's own writer spells it."""
    shape = tuple(int(size) for size in told.get("shape", ()))
    text = repr({"descr": describe_dtype(told["dtype"]), "fortran_order": False, "shape": shape})
    head = text.encode()
    head += b" " * (-(len(head) + 13) % 64) + b"\n"
    return b"\x93NUMPY\x03\x00" + struct.pack("<I", len(head)) + head


def _find_tensors(name: str, told: Any) -> dict[str, dict[str, Any]]:
    """The tensors by key, if the value is one, or a dict of nothing else."""
    if isinstance(told, dict) and told.get("t") == "tensor":
        return {name: told} if told.get("dtype") in _TORCH else {}
    if not isinstance(told, dict) or told.get("t") not in ("dict", "OrderedDict"):
        return {}
    found = dict(item for item in told["v"] if isinstance(item[0], str) and isinstance(item[1], dict))
    is_all = len(found) == len(told["v"])
    return (
        found
        if is_all and all(part.get("t") == "tensor" and part["dtype"] in _TORCH for part in found.values())
        else {}
    )


def _make_safetensors(tensors: dict[str, dict[str, Any]], parts: Buffers) -> list[Any]:
    head, pieces, offset = {}, list[Any](), 0
    for key, told in tensors.items():
        data = parts[1 + int(told["b"])]
        shape = [int(size) for size in told["shape"]]
        head[key] = {"dtype": _TORCH[told["dtype"]], "shape": shape, "data_offsets": [offset, offset + len(data)]}
        pieces.append(data)
        offset += len(data)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return [struct.pack("<Q", len(text)), text, *pieces]


def _make_arrow(name: str, value: Any) -> Any:
    try:
        import pyarrow as pa

        table = (
            value
            if isinstance(value, pa.Table)
            else pa.Table.from_pandas(value if value.ndim == 2 else value.to_frame())
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    except ImportError:
        raise CholineError(f"{name} is a table, and pyarrow is not installed here.", "`pip install pyarrow`.") from None
    except (TypeError, ValueError, NotImplementedError) as error:
        raise CholineError(
            f"Arrow has no form for {name}: {error}.", "Bring it into a notebook by `%choline get`."
        ) from None
    return memoryview(sink.getvalue())


def _simplify(value: Any) -> Any:
    """What JSON has no word for, in the nearest that it has."""
    if isinstance(value, (set, frozenset)) or type(value).__name__ == "deque":
        return list(value)
    if isinstance(value, _TEXTS):
        return str(value)
    to_list: Callable[[], Any] | None = getattr(value, "tolist", None)
    if to_list is None:
        raise TypeError(f"no JSON for {type(value)}")
    return to_list()


def _create(folder: Path, name: str, suffix: str) -> tuple[Path, IO[bytes]]:
    """A new file: x.npy, else x-2.npy and so on."""
    for number in range(1, 10_000):
        path = folder / (f"{name}{suffix}" if number == 1 else f"{name}-{number}{suffix}")
        try:
            return path, path.open("xb")
        except FileExistsError:
            continue
    raise CholineError(f"There are too many files {name}-*{suffix} here.", "Remove some.")
