"""`--secret` in cells: the job has the variable, nothing that is written anywhere has its value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import HEAD

pytestmark = pytest.mark.e2e

VALUE = "qz7-Kp'x\"4é"
PASSED = "%%choline --secret MY_KEY\n"


@pytest.fixture(scope="module")
def asked(kernel: DrivenKernel) -> DrivenKernel:
    """A notebook whose user has typed the value."""
    run = kernel.run(PASSED + "import os\nlen(os.environ['MY_KEY'])", answers=[VALUE])
    [question] = run.questions
    assert (question["content"]["password"], question["content"]["prompt"]) == (True, "MY_KEY: ")
    assert run.read_result() == str(len(VALUE))
    return kernel


def find_files_with(text: str, isolation: Isolation) -> list[str]:
    """Every file of this user that holds a text, in whatever form JSON gives it."""
    forms = [text.encode(), text.encode("unicode-escape"), text.replace('"', '\\"').encode()]
    paths = [path for path in isolation.folder.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path) for path in paths if any(form in path.read_bytes() for form in forms)]


def test_it_is_asked_for_once_and_gone_with_the_job(asked: DrivenKernel) -> None:
    run = asked.run(PASSED + "key = os.environ['MY_KEY']\n!test -n \"$MY_KEY\" && echo there")
    assert (run.questions, run.read()) == ([], "there\r\n")
    assert asked.run(HEAD + "os.environ.get('MY_KEY')", answers=[]).messages == []


def test_no_output_shows_it(asked: DrivenKernel) -> None:
    text = asked.run(PASSED + "key = os.environ['MY_KEY']\nprint('a', key, 'b')\n!echo $MY_KEY").read()
    assert text == "a *** b\n***\r\n"
    assert asked.run(PASSED + "os.environ['MY_KEY']").read_result() in ("'***'", '"***"')
    halves = "import sys\nfor part in (key[:3], key[3:]):\n    print(part, end='', flush=True)\nprint('.')"
    assert asked.run(PASSED + halves).read() == "***.\n"
    shown = asked.run(PASSED + "from IPython.display import HTML, display\ndisplay(HTML(f'<b>{key}</b>'))")
    assert shown.find("display_data")[0]["content"]["data"]["text/html"] == "<b>***</b>"
    failed = asked.run(PASSED + "raise ValueError(f'bad key {key}')")
    assert failed.reply["evalue"] == "bad key ***"
    assert VALUE not in failed.read_error()


def test_a_later_cell_does_not_show_it_either(asked: DrivenKernel) -> None:
    assert asked.run(HEAD + "print(key)").read() == "***\n"


def test_a_question_of_the_cell_does_not_show_it(asked: DrivenKernel) -> None:
    run = asked.run(HEAD + "input(f'use {key}? ')", answers=["yes"])
    assert [question["content"]["prompt"] for question in run.questions] == ["use ***? "]


def test_a_variable_that_holds_it_does_not_come_home(asked: DrivenKernel) -> None:
    run = asked.run("%choline get key")
    assert "it holds the value of a --secret" in str(run.messages)
    assert VALUE not in str(run.messages)


def test_a_missing_one_fails_the_cell_in_one_sentence(asked: DrivenKernel) -> None:
    run = asked.run("%%choline --secret NOT_SET\n1", allow_stdin=False)
    assert "--secret names NOT_SET, which is not set here." in run.read("stderr") + str(run.messages)
    assert run.reply["status"] == "error"


def test_nothing_on_the_disk_has_it(asked: DrivenKernel, isolation: Isolation) -> None:
    asked.run("from choline_jupyter.session.bridge import get_bridge\nget_bridge().engine.store.flush()")
    assert find_files_with(VALUE, isolation) == []


def test_no_command_line_has_it(asked: DrivenKernel, isolation: Isolation) -> None:
    del asked
    for process in isolation.find_processes():
        assert VALUE.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes(), os.getpid()
