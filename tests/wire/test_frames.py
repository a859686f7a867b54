"""pandas' objects arrive as they are: cells, types, indexes; what would change is refused."""

from __future__ import annotations

import datetime as dt
import decimal
import zoneinfo
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import pandas as frames
from pandas import testing

from choline_jupyter.wire.value import Unsendable, decode_value, encode_value
from tests.wire.carrying import carry

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
COLUMNS = [
    frames.column("a", dtype="float64"),
    frames.column("b", dtype="int8"),
    frames.column("c", elements=st.text(st.characters(exclude_categories=["Cs"]), max_size=4)),
    frames.column("d", dtype="datetime64[ns]"),
    frames.column("e", dtype="bool"),
]


def same(back: Any, value: Any) -> None:
    assert type(back) is type(value)
    check = {pd.DataFrame: testing.assert_frame_equal, pd.Series: testing.assert_series_equal}
    check.get(type(value), testing.assert_index_equal)(back, value, check_exact=True)
    if isinstance(value, pd.DataFrame):
        assert list(back.dtypes) == list(value.dtypes)


@given(frame=frames.data_frames(COLUMNS))
def test_frames_survive(frame: pd.DataFrame) -> None:
    same(carry(frame), frame)


VALUES = {
    "empty": pd.DataFrame(),
    "rows without columns": pd.DataFrame(index=[3, 4]),
    "columns without rows": pd.DataFrame({"a": np.array([], "f4")}),
    "same names": pd.DataFrame([[1, 2.5]], columns=["x", "x"]),
    "mixed objects": pd.DataFrame({"o": [1, "two", None, (3, [4])]}, dtype=object),
    "dicts in cells": pd.DataFrame({"o": [{"a": 1}, {"b": 2}]}),
    "arrays in cells": pd.Series([np.eye(2), np.zeros(3)]),
    "texts as objects": pd.Series(["a", None, "b"], dtype=object),
    "texts": pd.Series(["ä", None, "b"], dtype="str"),
    "texts with NA": pd.Series(["a", pd.NA], dtype="string"),
    "decimals": pd.Series([decimal.Decimal("1.5"), None]),
    "complex": pd.Series([1 + 2j]),
    "categories": pd.Series(["b", "a", None]).astype(pd.CategoricalDtype(["a", "b", "c"], ordered=True)),
    "numbers and NA": pd.DataFrame({"i": pd.array([1, None], "Int32"), "b": pd.array([True, None], "boolean")}),
    "floats and NA": pd.Series(pd.array([1.5, None], "Float32")),
    "instants": pd.Series(pd.date_range("2026-03-28", periods=3, freq="D", tz=BERLIN)),
    "instants in utc": pd.Series(pd.to_datetime(["2026-01-01", None], utc=True)),
    "instants at an offset": pd.Series(pd.to_datetime(["2026-01-01T00:00+02:00"])),
    "seconds": pd.Series(np.array(["2026-01-01", "NaT"], "M8[s]")),
    "durations": pd.Series(np.array([1, 2], "m8[ms]")),
    "periods": pd.Series(pd.period_range("2026-01", periods=2, freq="M")),
    "intervals": pd.Series(pd.interval_range(0, 2, closed="left")),
    "attrs": pd.Series([1], name=("a", 1)),
    "multi": pd.DataFrame(
        np.eye(4),
        pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None]),
        pd.MultiIndex.from_tuples([(1, "p"), (1, "q"), (2, "p"), (2, "q")]),
    ),
    "dates as index": pd.DataFrame({"a": [1, 2]}, pd.date_range("2026", periods=2, freq="h")),
    "range": pd.RangeIndex(2, 20, 3, name="r"),
    "index": pd.Index([3, 1], dtype="uint8", name="i"),
    "categories as index": pd.CategoricalIndex(["x", "y"]),
    "periods as index": pd.period_range("2026", periods=2, freq="Y"),
    "durations as index": pd.timedelta_range("1h", periods=3),
    "intervals as index": pd.interval_range(0, 3),
    "objects as index": pd.Index([1, "a", None], dtype=object),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_all_kinds_survive(value: Any) -> None:
    back = carry(value)
    if isinstance(value, pd.Series) and value.dtype == object and isinstance(value.iloc[0], np.ndarray):
        assert [part.tolist() for part in back] == [part.tolist() for part in value]
        return
    same(back, value)
    assert getattr(getattr(back, "index", None), "freq", None) == getattr(getattr(value, "index", None), "freq", None)


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2026-01-01 12:00:00.000000001"), pd.Timedelta("1us"),
        pd.Timestamp("2026-10-25 00:30", tz="UTC").tz_convert(BERLIN),
        pd.Period("2026-02", "M"), pd.Interval(1, 2.5, closed="both"), pd.NaT, pd.NA, pd.Timestamp(0, unit="s"),
        pd.Timestamp("2026-01-01", tz=dt.timezone.utc),
    ],
)  # fmt: skip
def test_scalars_survive(value: Any) -> None:
    back = carry([value])[0]
    assert type(back) is type(value)
    assert back is value or (back == value and repr(back) == repr(value))


def test_columns_can_be_written_to() -> None:
    back = carry(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    back.loc[0, "a"] = 7
    back["c"] = back["a"] * 2
    assert list(back["c"]) == [14, 4]


def test_attrs_survive() -> None:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["source"] = "here"
    assert carry(frame).attrs == {"source": "here"}


class Frame(pd.DataFrame):  # type: ignore[misc]  # pandas ships no types
    """A subclass with behaviour of its own."""


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Frame({"a": [1]}), "Frame"),
        (pd.Series(pd.arrays.SparseArray([0, 0, 1])), "SparseArray"),
        (pd.DataFrame({"a": [object()]}), "object"),
        (pd.offsets.MonthEnd(), "MonthEnd"),
    ],
)
def test_what_would_change_is_refused(value: Any, why: str) -> None:
    with pytest.raises(Unsendable, match=why):
        encode_value(value, [])


@given(data=st.data())
def test_damaged_descriptions_are_errors(data: st.DataObject) -> None:
    """Any part of a true description replaced by nonsense: an error, or a value, but no more bytes than came."""
    buffers: list[Any] = []
    told = encode_value(
        data.draw(st.sampled_from([VALUES["multi"], VALUES["instants"], VALUES["categories"]])), buffers
    )
    place = told
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(
            st.sampled_from([None, -1, 10**15, [], [10**9, 10**9], "O", {"t": "frame"}, {"t": "int"}])
        )
        break
    with suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        decode_value(told, [bytes(buffer) for buffer in buffers])
