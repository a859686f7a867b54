"""numpy's arrays, scalars and dtypes: the bytes as they lie there.

Used by `wire.value.encoder` and `decoder`. numpy is imported when a value is decoded, and there already when one is
encoded.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any, Callable

from choline_jupyter.wire.value.refusal import Unsendable, refuse

if TYPE_CHECKING:
    from choline_jupyter.wire.value.decoder import Decoder
    from choline_jupyter.wire.value.encoder import Encoder

_KINDS = "biufcmMSUV"  # whose bytes are the value
_SIMPLE = re.compile(r"[<>|=]?[biufcmMSUV]\d{0,9}(\[\d{0,9}[A-Za-z]{1,2}\])?\Z")
_NESTING = 20


def encode(encoder: Encoder, value: Any) -> Any:
    """An array, scalar or dtype; raises Unsendable."""
    np = sys.modules["numpy"]
    if type(value) is np.ndarray:
        return _encode_array(encoder, np, value)
    if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
        return {"t": "scalar", "dtype": tell_dtype(value.dtype), "b": encoder.add(value.tobytes())}
    if isinstance(value, np.dtype):
        return {"t": "dtype", "v": tell_dtype(value)}
    raise refuse(value)


def _encode_array(encoder: Encoder, np: Any, value: Any) -> Any:
    if value.dtype.kind == "O":
        return {"t": "objects", "shape": list(value.shape), "v": encoder.encode_all(value.ravel().tolist())}
    flat = np.ascontiguousarray(value).reshape(-1)
    data = flat.view(np.uint8).data if value.size and value.dtype.itemsize else b""
    return {"t": "ndarray", "dtype": tell_dtype(value.dtype), "shape": list(value.shape), "b": encoder.add(data)}


def tell_dtype(dtype: Any) -> Any:
    """As text or, with fields, as lists; raises Unsendable."""
    np = sys.modules["numpy"]
    told = dtype.str if dtype.names is None and dtype.subdtype is None else np.lib.format.dtype_to_descr(dtype)
    try:
        told = json.loads(json.dumps(told))
        if not dtype.hasobject and read_dtype(told) == dtype:
            return told
    except (TypeError, ValueError):
        pass
    raise Unsendable("of numpy's dtype %s, whose bytes alone are not the value" % dtype)


def read_dtype(told: Any) -> Any:
    """The dtype that was told of; raises ValueError for one that holds Python objects, or nonsense."""
    import numpy as np

    if isinstance(told, str):
        if not _SIMPLE.match(told):
            raise ValueError("a dtype of another kind")
        return np.dtype(told)
    found = np.lib.format.descr_to_dtype(_restore(told, 0))
    if found.hasobject:
        raise ValueError("a dtype that holds objects")
    return found


def describe_dtype(told: Any) -> Any:
    """The dtype in the form that numpy writes into its files; raises ValueError for nonsense."""
    return _restore(told, 0)


def _restore(told: Any, depth: int) -> Any:
    """Lists back to the tuples that numpy wants: fields as (name, dtype[, shape]), a sub-array as (dtype, shape)."""
    if depth > _NESTING:
        raise ValueError("a dtype nested too deeply")
    if isinstance(told, str):
        if not _SIMPLE.match(told):
            raise ValueError("a dtype of another kind")
        return told
    if isinstance(told, list) and len(told) == 2 and _is_shape(told[1]):
        return (_restore(told[0], depth + 1), tuple(told[1]))
    fields = []
    for field in told:
        name = tuple(map(str, field[0])) if isinstance(field[0], list) else str(field[0])
        fields.append((name, _restore(field[1], depth + 1), *(tuple(shape) for shape in field[2:] if _is_shape(shape))))
    return fields


def _is_shape(told: Any) -> bool:
    return isinstance(told, list) and all(type(size) is int and size >= 0 for size in told)


def read_shape(told: Any, itemsize: int, size: int) -> list[int]:
    """A shape that accounts for exactly `size` bytes; raises ValueError."""
    if not _is_shape(told) or math.prod(told) * itemsize != size:
        raise ValueError("a shape of %.80s does not take %d bytes" % (told, size))
    return list(told)


def _decode_array(decoder: Decoder, told: Any) -> Any:
    import numpy as np

    dtype, data = read_dtype(told["dtype"]), decoder.take(told["b"])
    shape = read_shape(told["shape"], dtype.itemsize, len(data))
    if not data:
        return np.empty(shape, dtype)
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _decode_objects(decoder: Decoder, told: Any) -> Any:
    import numpy as np

    parts = decoder.decode_all(told["v"])
    array = np.empty(len(parts), dtype=object)
    for place, part in enumerate(parts):
        array[place] = part
    return array.reshape(read_shape(told["shape"], 1, len(parts)))


def _decode_scalar(decoder: Decoder, told: Any) -> Any:
    import numpy as np

    dtype, data = read_dtype(told["dtype"]), decoder.take(told["b"])
    read_shape([1], dtype.itemsize, len(data))
    return np.frombuffer(data, dtype=dtype)[0] if data else np.zeros((), dtype)[()]


DECODERS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {
    "ndarray": _decode_array,
    "objects": _decode_objects,
    "scalar": _decode_scalar,
    "dtype": lambda _, told: read_dtype(told["v"]),
}
