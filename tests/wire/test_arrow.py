"""Arrow's tables arrive as they are; a stream that is not sound is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.wire.value import decode_value, encode_value
from tests.wire.carrying import carry

TABLE = pa.table({"i": [1, None, 3], "s": ["a", "ä", None], "l": [[1], [], None], "d": [{"a": 1}, None, {"a": 2}]})


def test_tables_and_arrays_survive() -> None:
    assert carry(TABLE).equals(TABLE, check_metadata=True)
    assert carry(TABLE.slice(1, 1)).equals(TABLE.slice(1, 1))
    assert carry(pa.array(["a", None])).equals(pa.array(["a", None]))
    assert carry(pa.chunked_array([[1], [2, 3]])).equals(pa.chunked_array([[1], [2, 3]]))
    assert carry(pa.table({})).equals(pa.table({}))
    assert carry(pa.array([], pa.int8())).equals(pa.array([], pa.int8()))


def test_pandas_columns_of_arrow_survive() -> None:
    series = pd.Series([[1], None], dtype=pd.ArrowDtype(pa.list_(pa.int8())))
    back = carry(series)
    assert back.dtype == series.dtype
    assert back.to_list() == series.to_list()
    texts = pd.Series(["a", None], dtype=pd.StringDtype("pyarrow"))
    assert carry(texts).dtype == texts.dtype


def test_a_packed_stream_is_refused() -> None:
    sink = pa.BufferOutputStream()
    table = pa.table({"a": pa.array([0] * 1_000_000)})
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    with pytest.raises(ValueError, match="packed"):
        decode_value({"t": "arrow.table", "b": 0}, [sink.getvalue().to_pybytes()])


@given(place=st.integers(0, 1 << 20), byte=st.integers(0, 255))
def test_a_damaged_stream_is_an_error_or_a_sound_table(place: int, byte: int) -> None:
    buffers: list[Any] = []
    told = encode_value(TABLE, buffers)
    data = bytearray(buffers[0])
    data[place % len(data)] = byte
    with suppress(ValueError, OSError, KeyError, NotImplementedError):
        decode_value(told, [bytes(data)]).to_pylist()
