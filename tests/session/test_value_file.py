"""Variables as files that other programs read; none is written over another."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from choline_jupyter.errors import CholineError
from choline_jupyter.session.results import Buffers
from choline_jupyter.session.value_file import write_value
from choline_jupyter.wire.value import encode_value


def pack(value: Any) -> Buffers:
    buffers: list[Any] = []
    told = encode_value(value, buffers)
    return [bytearray(json.dumps(told).encode()), *map(bytearray, buffers)]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<f4").reshape(2, 3), np.array(2.5), np.array(["a", "äb"]), np.zeros((0, 3)), np.float32(1.5),
        np.zeros(2, [("a", "<i4"), ("b", "<f8", (2,))]), np.array(["2026-01-01"], "M8[D]"), np.array([True]),
    ],
)  # fmt: skip
def test_arrays(tmp_path: Path, array: Any) -> None:
    path = write_value("x", pack(array), tmp_path)
    back = np.load(path, allow_pickle=False)
    assert path.name == "x.npy"
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


def read_safetensors(path: Path) -> dict[str, tuple[str, list[int], bytes]]:
    """As the format's own description says."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    head, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    assert size % 8 == 0
    return {key: (part["dtype"], part["shape"], body[slice(*part["data_offsets"])]) for key, part in head.items()}


def test_tensors(tmp_path: Path) -> None:
    path = write_value("t", pack(torch.ones(2, 1).bfloat16()), tmp_path)
    assert read_safetensors(path) == {"t": ("BF16", [2, 1], b"\x80?\x80?")}
    state = torch.nn.Linear(3, 2).state_dict()
    found = read_safetensors(write_value("state", pack(state), tmp_path))
    assert {key: part[:2] for key, part in found.items()} == {"weight": ("F32", [2, 3]), "bias": ("F32", [2])}
    assert found["bias"][2] == state["bias"].numpy().tobytes()


def test_tables(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "s": ["x", None]})
    path = write_value("df", pack(frame), tmp_path)
    assert path.name == "df.arrow"
    assert pa.ipc.open_file(path).read_all().to_pydict() == {"a": [1, 2], "s": ["x", None]}
    assert pa.ipc.open_file(write_value("s", pack(frame["a"]), tmp_path)).read_all().to_pydict() == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"loss": [1.5, None], "ok": True}, {"loss": [1.5, None], "ok": True}),
        ([(1, 2), {3}, Path("a"), dt.date(2026, 1, 2)], [[1, 2], [3], "a", "2026-01-02"]),
        ({"a": np.arange(2), "b": torch.ones(1)}, {"a": [0, 1], "b": [1.0]}), ("ä", "ä"), ({}, {}),
    ],
)  # fmt: skip
def test_the_rest(tmp_path: Path, value: Any, text: Any) -> None:
    path = write_value("x", pack(value), tmp_path)
    assert path.name == "x.json"
    assert json.loads(path.read_text(encoding="utf-8")) == text


def test_what_has_no_form_is_said(tmp_path: Path) -> None:
    with pytest.raises(CholineError, match="x has no form as a file"):
        write_value("x", pack({(1, 2): 3}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    names = [write_value("x", pack(number), tmp_path).name for number in range(3)]
    assert names == ["x.json", "x-2.json", "x-3.json"]
    (tmp_path / "y.json").symlink_to(tmp_path / "elsewhere")
    assert write_value("y", pack(1), tmp_path).name == "y-2.json"
    assert not (tmp_path / "elsewhere").exists()
