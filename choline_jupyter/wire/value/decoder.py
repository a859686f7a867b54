"""The way in: a description to its value, whoever has written it.

Used by `wire.value` alone. Promise: a buffer is used once, so that no description is larger in memory than what came by
more than the size of Python's own objects; nesting is limited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from choline_jupyter.wire.value import arrays, arrow, frames, images, instances, plain, tensors

_DEPTH = 400  # an encoder's level of nesting has up to three here

DECODERS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {
    **plain.DECODERS,
    **arrays.DECODERS,
    **tensors.DECODERS,
    **frames.DECODERS,
    **arrow.DECODERS,
    **images.DECODERS,
    **instances.DECODERS,
}


class Decoder:
    """One value."""

    def __init__(self, buffers: Sequence[Any], classes: Optional[Mapping[str, Any]]) -> None:
        self._buffers, self.classes = list(buffers), classes
        self._depth = 0

    def decode(self, told: Any) -> Any:
        """The value of a description."""
        if not isinstance(told, (list, dict)):
            return told
        self._depth += 1
        if self._depth > _DEPTH:
            raise ValueError("a description nested too deeply")
        if isinstance(told, list):
            found: Any = [self.decode(part) for part in told]
        else:
            found = DECODERS[told["t"]](self, told)
        self._depth -= 1
        return found

    def decode_all(self, told: Any) -> list[Any]:
        """The values of several, which must stand in a list."""
        if not isinstance(told, list):
            raise ValueError("a list was expected")
        return [self.decode(part) for part in told]

    def take(self, number: int) -> Any:
        """The bytes that a description speaks of, each once: a bytearray, or memory that is the value's own."""
        data = self._buffers[number]
        if data is None or number < 0:
            raise ValueError("bytes that are not there, or were used before")
        self._buffers[number] = None
        is_own = type(data) is bytearray or (type(data) is memoryview and not data.readonly)
        return data if is_own else bytearray(data)
