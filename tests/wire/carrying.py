"""A value there and back, as it travels: its description through text, its bytes beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from choline_jupyter.wire.value import decode_value, encode_value


def carry(value: Any, classes: Mapping[str, Any] | None = None) -> Any:
    """There and back; with `classes` instances of these may travel."""
    buffers: list[Any] = []
    name = None if classes is None else (lambda kind: str(kind.__name__))
    told = json.loads(json.dumps(encode_value(value, buffers, name)))
    return decode_value(told, [bytes(buffer) for buffer in buffers], classes)
