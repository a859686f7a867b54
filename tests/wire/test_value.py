"""Values survive the way as they are, type for type; what has no safe form is refused by name."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import threading
import types
import uuid
import zoneinfo
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from choline_jupyter.wire.value import Unsendable, encode_value
from tests.wire.carrying import carry

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
    [
        float("nan"), float("-inf"), 2**200, -(2**63), range(3, 10**20, 7), ..., Path("/a/b"), PurePosixPath("x"), -0.0,
        decimal.Decimal("1.10"), decimal.Decimal("NaN"), fractions.Fraction(1, 3), uuid.UUID(int=5), slice(1, None, 2),
        OrderedDict(b=1, a=[2]), defaultdict(list, a=[1]), defaultdict(None), Counter("aab"), deque([1, (2,)], 3),
        Namespace(lr=0.1, path=Path("x")), types.SimpleNamespace(a={1}), dt.datetime.now(dt.timezone.utc),
        dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")), torch.Size([2, 3]),
        dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=2), "two")), torch.float32, np.dtype("f4"), torch.device("cpu"),
    ],
)  # fmt: skip
def test_odd_ones_survive(value: Any) -> None:
    assert show(carry(value)) == show(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3), np.zeros((0, 3)), np.array(3.5), np.arange(10)[::3], np.array(["ä", "bcd"]),
        np.array([b"x"]), np.array(["2026-01-01"], "M8[D]"), np.eye(3, dtype=">f4").T, np.array([True]),
        np.array([1], np.float16), np.array([(1, "a"), (2, "b")], [("n", "<i4"), ("s", "U3")]),
        np.zeros(2, [("a", "f8", (2, 3))]),
        np.zeros(2, np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8]})), np.array([b"ab"], "V2"),
        np.array([None, "a", [1]], dtype=object), np.empty((2, 0, 3), object), np.array(["2026-01-01"], "M8[25s]"),
        np.zeros((3, 0), "f8"), np.array(["", ""], "U0"), np.zeros(2, "g"),
    ],
)  # fmt: skip
def test_arrays_survive(array: np.ndarray) -> None:
    back = carry(array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


DTYPES = [
    torch.float32, torch.bfloat16, torch.bool, torch.int64, torch.complex64, torch.float16, torch.uint16,
    torch.float8_e4m3fn, torch.float8_e5m2, torch.complex128,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_survive(dtype: torch.dtype) -> None:
    for tensor in (torch.ones(2, 3).to(dtype), torch.zeros(0, dtype=dtype), torch.tensor(1).to(dtype)):
        back = carry(tensor)
        assert back.dtype == dtype
        assert torch.equal(back.view(torch.uint8), tensor.view(torch.uint8)) if tensor.dim() else back == tensor


def test_parameters_stay_parameters() -> None:
    back = carry(torch.nn.Parameter(torch.ones(2)))
    assert type(back) is torch.nn.Parameter
    assert back.requires_grad
    assert carry(torch.ones(1, requires_grad=True)).requires_grad


def test_tensors_that_are_views_survive() -> None:
    whole = torch.arange(6).reshape(2, 3)
    for view in (whole.T, whole[:, 1], torch.ones(2, dtype=torch.complex64).mul(1j).conj(), torch.ones(1).expand(3)):
        assert torch.equal(carry(view), view)


def test_state_dicts_survive() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    back = carry(model.state_dict())
    assert type(back) is OrderedDict
    assert back._metadata == model.state_dict()._metadata  # type: ignore[attr-defined]
    other = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    other.load_state_dict(back)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "F", "I", "CMYK"])
def test_images_survive(mode: str) -> None:
    image = Image.new("RGB", (3, 2), (1, 2, 3)).convert(mode)
    back = carry(image)
    assert (back.mode, back.size, back.tobytes()) == (image.mode, image.size, image.tobytes())


def test_scalars_of_numpy_stay_its_own() -> None:
    back = carry({"x": np.float32(1.5)})["x"]
    assert (type(back), back) == (np.float32, np.float32(1.5))


class Point(NamedTuple):
    """A class of a module's: its text is not at hand."""

    x: int


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
        (np.array([object()]), "object"), (iter_nothing(), "generator"), (torch.ones(1, requires_grad=True) * 2, "Tensor"),
        (types.ModuleType("m"), "module"), (torch.nn.Linear(1, 1), "state_dict"), (torch.ones(2).to_sparse(), "sparse"),
        (torch.empty(2, device="meta"), "without data"), (defaultdict(lambda: 1), "own code"), (Point(1), "Point"),
        (np.ma.masked_array([1]), "MaskedArray"), (torch.nn.functional, "module"), (Exception("x"), "Exception"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused_by_name(value: Any, name: str) -> None:
    with pytest.raises(Unsendable, match=name):
        encode_value(value, [])
