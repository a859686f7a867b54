"""pyarrow's tables and arrays, as a stream of Arrow's own.

Used by `wire.value.encoder` and `decoder`. A stream from a stranger is checked in full before anything reads it: its
offsets are where a careless reader would look for bytes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable

from choline_jupyter.wire.value.refusal import refuse

if TYPE_CHECKING:
    from choline_jupyter.wire.value.decoder import Decoder
    from choline_jupyter.wire.value.encoder import Encoder


def encode(encoder: Encoder, value: Any) -> Any:
    """A table or an array of Arrow's; raises Unsendable."""
    pa = sys.modules["pyarrow"]
    if type(value) is pa.Table:
        return {"t": "arrow.table", "b": encoder.add(write_table(pa, value))}
    if type(value) is pa.ChunkedArray:
        return {"t": "arrow.chunks", "b": encoder.add(write_table(pa, pa.table({"": value})))}
    if isinstance(value, pa.Array) and not isinstance(value, pa.ExtensionArray):
        return {"t": "arrow.array", "b": encoder.add(write_table(pa, pa.table({"": value})))}
    raise refuse(value)


def write_table(pa: Any, table: Any) -> Any:
    """The bytes of a table; raises Unsendable where Arrow cannot say what it is without Python."""
    if any(isinstance(field.type, pa.ExtensionType) for field in table.schema):
        raise refuse(table, "with columns of an extension of Arrow's types")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())


def read_table(data: bytearray) -> Any:
    """The table in a stream; raises pyarrow's errors, which are ValueErrors, for one that is not sound."""
    import pyarrow as pa

    source = pa.py_buffer(data)
    batches = []
    with pa.ipc.open_stream(source) as reader:
        for batch in reader:
            if batch.nbytes > len(data) * 2:  # packed: it may be of any size
                raise ValueError("a packed stream")
            batches.append(batch)
        table = pa.Table.from_batches(batches, reader.schema)
    table.validate(full=True)
    return table


def _decode_array(decoder: Decoder, told: Any) -> Any:
    column = read_table(decoder.take(told["b"])).column(0)
    return column.combine_chunks() if told["t"] == "arrow.array" else column


DECODERS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {
    "arrow.table": lambda decoder, told: read_table(decoder.take(told["b"])),
    "arrow.chunks": _decode_array,
    "arrow.array": _decode_array,
}
