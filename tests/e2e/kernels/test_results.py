"""Results: the last expression, its number, `_` and what goes with them."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.pair import Pair

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("6 * 7", id="expression"),
        pytest.param("6 * 7;", id="semicolon"),
        pytest.param("None", id="none"),
        pytest.param("x = 5\nx", id="behind-statement"),
        pytest.param("print('text')\n'value'", id="behind-print"),
        pytest.param("[list(range(40)) for _ in range(30)]", id="pretty-printed"),
        pytest.param("import asyncio\nawait asyncio.sleep(0, 'awaited')", id="await"),
        pytest.param("async with asyncio.timeout(5):\n    print('inside')", id="async-with"),
        pytest.param("def f(x):\n    return x\nf?", id="help"),
        pytest.param("f??", id="source"),
        pytest.param("len?", id="help-builtin"),
        pytest.param("%pinfo f", id="pinfo"),
        pytest.param("%history -n 2-3", id="history"),
        pytest.param("class Page:\n    def _repr_html_(self): return '<b>bold</b>'\nPage()", id="html-repr"),
        pytest.param("class Broken:\n    def __repr__(self): raise ValueError('no repr')\nBroken()", id="broken-repr"),
        pytest.param("get_ipython().set_next_input('1 + 1')", id="next-input"),
    ],
)
def test_result(pair: Pair, code: str) -> None:
    pair.compare(code)


def test_numbers_and_names_of_results(pair: Pair) -> None:
    number = pair.compare("'first'")["reply"]["execution_count"]
    pair.compare("_ + '!'")
    pair.compare(f"Out[{number}], _{number}, In[{number}]")
    pair.compare("__")
    pair.compare("get_ipython().execution_count")


def test_number_follows_the_notebook_when_cells_run_locally_in_between(pair: Pair) -> None:
    pair.compare("here = 1")
    for _ in range(3):
        pair.run_locally("pass")
    pair.compare("here")
    pair.compare("1 / 0")
