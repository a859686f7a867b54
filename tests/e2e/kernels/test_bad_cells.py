"""Cells that make no sense, are too large or only look odd: nothing is lost, nothing is left, no stack of ours is shown."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run
from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.pair import LOAD, Pair

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("# only a comment", id="comment"),
        pytest.param("# one\n\n# two", id="comments"),
        pytest.param("'''only a string'''", id="docstring"),
        pytest.param("%%bash\necho in bash", id="bash"),
        pytest.param("%%markdown\n# title", id="markdown"),
        pytest.param("value = '\0'", id="nul"),
        pytest.param("value = 'x' # \x1b[31m \x07 \x7f", id="control-characters"),
        pytest.param("x" * 100_000 + " = 1", id="long-name"),
        pytest.param("(" * 300 + ")" * 300, id="deep-brackets"),
    ],
)
def test_odd_cell(pair: Pair, code: str) -> None:
    pair.compare(code)


@pytest.mark.parametrize("cell", ["%%choline", "%%choline\n", "%%choline --session empty"])
def test_cell_without_a_body(kernel: DrivenKernel, cell: str) -> None:
    """IPython itself refuses it, with the two sentences that we would have written."""
    run = kernel.run(cell)
    assert "the cell body is empty. Did you mean the line magic %choline" in run.read("stderr")
    assert run.reply["status"] == "error"


@pytest.mark.parametrize("body", ["\n", "   ", "\n\n  \n"])
def test_blank_cell(kernel: DrivenKernel, body: str) -> None:
    run = kernel.run(f"%%choline\n{body}")
    assert (run.messages, run.reply["status"]) == ([], "ok")


def test_ten_megabytes_of_code(kernel: DrivenKernel) -> None:
    assert kernel.run(f"%%choline\ntext = '{'x' * 10_000_000}'\nlen(text)").read_result() == "10000000"


def test_more_than_fits(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\n#" + "x" * (16 << 20))
    expect_sentences(run, "RequestError", "more than 15 MB")
    assert kernel.run("%%choline\n'the next cell'").read_result() == "'the next cell'"


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("--sesion x", "UnknownOption", "Did you mean --session?"),
        ("--no-such-thing", "UnknownOption", "has no option '--no-such-thing'"),
        ("--session a --session b", "RequestError", "--session is given twice"),
        ("--session", "RequestError", "--session needs a value"),
        ("--session ''", "RequestError", "--session is empty"),
        ("--session 'open", "RequestError", "has no end"),
        ("--detach=yes", "RequestError", "takes no value"),
        ("--provider nobody", "RequestError", "There is no provider 'nobody'"),
        ("status", "RequestError", "write %choline status, with one %"),
        ("--session a\0b", "RequestError", "NUL"),
    ],
)
def test_odd_line(kernel: DrivenKernel, line: str, kind: str, words: str) -> None:
    run = kernel.run(f"%%choline {line}\nvalue_of_a_refused_cell = 1")
    expect_sentences(run, kind, words)
    assert kernel.run("%%choline\n'value_of_a_refused_cell' in globals()").read_result() == "False"


def expect_sentences(run: Run, kind: str, words: str) -> None:
    """One sentence on what happened, one on what to do, and no stack."""
    assert words in run.read_error()
    assert len(run.read_error().splitlines()) == 2
    assert (run.reply["status"], run.reply["ename"]) == ("error", kind)


def test_two_notebooks_in_one_session(isolation: Isolation, kernel: DrivenKernel) -> None:
    other = DrivenKernel(isolation)
    other.run(LOAD)
    first = kernel.start("%%choline --session shared\nimport time, os\nprint('begun', flush=True)\ninput()\nkept = 1")
    kernel.wait_for(lambda: first.questions)
    second = other.start("%%choline --session shared\nprint('mine')\nkept")
    other.wait_for(lambda: "waits for its turn" in second.read("stderr"))
    assert "mine" not in second.read()
    kernel.client.input("")
    assert kernel.finish(first).read() == "begun\n"
    other.finish(second)
    assert (second.read(), second.read_result()) == ("mine\n", "1")
    other.close()


def test_a_waiting_cell_can_be_interrupted(isolation: Isolation, kernel: DrivenKernel) -> None:
    other = DrivenKernel(isolation)
    other.run(LOAD)
    first = kernel.start("%%choline --session shared\ninput()\n'done'")
    kernel.wait_for(lambda: first.questions)
    second = other.start("%%choline --session shared\nnever = 1")
    other.wait_for(lambda: "waits for its turn" in second.read("stderr"))
    other.interrupt()
    expect_sentences(other.finish(second), "KernelDied", "did not run")
    kernel.client.input("")
    assert kernel.finish(first).read_result() == "'done'"
    assert kernel.run("%%choline --session shared\n'never' in globals()").read_result() == "False"
    other.close()
