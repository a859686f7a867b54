"""Errors: exactly the traceback that a local kernel shows, once, and a reply that stops Run All."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.pair import Pair

pytestmark = pytest.mark.e2e

NESTED = """
def outer(value):
    return inner(value) + 1

def inner(value):
    return {}[value]

print("before")
outer("key")
"""
CHAINED = """
try:
    1 / 0
except ZeroDivisionError as error:
    raise ValueError("while handling", 2) from error
"""
GROUP = """
raise ExceptionGroup("several", [ValueError(1), TypeError("two")])
"""
OWN = """
class Trouble(Exception):
    def __str__(self):
        return "said by itself"
raise Trouble(1, 2)
"""
NOTED = """
error = ValueError("noted")
error.add_note("a note")
raise error
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("1 / 0", id="plain"),
        pytest.param(NESTED, id="nested"),
        pytest.param("# the function is of an earlier cell\nouter('other')", id="earlier-cell"),
        pytest.param(CHAINED, id="chained"),
        pytest.param(GROUP, id="group"),
        pytest.param(OWN, id="own-class"),
        pytest.param(NOTED, id="noted"),
        pytest.param("raise ValueError", id="no-message"),
        pytest.param("raise Exception('ünï\\n two lines')", id="two-lines"),
        pytest.param("def f():\n    return 1 +* 2", id="syntax-caret"),
        pytest.param("x = (1,\n", id="syntax-unclosed"),
        pytest.param("if True:\nprint(1)", id="indentation"),
        pytest.param("  print(1)", id="leading-blanks"),
        pytest.param("return 5", id="outside-function"),
        pytest.param("print('not run')\nvalue = 'ä' 5", id="syntax-behind-wide-text"),
        pytest.param("import json; json.loads('{')", id="library"),
        pytest.param("import missing_module_of_nobody", id="missing-module"),
        pytest.param("undefined_name", id="undefined-name"),
        pytest.param("get_ipython().showtraceback()", id="no-traceback"),
        pytest.param("assert 1 == 2, 'unequal'", id="assertion"),
        pytest.param("raise KeyboardInterrupt", id="raised-interrupt"),
        pytest.param("import warnings; warnings.warn('careful')", id="warning"),
        pytest.param("exec('1/0')", id="exec"),
        pytest.param("async def wait():\n    raise ValueError('in a coroutine')\nawait wait()", id="await"),
        pytest.param("%xmode Minimal\n1/0", id="xmode"),
        pytest.param("%xmode Context", id="xmode-back"),
    ],
)
def test_traceback(pair: Pair, code: str) -> None:
    pair.compare(code)


def test_local_modules_are_shown_by_their_local_path(pair: Pair) -> None:
    pair.run_locally("%%writefile broken_module.py\ndef fail():\n    raise RuntimeError('in the module')")
    story = pair.compare("import broken_module\nbroken_module.fail()")
    text = "\n".join(story["reply"]["traceback"])
    assert "broken_module.py" in text
    assert "choline" not in text


def test_an_error_is_shown_once_and_the_state_before_it_kept(pair: Pair) -> None:
    story = pair.compare("kept = 'yes'\nraise ValueError('once')")
    assert [message["type"] for message in story["messages"]] == ["error"]
    assert story["reply"]["status"] == "error"
    pair.compare("kept")
