"""Instances of the notebook's own classes: the class travels as its text, the instance as its fields.

Used by `wire.value.encoder` and `decoder`, on the way to the user's own session only: what comes back is never made into
an instance. Only where the fields are all there is: no `__reduce__`, `__setstate__` or `__slots__`, no base but `object`
and what has no state.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Callable

from choline_jupyter.wire.value.refusal import refuse

if TYPE_CHECKING:
    from choline_jupyter.wire.value.decoder import Decoder
    from choline_jupyter.wire.value.encoder import Encoder

_STATELESS = ("abc", "typing")  # bases from here have no state
_OWN_WAYS = ("__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__")


def encode(encoder: Encoder, value: Any) -> Any:
    """An instance, named tuple or member of the notebook's own class; raises Unsendable."""
    kind = type(value)
    if encoder.name_class is None or kind.__module__ != "__main__":
        raise refuse(value)
    if isinstance(value, enum.Enum) and value.name in kind.__members__:
        return {"t": "member", "of": encoder.name_class(kind), "v": value.name}
    if _is_named_tuple(kind):
        return {"t": "namedtuple", "of": encoder.name_class(kind), "v": encoder.encode_all(value)}
    if not has_plain_fields(kind):
        raise refuse(value, "whose state is more than its attributes")
    state = [[encoder.encode(key), encoder.encode(part)] for key, part in vars(value).items()]
    return {"t": "instance", "of": encoder.name_class(kind), "v": state}


def has_plain_fields(kind: type) -> bool:
    """Whether an instance is its `__dict__`, and nothing wants a say in copying it."""
    if any(getattr(kind, way, None) is not getattr(object, way, None) for way in _OWN_WAYS):
        return False
    if hasattr(kind, "__setstate__") or kind.__dictoffset__ == 0:
        return False
    return all(_is_plain(base) for base in kind.__mro__)


def _is_plain(base: type) -> bool:
    if base is object or base.__module__ in _STATELESS:
        return True
    return base.__module__ == "__main__" and not base.__dict__.get("__slots__")


def _is_named_tuple(kind: type) -> bool:
    return kind.__mro__[1:] == (tuple, object) and isinstance(getattr(kind, "_fields", None), tuple)


def _find_class(decoder: Decoder, told: Any) -> type:
    kind = (decoder.classes or {})[told["of"]]
    if not isinstance(kind, type):
        raise TypeError("%s is no class there" % told["of"])
    return kind


def _decode_instance(decoder: Decoder, told: Any) -> Any:
    found: Any = object.__new__(_find_class(decoder, told))
    vars(found).update((str(key), decoder.decode(part)) for key, part in told["v"])
    return found


DECODERS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {
    "instance": _decode_instance,
    "namedtuple": lambda decoder, told: tuple.__new__(_find_class(decoder, told), decoder.decode_all(told["v"])),
    "member": lambda decoder, told: _find_class(decoder, told).__members__[told["v"]],  # type: ignore[attr-defined]
}
