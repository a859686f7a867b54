"""The error tree: what each error shows, and that the user's cell never shows a stack of ours."""

from __future__ import annotations

import builtins
import copy
import inspect
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from choline_jupyter import errors
from choline_jupyter.errors import CholineError, ConnectionLost, RemoteException, UnknownOption, make_remote_exception

TREE = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, CholineError)]
TRACEBACK = ["\x1b[31m-----\x1b[39m", "ValueError    Traceback", "Cell In[3], line 2", "ValueError: bad value"]


def test_text_is_sentence_hint_and_what_bills() -> None:
    error = ConnectionLost("The connection ended.", "Run %choline attach.", ["4x3090 on vast, 1.20 USD/h", "a disk"])
    assert error.render().split("\n") == [
        "The connection ended.",
        "Run %choline attach.",
        "Still costing money: 4x3090 on vast, 1.20 USD/h; a disk.",
    ]
    assert str(error) == error.render().replace("\n", " ")


def test_nothing_is_said_of_money_where_none_is_spent() -> None:
    assert str(UnknownOption("No such option.")) == "No such option."
    assert str(UnknownOption("No such option.", "Try another.")) == "No such option. Try another."


@pytest.mark.parametrize("kind", TREE)
def test_no_name_is_a_builtin_and_each_is_drawn(kind: type[CholineError]) -> None:
    assert not hasattr(builtins, kind.__name__)
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.__doc__


@pytest.mark.parametrize("kind", TREE)
def test_errors_survive_copying(kind: type[CholineError]) -> None:
    error = kind("a", "b")
    error.still_billing = ("c",)
    for twin in (copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert twin.render() == error.render()
        assert twin.still_billing == ("c",)


def test_remote_exception_shows_the_remote_traceback_only() -> None:
    error = make_remote_exception({"ename": "ValueError", "evalue": "bad value", "traceback": TRACEBACK})
    assert isinstance(error, RemoteException)
    assert error._render_traceback_() == TRACEBACK
    assert str(error) == "bad value"
    assert type(error).__name__ == "ValueError"


def test_remote_exception_names_what_still_bills() -> None:
    error = make_remote_exception({"ename": "E", "evalue": "", "traceback": TRACEBACK}, ["a100 on vast"])
    assert error.render().split("\n") == [*TRACEBACK, "Still costing money: a100 on vast."]
    assert make_remote_exception({"ename": "E", "evalue": "x"}, ["a100"]).render().split("\n")[0] == "E: x"


@pytest.mark.parametrize("content", [{}, {"ename": "a\0b"}, {"ename": "x y", "traceback": 3}, {"traceback": [1, None]}])
def test_remote_exception_from_odd_content(content: dict[str, object]) -> None:
    error = make_remote_exception(content)
    assert type(error) is RemoteException
    assert error.render()


def make_shell() -> Any:
    config = Config()
    config.HistoryManager.enabled = False
    return InteractiveShell(config=config)


@pytest.mark.parametrize(
    ("make", "shown", "hidden"),
    [
        ("UnknownOption('No such thing.', 'Try this.')", ["No such thing.", "Try this."], "Traceback"),
        ("make_remote_exception({'ename': 'KeyError', 'traceback': ['remote line']})", ["remote line"], "KeyError"),
    ],
)
def test_ipython_shows_only_our_lines(
    make: str, shown: list[str], hidden: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = make_shell()
    shell.run_cell("from choline_jupyter.errors import UnknownOption, make_remote_exception")
    capsys.readouterr()
    result = shell.run_cell("raise " + make)
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert [line for line in text.split("\n") if line] == shown
    assert hidden not in text
    assert isinstance(result.error_in_exec, CholineError)
