"""Values survive the way as they are, type for type; what has no safe form is refused by name."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.wire.value import Unsendable, decode_value, encode_value

PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])) | st.binary() | st.datetimes() | st.dates() | st.times() | st.timedeltas()
)  # fmt: skip
KEYS = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])) | st.binary()
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner) | st.sets(KEYS) | st.frozensets(KEYS)
    ),
)


def carry(value: Any) -> Any:
    """There and back, through text."""
    buffers: list[Any] = []
    told = json.loads(json.dumps(encode_value(value, buffers)))
    return decode_value(told, [bytes(buffer) for buffer in buffers])


def show(value: Any) -> str:
    """Value and types, all the way down; sets in any order."""
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}{sorted(map(show, value))}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}{[show(part) for part in value]}"
    if isinstance(value, dict):
        return f"dict{[(show(key), show(part)) for key, part in value.items()]}"
    return f"{type(value).__name__} {value!r}"


@given(value=VALUES)
def test_data_survives(value: Any) -> None:
    assert show(carry(value)) == show(value)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("-inf"), 2**200, -(2**63), range(3, 10**20, 7), ..., Path("/a/b"), PurePosixPath("x"), -0.0],
)
def test_odd_ones_survive(value: Any) -> None:
    assert show(carry(value)) == show(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3), np.zeros((0, 3)), np.array(3.5), np.arange(10)[::3], np.array(["ä", "bcd"]),
        np.array([b"x"]), np.array(["2026-01-01"], "M8[D]"), np.eye(3, dtype=">f4").T, np.array([True]),
        np.array([1], np.float16),
    ],
)  # fmt: skip
def test_arrays_survive(array: np.ndarray) -> None:
    back = carry(array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.bool, torch.int64, torch.complex64])
def test_tensors_survive(dtype: torch.dtype) -> None:
    for tensor in (torch.ones(2, 3).to(dtype), torch.zeros(0, dtype=dtype), torch.tensor(1).to(dtype)):
        back = carry(tensor)
        assert back.dtype == dtype
        assert torch.equal(back, tensor)


def test_parameters_stay_parameters() -> None:
    back = carry(torch.nn.Parameter(torch.ones(2)))
    assert type(back) is torch.nn.Parameter
    assert back.requires_grad
    assert carry(torch.ones(1, requires_grad=True)).requires_grad


def test_scalars_of_numpy_stay_its_own() -> None:
    back = carry({"x": np.float32(1.5)})["x"]
    assert (type(back), back) == (np.float32, np.float32(1.5))


class Special(dict[str, int]):
    """A subclass with a behaviour of its own."""


def iter_nothing() -> Iterator[int]:
    yield from ()


def make_loop() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (threading.Lock(), "lock"), (Special(), "Special"), (make_loop(), "holds itself"), ([open], "builtin"),
        (np.array([object()]), "ndarray"), (iter_nothing(), "generator"), (torch.ones(1, requires_grad=True) * 2, "Tensor"),
        (dt.datetime.now(dt.timezone.utc), "datetime"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused_by_name(value: Any, name: str) -> None:
    with pytest.raises(Unsendable, match=name):
        encode_value(value, [])


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
