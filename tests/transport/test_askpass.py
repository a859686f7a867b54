"""What ssh asks: answered through the program that ssh would run, given up where nobody is there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from choline_jupyter.transport.askpass import Ask, Askpass, Unanswered

KEY = "SHA256:" + "A1/+" * 10 + "abc"
UNKNOWN = (
    f"The authenticity of host 'lab' can't be established.\nED25519 key fingerprint is {KEY}.\n"
    "Are you sure you want to continue connecting (yes/no/[fingerprint])? "
)
AGAIN = "Please type 'yes', 'no' or the fingerprint: "
PASSPHRASE = "Enter passphrase for key '/home/anna/.ssh/id': "


async def run_program(askpass: Askpass, question: str) -> tuple[int, str]:
    """What ssh does with a question: its answer is the program's output, its exit status whether there is one."""
    program = askpass.environment["SSH_ASKPASS"]
    ran = await asyncio.create_subprocess_exec(program, question, stdout=asyncio.subprocess.PIPE)
    output, _ = await ran.communicate()
    return int(ran.returncode or 0), output.decode()


def ask_all(questions: list[str], ask: Ask | None, accept_key: str = "") -> tuple[list[tuple[int, str]], Askpass]:
    async def put() -> tuple[list[tuple[int, str]], Askpass]:
        async with Askpass(ask, accept_key) as askpass:
            return [await run_program(askpass, question) for question in questions], askpass

    return asyncio.run(put())


class Person:
    """Answers everything with one word and remembers what was asked."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[tuple[str, bool]] = []

    async def ask(self, question: str, is_secret: bool) -> str:
        self.asked.append((question, is_secret))
        return self.answer


def test_a_passphrase_is_asked_as_a_secret() -> None:
    person = Person("open sesame é")
    answers, _ = ask_all([PASSPHRASE], person.ask)
    assert answers == [(0, "open sesame é\n")]
    assert person.asked == [(PASSPHRASE, True)]


def test_an_unknown_key_is_asked_in_the_open() -> None:
    person = Person("yes")
    answers, askpass = ask_all([UNKNOWN], person.ask)
    assert answers == [(0, "yes\n")]
    assert person.asked == [(UNKNOWN, False)]
    assert askpass.fingerprint == KEY


def test_an_accepted_fingerprint_is_given_to_ssh_to_compare() -> None:
    person = Person("yes")
    answers, _ = ask_all([UNKNOWN], person.ask, accept_key=KEY)
    assert answers == [(0, KEY + "\n")]
    assert person.asked == []


def test_a_key_that_is_not_the_accepted_one_is_declined() -> None:
    other = KEY[:-1] + "d"
    answers, askpass = ask_all([UNKNOWN, AGAIN], None, accept_key=other)
    assert answers == [(0, other + "\n"), (0, "no\n")]
    assert askpass.fingerprint == KEY


def test_where_nobody_is_there_ssh_gets_no_answer() -> None:
    answers, askpass = ask_all([PASSPHRASE, UNKNOWN], None)
    assert answers == [(1, ""), (1, "")]
    assert askpass.fingerprint == KEY


def test_a_person_may_decline() -> None:
    async def decline(question: str, is_secret: bool) -> str:
        raise Unanswered

    assert ask_all([PASSPHRASE], decline)[0] == [(1, "")]


def test_an_empty_answer_is_one() -> None:
    assert ask_all([PASSPHRASE], Person("").ask)[0] == [(0, "\n")]


def test_it_is_private_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)

    async def look() -> Path:
        async with Askpass(None) as askpass:
            program = Path(askpass.environment["SSH_ASKPASS"])
            assert (program.parent.stat().st_mode & 0o777, program.stat().st_mode & 0o777) == (0o700, 0o700)
            assert os.access(program, os.X_OK)
            assert askpass.environment["SSH_ASKPASS_REQUIRE"] == "force"
            assert askpass.environment["DISPLAY"]
            return program.parent

    assert not asyncio.run(look()).exists()
