"""What is read from the texts that programs print, in the forms that the frameworks document (`logs/`)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.wire.training_output import OutputReader, Point

_LOGS = Path(__file__).parent / "logs"
_EXPECTED: dict[str, dict[str, Any]] = json.loads((_LOGS / "training/expected.json").read_text())
_OTHERS = sorted(path.stem for path in (_LOGS / "other").glob("*.txt"))


def read_text(path: Path) -> str:
    with path.open(newline="") as file:
        return file.read()


def read_points(text: str, size: int = 1 << 20) -> list[Point]:
    reader = OutputReader()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [point for piece in pieces for point in reader.feed(piece)] + list(reader.close())


def find_loss(point: Point) -> float:
    names = ["loss", "train_loss", "training_loss", "lm_loss", "total_loss", "box_loss"]
    return next(point.metrics[name] for name in names if name in point.metrics)


def test_there_are_thirty_of_each() -> None:
    assert len(_EXPECTED) == len(_OTHERS) == 30
    assert sorted(_EXPECTED) == sorted(path.stem for path in (_LOGS / "training").glob("*.txt"))


@pytest.mark.parametrize("name", sorted(_EXPECTED))
def test_a_training_is_read(name: str) -> None:
    expected = dict(_EXPECTED[name])
    last = read_points(read_text(_LOGS / f"training/{name}.txt"))[-1]
    loss, metric = expected.pop("loss", None), expected.pop("metric", None)
    assert {key: getattr(last, key) for key in expected} == expected
    if loss == "nan":
        assert math.isnan(find_loss(last))
    elif loss is not None:
        assert find_loss(last) == loss
    if metric:
        assert last.metrics[metric[0]] == metric[1]


@pytest.mark.parametrize("name", _OTHERS)
def test_what_is_no_training_has_no_epochs(name: str) -> None:
    assert read_points(read_text(_LOGS / f"other/{name}.txt")) == []


@given(st.sampled_from(sorted(_EXPECTED)), st.integers(1, 50))
def test_it_does_not_matter_in_which_pieces_a_text_comes(name: str, size: int) -> None:
    text = read_text(_LOGS / f"training/{name}.txt").replace("nan", "9")
    assert read_points(text, size) == read_points(text)


@given(st.text(alphabet="epochstlr loss:=/[]|0123456789.\r\n%'e-", max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    for point in read_points(text):
        assert point.metrics
        assert point.epoch is not None or point.step is not None
