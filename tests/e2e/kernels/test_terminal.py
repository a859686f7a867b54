"""The magics in IPython in a terminal: the same cells, with text output."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pexpect
import pytest

from tests.e2e.kernels.isolation import Isolation

pytestmark = pytest.mark.e2e

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PROMPT = r"In \[\d+\]: "
ARGUMENTS = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=nocolor", "--HistoryManager.enabled=False"]


class Terminal:
    """An IPython in a pseudo-terminal."""

    def __init__(self, isolation: Isolation) -> None:
        self._child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable,
            ARGUMENTS,
            env=isolation.environment,
            cwd=str(isolation.folder),
            encoding="utf-8",
            timeout=30,
            echo=False,
        )
        self._child.expect(PROMPT)

    def start(self, *lines: str) -> None:
        """Type a cell: two empty lines end one with a cell magic."""
        for line in (*lines, *(["", ""] if lines[0].startswith("%%") else [])):
            self._child.sendline(line)

    def expect(self, text: str) -> str:
        """What was shown before `text`."""
        self._child.expect_exact(text)
        return str(self._child.before)

    def finish(self) -> str:
        """What was shown until the next prompt, without colours: those are the remote kernel's."""
        self._child.expect(PROMPT)
        return COLOUR.sub("", str(self._child.before))

    def run(self, *lines: str) -> str:
        self.start(*lines)
        return self.finish()

    def interrupt(self) -> None:
        self._child.sendintr()

    def type(self, line: str) -> None:
        self._child.sendline(line)

    def close(self) -> None:
        self._child.sendline("exit")
        self._child.expect(pexpect.EOF)
        self._child.close()
        assert self._child.exitstatus == 0


@pytest.fixture(scope="module")
def terminal(isolation: Isolation) -> Iterator[Terminal]:
    made = Terminal(isolation)
    made.run("%load_ext choline_jupyter")
    yield made
    made.run("%choline stop --all --yes")
    made.close()


def test_print_and_result(terminal: Terminal) -> None:
    shown = terminal.run("%%choline", "x = 20", "print('printed')", "x + 1")
    assert "printed\n" in shown.replace("\r", "")
    assert "Out[2]: 21" in shown


def test_display(terminal: Terminal) -> None:
    shown = terminal.run("%%choline", "from IPython.display import display", "display([1, 2], 'text')")
    assert "[1, 2]" in shown
    assert "'text'" in shown


def test_error(terminal: Terminal) -> None:
    shown = terminal.run("%%choline", "1 / 0")
    assert shown.count("ZeroDivisionError: division by zero") == 1
    assert "----> 1 1 / 0" in shown
    assert "choline" not in shown.replace("%%choline", "")


def test_input(terminal: Terminal) -> None:
    terminal.start("%%choline", "print('Hello', input('Who? '))")
    terminal.expect("Who? ")
    terminal.type("Bob")
    assert "Hello Bob" in terminal.finish()


def test_interrupt(terminal: Terminal) -> None:
    terminal.start("%%choline", "import time", "print('sleeping', flush=True)", "time.sleep(600)")
    terminal.expect("sleeping")
    terminal.interrupt()
    assert "KeyboardInterrupt" in terminal.finish()
    assert "20" in terminal.run("%%choline", "x")


def test_background_output_comes_with_the_next_cell_at_the_latest(terminal: Terminal) -> None:
    terminal.run("%%choline", "import threading", "threading.Timer(0.2, print, ['from the background']).start()")
    terminal.start("%%choline", "time.sleep(1)")
    terminal.expect("from the background")
    terminal.finish()


def test_verbs_and_mistakes(terminal: Terminal) -> None:
    assert "Jobs, newest first" in terminal.run("%choline status")
    shown = terminal.run("%choline stauts")
    assert "Did you mean %choline status?" in shown
    assert "Traceback" not in shown
