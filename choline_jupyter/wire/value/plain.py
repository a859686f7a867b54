"""Values of the standard library: numbers, text, times, containers.

Used by `wire.value.encoder` and `decoder`.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import decimal
import fractions
import math
import pathlib
import types
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any, Callable

from choline_jupyter.wire.value.refusal import refuse

if TYPE_CHECKING:
    from choline_jupyter.wire.value.decoder import Decoder
    from choline_jupyter.wire.value.encoder import Encoder

_EXACT = 1 << 53  # a JSON reader may hold numbers as doubles
_FACTORIES: dict[str, type] = {kind.__name__: kind for kind in (int, float, str, bool, list, dict, set, tuple, bytes)}


def _tell_int(value: int) -> Any:
    return value if abs(value) < _EXACT else {"t": "int", "v": hex(value)}


def _tell_float(value: float) -> Any:
    return value if math.isfinite(value) else {"t": "float", "v": repr(value)}


def _tell_items(encoder: Encoder, value: Any) -> list[Any]:
    return [[encoder.encode(key), encoder.encode(part)] for key, part in value.items()]


def _encode_time(encoder: Encoder, value: Any) -> Any:
    told = {"t": type(value).__name__, "v": value.replace(tzinfo=None).isoformat(), "fold": value.fold}
    return told if value.tzinfo is None else {**told, "tz": encoder.encode(value.tzinfo)}


def _encode_timezone(encoder: Encoder, value: dt.timezone) -> Any:
    name = value.tzname(None)
    offset = value.utcoffset(None)
    is_named = name != dt.timezone(offset).tzname(None)
    return {"t": "timezone", "v": encoder.encode(offset), **({"name": name} if is_named else {})}


def _encode_zone(encoder: Encoder, value: zoneinfo.ZoneInfo) -> Any:
    if value.key is None:
        raise refuse(value, "made from a file and not from a name")
    return {"t": "ZoneInfo", "v": value.key}


def _encode_ordered(encoder: Encoder, value: Any) -> Any:
    """An OrderedDict, which may have attributes: torch's state dicts have one."""
    told = {"t": "OrderedDict", "v": _tell_items(encoder, value)}
    if not vars(value):
        return told
    if list(vars(value)) != ["_metadata"]:
        raise refuse(value, "with attributes of its own")
    return {**told, "metadata": encoder.encode(value._metadata)}


def _encode_defaultdict(encoder: Encoder, value: Any) -> Any:
    factory = value.default_factory
    if factory is not None and _FACTORIES.get(getattr(factory, "__name__", "")) is not factory:
        raise refuse(value, "whose default is made by the notebook's own code")
    return {"t": "defaultdict", "of": factory and factory.__name__, "v": _tell_items(encoder, value)}


def _encode_dict(encoder: Encoder, value: Any) -> Any:
    return {"t": type(value).__name__, "v": _tell_items(encoder, value)}


def _encode_sequence(encoder: Encoder, value: Any) -> Any:
    return {"t": type(value).__name__, "v": encoder.encode_all(value)}


def _encode_bytes(encoder: Encoder, value: Any) -> Any:
    return {"t": type(value).__name__, "b": encoder.add(bytes(value))}


def _encode_fields(encoder: Encoder, value: Any) -> Any:
    return {"t": type(value).__name__, "v": _tell_items(encoder, vars(value))}


LEAVES: dict[type, Callable[[Any], Any]] = {
    int: _tell_int,
    float: _tell_float,
    complex: lambda value: {"t": "complex", "v": [_tell_float(value.real), _tell_float(value.imag)]},
    range: lambda value: {"t": "range", "v": [hex(value.start), hex(value.stop), hex(value.step)]},
    type(Ellipsis): lambda value: {"t": "ellipsis"},
    dt.timedelta: lambda value: {"t": "timedelta", "v": [value.days, value.seconds, value.microseconds]},
    dt.date: lambda value: {"t": "date", "v": value.isoformat()},
    pathlib.PosixPath: lambda value: {"t": "path", "v": str(value)},
    pathlib.PurePosixPath: lambda value: {"t": "purepath", "v": str(value)},
    decimal.Decimal: lambda value: {"t": "Decimal", "v": str(value)},
    fractions.Fraction: lambda value: {"t": "Fraction", "v": [hex(value.numerator), hex(value.denominator)]},
    uuid.UUID: lambda value: {"t": "UUID", "v": value.hex},
}

CONTAINERS: dict[type, Callable[[Encoder, Any], Any]] = {
    list: lambda encoder, value: encoder.encode_all(value),
    tuple: _encode_sequence,
    set: _encode_sequence,
    frozenset: _encode_sequence,
    dict: _encode_dict,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    slice: lambda encoder, value: {"t": "slice", "v": encoder.encode_all((value.start, value.stop, value.step))},
    collections.OrderedDict: _encode_ordered,
    collections.defaultdict: _encode_defaultdict,
    collections.Counter: _encode_dict,
    collections.deque: lambda encoder, value: {"t": "deque", "v": encoder.encode_all(value), "of": value.maxlen},
    dt.datetime: _encode_time,
    dt.time: _encode_time,
    dt.timezone: _encode_timezone,
    zoneinfo.ZoneInfo: _encode_zone,
    types.SimpleNamespace: _encode_fields,
    argparse.Namespace: _encode_fields,
}


def _decode_items(decoder: Decoder, told: Any) -> list[tuple[Any, Any]]:
    return [(decoder.decode(key), decoder.decode(part)) for key, part in told["v"]]


def _decode_time(decoder: Decoder, told: Any) -> Any:
    kind: Any = {"datetime": dt.datetime, "time": dt.time}[told["t"]]
    zone = decoder.decode(told.get("tz"))
    return kind.fromisoformat(told["v"]).replace(fold=told["fold"], tzinfo=zone)


def _decode_timezone(decoder: Decoder, told: Any) -> dt.timezone:
    offset = decoder.decode(told["v"])
    return dt.timezone(offset, str(told["name"])) if "name" in told else dt.timezone(offset)


def _decode_ordered(decoder: Decoder, told: Any) -> Any:
    found = collections.OrderedDict(_decode_items(decoder, told))
    if "metadata" in told:
        found._metadata = decoder.decode(told["metadata"])  # type: ignore[attr-defined]  # torch sets it so, too
    return found


def _decode_defaultdict(decoder: Decoder, told: Any) -> Any:
    factory = _FACTORIES[told["of"]] if told["of"] is not None else None
    return collections.defaultdict(factory, _decode_items(decoder, told))


def _decode_namespace(decoder: Decoder, told: Any) -> Any:
    kind = {"SimpleNamespace": types.SimpleNamespace, "Namespace": argparse.Namespace}[told["t"]]
    found = kind()
    vars(found).update((str(key), part) for key, part in _decode_items(decoder, told))
    return found


DECODERS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {
    "int": lambda _, told: int(told["v"], 16),
    "float": lambda _, told: float(told["v"]),
    "complex": lambda decoder, told: complex(*decoder.decode_all(told["v"])),
    "range": lambda _, told: range(*(int(part, 16) for part in told["v"])),
    "ellipsis": lambda _, told: ...,
    "slice": lambda decoder, told: slice(*decoder.decode_all(told["v"])),
    "timedelta": lambda _, told: dt.timedelta(*told["v"]),
    "datetime": _decode_time,
    "date": lambda _, told: dt.date.fromisoformat(told["v"]),
    "time": _decode_time,
    "timezone": _decode_timezone,
    "ZoneInfo": lambda _, told: zoneinfo.ZoneInfo(told["v"]),
    "path": lambda _, told: pathlib.Path(told["v"]),
    "purepath": lambda _, told: pathlib.PurePosixPath(told["v"]),
    "Decimal": lambda _, told: decimal.Decimal(str(told["v"])),
    "Fraction": lambda _, told: fractions.Fraction(*(int(part, 16) for part in told["v"])),
    "UUID": lambda _, told: uuid.UUID(hex=told["v"]),
    "bytes": lambda decoder, told: bytes(decoder.take(told["b"])),
    "bytearray": lambda decoder, told: bytearray(decoder.take(told["b"])),
    "tuple": lambda decoder, told: tuple(decoder.decode_all(told["v"])),
    "set": lambda decoder, told: set(decoder.decode_all(told["v"])),
    "frozenset": lambda decoder, told: frozenset(decoder.decode_all(told["v"])),
    "deque": lambda decoder, told: collections.deque(decoder.decode_all(told["v"]), told["of"]),
    "dict": lambda decoder, told: dict(_decode_items(decoder, told)),
    "OrderedDict": _decode_ordered,
    "defaultdict": _decode_defaultdict,
    "Counter": lambda decoder, told: collections.Counter(dict(_decode_items(decoder, told))),
    "SimpleNamespace": _decode_namespace,
    "Namespace": _decode_namespace,
}
