"""How many ranks, and which."""

from __future__ import annotations

import pytest

from choline_jupyter.errors import RequestError
from choline_jupyter.session.machine import make_spec
from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.ranks import count_ranks


@pytest.mark.parametrize(
    ("line", "gpus", "ranks"), [("", 1, 1), ("", 4, 4), ("--ranks 2", 4, 2), ("--ranks 8", 0, 8), ("", 0, 1)]
)
def test_number_of_ranks(line: str, gpus: int, ranks: int) -> None:
    assert count_ranks(parse_cell(line).options, gpus) == ranks


@pytest.mark.parametrize(
    ("text", "ranks"), [("0", ("0",)), ("0,2", ("0", "2")), ("1-3", ("1", "2", "3")), ("2,0-1,1", ("0", "1", "2"))]
)
def test_some_ranks(text: str, ranks: tuple[str, ...]) -> None:
    assert parse_cell(f"--on {text}").options.list("on") == ranks


@pytest.mark.parametrize(
    "line",
    ["--ranks 0", "--ranks -1", "--ranks two", "--ranks 2 --ranks 3", "--on ''", "--on a", "--on 1-", "--on 3-1"],
)
def test_what_is_no_rank(line: str) -> None:
    with pytest.raises(RequestError):
        parse_cell(line)


def test_more_than_a_machine_runs() -> None:
    with pytest.raises(RequestError, match="more than one machine runs"):
        count_ranks(parse_cell("--ranks 65").options)


def test_sessions_of_different_sizes_are_different_sessions() -> None:
    one, four = (make_spec("a.ipynb", parse_cell(line).options) for line in ("", "--ranks 4"))
    assert (one.name, one.ranks, four.name, four.ranks) == ("a.ipynb", 1, "a.ipynb (4 ranks)", 4)
