"""What is typed into a script: in order, once, without waiting for a script that does not read."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from choline_jupyter.agent.script_input import ScriptInput

PIPE = 1 << 16  # bytes, as Linux has it


class Pipe:
    """A script's standard input, and the script's end of it."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.end = os.fdopen(writing, "wb")

    def read(self, size: int = 1 << 20) -> bytes:
        return os.read(self.reading, size)

    def close(self) -> None:
        os.close(self.reading)
        self.reading = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.end.close()
    if made.reading >= 0:
        made.close()


def make_line(number: int, text: str, *, is_end: bool = False) -> dict[str, Any]:
    return {"seq": number, "value": text, "eof": is_end}


def test_lines_in_any_order_and_twice_are_read_in_order_and_once(pipe: Pipe) -> None:
    typed = ScriptInput()
    lines = [make_line(number, f"{number}\n") for number in range(1, 9)] + [make_line(9, "", is_end=True)]
    shuffled = lines * 2
    random.Random(5).shuffle(shuffled)
    for line in shuffled[:9]:
        typed.take(line)
    typed.open(pipe.end)
    for line in shuffled[9:]:
        typed.take(line)
    assert pipe.read() == b"1\n2\n3\n4\n5\n6\n7\n8\n"
    assert pipe.read() == b""


def test_what_comes_before_the_script_begins_waits_for_it(pipe: Pipe) -> None:
    typed = ScriptInput()
    typed.take(make_line(1, "early"))
    typed.take(make_line(2, "", is_end=True))
    typed.open(pipe.end)
    assert (pipe.read(), pipe.read()) == (b"early", b"")


def test_nobody_waits_for_a_script_that_does_not_read(pipe: Pipe) -> None:
    typed = ScriptInput()
    typed.open(pipe.end)
    assert typed.fileno() == -1
    typed.take(make_line(1, "x" * 3 * PIPE))
    typed.take(make_line(2, "y", is_end=True))
    assert typed.fileno() == pipe.end.fileno()
    found = b""
    while data := pipe.read():
        found += data
        typed.write()
    assert found == b"x" * 3 * PIPE + b"y"
    assert typed.fileno() == -1


def test_a_script_that_has_closed_its_input_hears_no_more(pipe: Pipe) -> None:
    typed = ScriptInput()
    typed.open(pipe.end)
    typed.take(make_line(1, "x" * 3 * PIPE))
    pipe.close()
    typed.write()
    assert typed.fileno() == -1
    typed.take(make_line(2, "more"))
    typed.take(make_line(3, "", is_end=True))


def test_bytes_that_are_no_text_arrive_as_they_are(pipe: Pipe) -> None:
    typed = ScriptInput()
    typed.open(pipe.end)
    typed.take(make_line(1, bytes(range(256)).decode("utf-8", "surrogateescape"), is_end=True))
    assert pipe.read() == bytes(range(256))
