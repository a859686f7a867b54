"""Values as data: a JSON description and raw buffers, for what has one exact form without running anything.

Written by `capture.names` and `agent.kernel.results` on one side, read by `agent.kernel.names` and `session.returned` on
the other. Exact types only: an instance of a subclass has behaviour that would be lost. numpy, torch, pandas, pyarrow and
PIL are used only when a value is theirs. Two names for one mutable object become two objects. What is decoded may come
from a stranger: nothing is unpickled, no class of the user's is made unless the caller hands it over, and no array is
made whose shape does not account for exactly the bytes that came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from choline_jupyter.wire.value.decoder import Decoder
from choline_jupyter.wire.value.encoder import Buffer, Encoder, NameClass
from choline_jupyter.wire.value.refusal import Unsendable

__all__ = ["Buffer", "Unsendable", "decode_value", "encode_value"]


def encode_value(value: Any, buffers: list[Buffer], name_class: Optional[NameClass] = None) -> Any:
    """The description; bytes are appended to `buffers`. Raises Unsendable, whose text goes behind "it is".

    `name_class(class)` gives the name under which the other side has a class of the notebook, or raises Unsendable;
    without it no instance of such a class is encoded.
    """
    return Encoder(buffers, name_class).encode(value)


def decode_value(told: Any, buffers: Sequence[Buffer], classes: Optional[Mapping[str, Any]] = None) -> Any:
    """The value of a description. Raises all kinds of errors for what is not one, but nothing else happens.

    A buffer that is a bytearray becomes part of the value, others are copied. `classes` are the namespace that names of
    classes are looked up in; without it such instances are errors.
    """
    return Decoder(buffers, classes).decode(told)
