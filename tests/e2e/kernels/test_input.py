"""Cells that ask."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.pair import Pair

pytestmark = pytest.mark.e2e


def test_input(pair: Pair) -> None:
    story = pair.compare("name = input('Who? ')\nprint('Hello', name)\ninput()", ["Bob", "ünï"])
    assert [question["prompt"] for question in story["questions"]] == ["Who? ", ""]


def test_password(pair: Pair) -> None:
    story = pair.compare("import getpass\nlen(getpass.getpass('Secret: '))", ["four"])
    assert story["questions"] == [{"prompt": "Secret: ", "password": True}]


def test_output_before_a_question_comes_before_it(pair: Pair) -> None:
    code = "for n in range(3):\n    print('round', n)\n    print('got', input(f'{n}? '))"
    pair.compare(code, ["a", "b", "c"])


def test_debugger(pair: Pair) -> None:
    pair.compare("def divide(a, b):\n    return a / b\ndivide(40, 0)")
    story = pair.compare("%debug", ["p a + 2", "up", "q"])
    assert [question["prompt"] for question in story["questions"]] == ["ipdb> "] * 3
    assert "42" in str(story["messages"])


def test_a_front_end_that_cannot_answer(pair: Pair) -> None:
    story = pair.compare("input('Anybody? ')", allow_stdin=False)
    assert story["reply"]["ename"] == "StdinNotImplementedError"
    pair.compare("'the next cell'")
