"""Differences of checkpoints: exact whatever the numbers are, and nothing but bytes to put together."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from choline_jupyter.store.difference import DifferenceError, list_codecs, read_difference, write_difference
from choline_jupyter.store.tensor_map import Span, list_spans, looks_whole, pair_spans

EACH = pytest.mark.parametrize("codec", list_codecs())
SPECIAL = [0.0, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1e-45, 3.4e38, 1.0, -1.0]


def code(new: Path, old: Path, codec: str) -> bytes:
    out = io.BytesIO()
    write_difference(new, old, pair_spans(list_spans(new), list_spans(old)), codec, out.write)
    return out.getvalue()


def decode(data: bytes, old: Path, size: int) -> bytes:
    return b"".join(read_difference(io.BytesIO(data).read, old, size))


def make_state(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "w": torch.randn(700, 500, generator=generator),
        "half": torch.randn(3000, generator=generator).to(torch.bfloat16),
        "double": torch.randn(2000, generator=generator, dtype=torch.float64),
        "special": torch.tensor(SPECIAL).roll(seed),
        "count": torch.arange(1000) + seed,
        "frozen": torch.ones(400_000),
    }


@EACH
@pytest.mark.parametrize("form", ["pt", "safetensors"])
def test_a_checkpoint_is_made_from_the_one_before(codec: str, form: str, tmp_path: Path) -> None:
    old, new = tmp_path / f"old.{form}", tmp_path / f"new.{form}"
    first = make_state(1)
    second = {**{name: one + (0.001 if one.is_floating_point() else 1) for name, one in first.items()}}
    second["frozen"] = first["frozen"]
    for path, state in ((old, first), (new, second)):
        torch.save(state, path) if form == "pt" else save_file(state, path)
    assert {span.width for span in list_spans(new)} >= {2, 4, 8}
    data = code(new, old, codec)
    assert decode(data, old, new.stat().st_size) == new.read_bytes()
    assert len(data) < 0.5 * new.stat().st_size  # half of it is frozen


@EACH
@pytest.mark.parametrize("width", [1, 2, 4, 8])
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 3000))
@settings(max_examples=20, deadline=None)
def test_any_bits_come_back(
    codec: str, width: int, seed: int, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bits")
    rng = np.random.default_rng(seed)
    old, new = folder / "old", folder / "new"
    old.write_bytes(rng.bytes(count * width + 3))
    new.write_bytes(b"head" + rng.bytes(count * width) + b"tail")
    span = Span("x", 4, count * width, width)
    out = io.BytesIO()
    write_difference(new, old, [(span, span._replace(offset=3))], codec, out.write)
    assert decode(out.getvalue(), old, new.stat().st_size) == new.read_bytes()


@EACH
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_difference_is_an_error_and_never_more_than_was_said(codec: str, data: st.DataObject) -> None:
    """Sizes are bounded by what is expected, whatever its fields say."""
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    old = folder / f"choline-difference-{os.getpid()}"
    old.write_bytes(b"\1" * 5000)
    whole = bytearray(_make_small(old, codec))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    size = 0
    try:
        for piece in read_difference(io.BytesIO(bytes(whole)).read, old, 6000):
            size += len(piece)
    except DifferenceError:
        pass
    finally:
        old.unlink()
    assert size <= 6000


def _make_small(old: Path, codec: str) -> bytes:
    new = old.with_name(old.name + ".new")
    new.write_bytes(b"\2" * 6000)
    out = io.BytesIO()
    write_difference(new, old, [(Span("x", 0, 4000, 4), Span("x", 800, 4000, 4))], codec, out.write)
    new.unlink()
    return out.getvalue()


@pytest.mark.parametrize("cut", [0, 3, 30, 60])
def test_a_cut_one_is_an_error(cut: int, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(b"\1" * 5000)
    with pytest.raises(DifferenceError, match=r"cut off|no difference"):
        decode(_make_small(old, list_codecs()[-1])[:cut], old, 6000)


def test_another_base_is_an_error(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(b"\1" * 5000)
    data = _make_small(old, list_codecs()[-1])
    old.write_bytes(b"\1" * 4999)
    with pytest.raises(DifferenceError, match="no difference to that file"):
        decode(data, old, 6000)


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_files_of_any_form_have_no_spans_or_proper_ones(content: bytes) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp"), f"choline-spans-{os.getpid()}.safetensors")
    try:
        path.write_bytes(struct.pack("<Q", len(content)) + content)
        for span in list_spans(path):
            assert 0 <= span.offset <= span.offset + span.length <= path.stat().st_size
        looks_whole(path)
    finally:
        path.unlink()


def test_the_beginning_of_a_file_does_not_look_whole(tmp_path: Path) -> None:
    torch.save(make_state(1), tmp_path / "x.pt")
    save_file(make_state(1), tmp_path / "x.safetensors")
    for path in list(tmp_path.iterdir()):
        assert looks_whole(path)
        path.write_bytes(path.read_bytes()[:-100])
        assert not looks_whole(path)
