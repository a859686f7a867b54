"""The way out: a value to its description. Which encoder serves a value is decided by the exact type, or by the package
that the type is from.

Used by `wire.value` alone.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from choline_jupyter.wire.value import arrays, arrow, frames, images, instances, plain, tensors
from choline_jupyter.wire.value.refusal import Unsendable

Buffer = Any  # bytes, or a memoryview of them
NameClass = Callable[[type], str]

DEPTH = 100
_FAMILIES: dict[str, Callable[[Encoder, Any], Any]] = {  # by the package of the type
    "numpy": arrays.encode,
    "torch": tensors.encode,
    "pandas": frames.encode,
    "pyarrow": arrow.encode,
    "PIL": images.encode,
}


class Encoder:
    """One value; knows what it stands inside of, so that a loop is an error and not endless."""

    def __init__(self, buffers: list[Buffer], name_class: Optional[NameClass]) -> None:
        self._buffers, self.name_class = buffers, name_class
        self._around: list[int] = []

    def encode(self, value: Any) -> Any:
        """The description of a value; raises Unsendable."""
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind in plain.LEAVES:
            return plain.LEAVES[kind](value)
        if id(value) in self._around or len(self._around) > DEPTH:
            raise Unsendable("a container that holds itself, or many levels of them")
        self._around.append(id(value))
        told = self._encode_inside(kind, value)
        self._around.pop()
        return told

    def encode_all(self, values: Any) -> list[Any]:
        return [self.encode(value) for value in values]

    def add(self, data: Buffer) -> int:
        """Keep bytes beside the description; gives the number under which it speaks of them."""
        self._buffers.append(data)
        return len(self._buffers) - 1

    def _encode_inside(self, kind: type, value: Any) -> Any:
        if kind in plain.CONTAINERS:
            return plain.CONTAINERS[kind](self, value)
        family = _FAMILIES.get(kind.__module__.partition(".")[0])
        if family:
            return family(self, value)
        return instances.encode(self, value)
