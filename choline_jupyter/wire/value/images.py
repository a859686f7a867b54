"""PIL's images: mode, size and the pixels. What a file said besides (its format, its camera) does not travel.

Used by `wire.value.encoder` and `decoder`. The pixels are not packed as PNG: unpacking what a stranger has sent can fill
the memory, and not every mode has one.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable

from choline_jupyter.wire.value.refusal import refuse

if TYPE_CHECKING:
    from choline_jupyter.wire.value.decoder import Decoder
    from choline_jupyter.wire.value.encoder import Encoder

_BYTES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "YCbCr": 3, "HSV": 3, "I": 4, "F": 4, "I;16": 2}


def encode(encoder: Encoder, value: Any) -> Any:
    """An image; raises Unsendable."""
    if not isinstance(value, sys.modules["PIL.Image"].Image) or not type(value).__module__.startswith("PIL."):
        raise refuse(value)
    if value.mode not in _BYTES or "transparency" in value.info:
        raise refuse(value, "of mode %s; convert('RGBA') gives one that can travel" % value.mode)
    return {"t": "image", "mode": value.mode, "size": list(value.size), "b": encoder.add(value.tobytes())}


def _decode_image(decoder: Decoder, told: Any) -> Any:
    from PIL import Image

    mode, (width, height), data = told["mode"], told["size"], decoder.take(told["b"])
    if min(width, height) < 0 or width * height * _BYTES[mode] != len(data):
        raise ValueError("an image whose size does not account for its bytes")
    return Image.frombytes(mode, (width, height), bytes(data)) if data else Image.new(mode, (width, height))


DECODERS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {"image": _decode_image}
