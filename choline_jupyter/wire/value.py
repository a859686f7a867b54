"""Values as data: a JSON description and raw buffers, for what has one exact form without running anything.

Written by `capture.names` on one side and read by `agent.kernel.names` on the other. Exact types only: an instance of a
subclass has behaviour that would be lost. numpy and torch are used only when a value is theirs. Two names for one
mutable object become two objects.
"""

from __future__ import annotations

import datetime as dt
import math
import pathlib
import sys
from typing import Any, Callable

Buffer = Any  # bytes, or a memoryview of them

_DEPTH = 100
_EXACT = 1 << 53  # a JSON reader may hold numbers as doubles
_KINDS = "biufcmMSU"  # numpy's kinds whose bytes are the value


class Unsendable(TypeError):
    """The value has no safe form; the text says what it is, to go behind "it is"."""


def encode_value(value: Any, buffers: list[Buffer]) -> Any:
    """The description; bytes are appended to `buffers`. Raises Unsendable."""
    return _Encoder(buffers).encode(value)


def decode_value(told: Any, buffers: list[Buffer]) -> Any:
    """The value of a description. Raises ValueError, KeyError, IndexError, ImportError for what is not one."""
    if isinstance(told, list):
        return [decode_value(part, buffers) for part in told]
    if isinstance(told, dict):
        return _DECODERS[told["t"]](told, buffers)
    return told


class _Encoder:
    """One value; knows what it stands inside of, so that a loop is an error and not endless."""

    def __init__(self, buffers: list[Buffer]) -> None:
        self._buffers = buffers
        self._around: list[int] = []

    def encode(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind in _PLAIN:
            return _PLAIN[kind](value)
        if kind in (list, tuple, set, frozenset, dict):
            return self._encode_container(value)
        if kind in (bytes, bytearray):
            return {"t": kind.__name__, "b": self._add(bytes(value))}
        if kind in (dt.datetime, dt.date, dt.time) and getattr(value, "tzinfo", None) is None:
            return {"t": kind.__name__, "v": value.isoformat(), "fold": getattr(value, "fold", 0)}
        return self._encode_array(value)

    def _encode_container(self, value: Any) -> Any:
        if id(value) in self._around or len(self._around) > _DEPTH:
            raise Unsendable("a container that holds itself, or many levels of them")
        self._around.append(id(value))
        if isinstance(value, dict):
            parts: list[Any] = [[self.encode(key), self.encode(part)] for key, part in value.items()]
        else:
            parts = [self.encode(part) for part in value]
        self._around.pop()
        return parts if type(value) is list else {"t": type(value).__name__, "v": parts}

    def _encode_array(self, value: Any) -> Any:
        numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
        if numpy and type(value) is numpy.ndarray and value.dtype.kind in _KINDS and not value.dtype.names:
            return {"t": "ndarray", "dtype": value.dtype.str, "shape": list(value.shape), "b": self._add(_view(value))}
        if numpy and isinstance(value, numpy.generic) and value.dtype.kind in _KINDS:
            return {"t": "scalar", "dtype": value.dtype.str, "b": self._add(value.tobytes())}
        if torch and type(value) in (torch.Tensor, torch.nn.Parameter) and _is_dense(torch, value):
            flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            return {
                "t": "tensor", "dtype": str(value.dtype).partition(".")[2], "shape": list(value.shape),
                "grad": value.requires_grad, "parameter": type(value) is torch.nn.Parameter, "b": self._add(flat.data),
            }  # fmt: skip
        raise Unsendable("an object of type %s" % _name(type(value)))

    def _add(self, data: Buffer) -> int:
        self._buffers.append(data)
        return len(self._buffers) - 1


def _view(array: Any) -> Buffer:
    numpy = sys.modules["numpy"]
    return numpy.ascontiguousarray(array).reshape(-1).view(numpy.uint8).data if array.size else b""


def _is_dense(torch: Any, value: Any) -> bool:
    return bool(value.layout is torch.strided and not value.is_quantized and value.grad_fn is None)


def _name(kind: type) -> str:
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "__main__") else "%s.%s" % (module, kind.__qualname__)


def _encode_int(value: int) -> Any:
    return value if abs(value) < _EXACT else {"t": "int", "v": hex(value)}


def _encode_float(value: float) -> Any:
    return value if math.isfinite(value) else {"t": "float", "v": repr(value)}


_PLAIN: dict[type, Callable[[Any], Any]] = {
    int: _encode_int,
    float: _encode_float,
    complex: lambda value: {"t": "complex", "v": [_encode_float(value.real), _encode_float(value.imag)]},
    range: lambda value: {"t": "range", "v": [hex(value.start), hex(value.stop), hex(value.step)]},
    type(Ellipsis): lambda value: {"t": "ellipsis"},
    dt.timedelta: lambda value: {"t": "timedelta", "v": [value.days, value.seconds, value.microseconds]},
    pathlib.PosixPath: lambda value: {"t": "path", "v": str(value)},
    pathlib.PurePosixPath: lambda value: {"t": "purepath", "v": str(value)},
}


def _decode_parts(told: Any, buffers: list[Buffer]) -> list[Any]:
    return [decode_value(part, buffers) for part in told["v"]]


def _decode_dict(told: Any, buffers: list[Buffer]) -> dict[Any, Any]:
    return {decode_value(key, buffers): decode_value(part, buffers) for key, part in told["v"]}


def _decode_ndarray(told: Any, buffers: list[Buffer]) -> Any:
    import numpy as np

    flat = np.frombuffer(bytearray(buffers[told["b"]]), dtype=np.dtype(told["dtype"]))
    return flat.reshape(told["shape"])


def _decode_tensor(told: Any, buffers: list[Buffer]) -> Any:
    import torch

    dtype = getattr(torch, told["dtype"])
    data = bytearray(buffers[told["b"]])
    flat = torch.frombuffer(data, dtype=torch.uint8).view(dtype) if data else torch.empty(0, dtype=dtype)
    tensor = flat.reshape(told["shape"])
    if told["parameter"]:
        return torch.nn.Parameter(tensor, requires_grad=told["grad"])
    return tensor.requires_grad_(told["grad"])


def _decode_scalar(told: Any, buffers: list[Buffer]) -> Any:
    import numpy as np

    return np.frombuffer(bytes(buffers[told["b"]]), dtype=np.dtype(told["dtype"]))[0]


_DECODERS: dict[str, Callable[[Any, list[Buffer]], Any]] = {
    "int": lambda told, _: int(told["v"], 16),
    "float": lambda told, _: float(told["v"]),
    "complex": lambda told, buffers: complex(*_decode_parts(told, buffers)),
    "range": lambda told, _: range(*(int(part, 16) for part in told["v"])),
    "ellipsis": lambda told, _: ...,
    "timedelta": lambda told, _: dt.timedelta(*told["v"]),
    "datetime": lambda told, _: dt.datetime.fromisoformat(told["v"]).replace(fold=told["fold"]),
    "date": lambda told, _: dt.date.fromisoformat(told["v"]),
    "time": lambda told, _: dt.time.fromisoformat(told["v"]).replace(fold=told["fold"]),
    "path": lambda told, _: pathlib.Path(told["v"]),
    "purepath": lambda told, _: pathlib.PurePosixPath(told["v"]),
    "bytes": lambda told, buffers: bytes(buffers[told["b"]]),
    "bytearray": lambda told, buffers: bytearray(buffers[told["b"]]),
    "tuple": lambda told, buffers: tuple(_decode_parts(told, buffers)),
    "set": lambda told, buffers: set(_decode_parts(told, buffers)),
    "frozenset": lambda told, buffers: frozenset(_decode_parts(told, buffers)),
    "dict": _decode_dict,
    "ndarray": _decode_ndarray,
    "scalar": _decode_scalar,
    "tensor": _decode_tensor,
}
