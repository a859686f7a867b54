"""The grid of a sweep and the cell with parameters in it: what is written is what runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.errors import RequestError
from choline_jupyter.session.job_record import read_parameters
from choline_jupyter.session.sweep.grid import check_names, describe, make_grid, put_in, read_grid

PLAIN = st.one_of(
    st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
)
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=3), st.tuples(PLAIN, PLAIN))


def test_every_combination_in_the_order_that_is_written() -> None:
    assert read_grid(["lr=1e-3,3e-4", "act=relu,gelu"]) == [
        {"lr": 1e-3, "act": "relu"},
        {"lr": 1e-3, "act": "gelu"},
        {"lr": 3e-4, "act": "relu"},
        {"lr": 3e-4, "act": "gelu"},
    ]


def test_values_are_pythons() -> None:
    (row, *_) = read_grid(["shape=(1, 2),(3, 4)", "flag=True", "none=None", "text='a,b'"])
    assert row == {"shape": (1, 2), "flag": True, "none": None, "text": "a,b"}


def test_rows_as_they_are() -> None:
    rows = [{"lr": 1, "width": 2}, {"lr": 3, "width": 4}]
    assert make_grid(rows) == rows


@pytest.mark.parametrize(
    "grid",
    [
        {}, {"lr": []}, {"lr": 3}, {"lr": "abc"}, {"1lr": [1]}, {"for": [1]}, {"lr": [float("nan")]}, {"lr": [object()]},
        {"lr": [1, 1]}, {"a": range(100), "b": range(100)}, [{"a": 1}, {"b": 1}], [{}],
    ],
)  # fmt: skip
def test_what_is_no_grid(grid: Any) -> None:
    with pytest.raises(RequestError):
        make_grid(grid)


@pytest.mark.parametrize("text", ["lr", "lr=", "=1", "lr= ", "lr=1,,2", "l r=1"])
def test_what_is_no_option(text: str) -> None:
    with pytest.raises(RequestError):
        read_grid([text])


@given(VALUES)
def test_a_value_above_the_cell_is_the_same_value(value: Any) -> None:
    space: dict[str, Any] = {}
    exec(put_in("found = lr", {"lr": value}), space)
    assert space["found"] == value
    assert type(space["found"]) is type(value)


@given(VALUES, VALUES)
def test_a_value_that_the_cell_sets_is_replaced_where_it_stands(one: Any, other: Any) -> None:
    code = "text = 'é'; lr, steps = 1e-3, (4\n)\nwidth: int = 5  # of a layer\nfound = lr, width, steps"
    made = put_in(code, {"lr": one, "width": other})
    space: dict[str, Any] = {}
    exec(made, space)
    assert space["found"] == (one, other, 4)
    assert made.count("\n") == code.count("\n") + repr(one).count("\n")


def test_what_a_text_says_are_its_parameters() -> None:
    row = {"lr": 0.001, "act": "relu", "width": 64}
    made = put_in("import torch\nwidth, depth = 3, 4\ntrain(lr, act, width)", row)
    assert {name: read_parameters(made)[name] for name in row} == row


def test_lines_keep_their_numbers_where_the_cell_sets_the_value() -> None:
    assert put_in("a = 1\nlr = 0.5\nb = 2", {"lr": 3}) == "a = 1\nlr = 3\nb = 2"


def test_later_changes_are_the_cells_own() -> None:
    assert put_in("lr = 1\nlr = lr / 2", {"lr": 8}) == "lr = 8\nlr = lr / 2"


@pytest.mark.parametrize(
    "code",
    [
        "for lr in []: pass",
        "import lr",
        "def lr(): pass",
        "a = lr = 1",
        "lr += 1",
        "a, *lr = 1, 2",
        "from __future__ import division",
    ],
)
def test_what_cannot_be_replaced(code: str) -> None:
    with pytest.raises(RequestError):
        put_in(code, {"lr": 1})


def test_cell_that_is_no_python_has_them_above() -> None:
    assert put_in("!ls\nprint(lr)", {"lr": 1}) == "lr = 1\n!ls\nprint(lr)"


def test_parameter_that_nothing_uses() -> None:
    check_names(["lr", "width"], ["def train(): return lr", "width = 3"])
    with pytest.raises(RequestError) as refused:
        check_names(["widht"], ["width = 3"])
    assert "Did you mean width?" in str(refused.value.hint)


def test_description() -> None:
    assert describe({"lr": 0.001, "act": "relu"}) == "lr=0.001 act='relu'"
