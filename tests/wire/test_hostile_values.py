"""Descriptions from strangers: an error, or a value no larger than what came; nothing else happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.wire.value import decode_value

HUGE = 10**12
TENSOR = {"t": "tensor", "dtype": "float32", "shape": [2], "grad": False, "parameter": False, "b": 0}


@pytest.mark.parametrize(
    "told",
    [
        {"t": "ndarray", "dtype": "<f8", "shape": [HUGE], "b": 0}, {"t": "ndarray", "dtype": "<f8", "shape": [-1], "b": 0},
        {"t": "ndarray", "dtype": "<f8", "shape": [-1, -1], "b": 0}, {"t": "ndarray", "dtype": "O", "shape": [1], "b": 0},
        {"t": "ndarray", "dtype": [["a", "O"]], "shape": [1], "b": 0},
        {"t": "ndarray", "dtype": "V1000000000", "shape": [1], "b": 0},
        {"t": "ndarray", "dtype": "<f8", "shape": [1.0], "b": 0}, {"t": "ndarray", "dtype": "<f8", "shape": [1], "b": -1},
        {"t": "ndarray", "dtype": [["a", "f8", [HUGE]]], "shape": [1], "b": 0}, {"t": "objects", "shape": [HUGE], "v": []},
        {"t": "scalar", "dtype": "<f4", "b": 0}, {**TENSOR, "shape": [HUGE]}, {**TENSOR, "dtype": "load"},
        {**TENSOR, "dtype": "float64"}, {**TENSOR, "shape": None},
        {"t": "image", "mode": "RGB", "size": [100000, 100000], "b": 0}, {"t": "image", "mode": "RGB", "size": [-1, -1], "b": 0},
        {"t": "ZoneInfo", "v": "../../etc/passwd"}, {"t": "defaultdict", "of": "eval", "v": []}, {"t": "pickle", "b": 0},
        [{"t": "bytes", "b": 0}, {"t": "bytes", "b": 0}], {"t": "bytes", "b": 1}, {"t": "complex", "v": [1, 2, 3]},
        {"t": "Fraction", "v": ["1", "0"]}, {"t": "tuple", "v": "abc"},
        {"t": "timezone", "v": {"t": "timedelta", "v": [99, 0, 0]}},
    ],
    ids=str,
)  # fmt: skip
def test_hostile_descriptions_are_refused(told: Any) -> None:
    with pytest.raises((ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError)):
        decode_value(told, [bytes(8)])


def test_nesting_has_an_end() -> None:
    told: Any = []
    for _ in range(500):
        told = [told]
    with pytest.raises(ValueError, match="nested"):
        decode_value(told, [])


@given(
    told=st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("tvb"), inner),
    )
)
def test_nonsense_is_an_error_and_nothing_else(told: Any) -> None:
    try:
        decode_value(told, [])
    except (ValueError, KeyError, IndexError, TypeError, OverflowError):
        pass
