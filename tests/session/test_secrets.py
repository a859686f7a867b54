"""`--secret`: where a value comes from, and that no message holds one."""

from __future__ import annotations

import pytest

from choline_jupyter.errors import RequestError
from choline_jupyter.session.options import parse_cell
from choline_jupyter.session.secrets import Secrets


class User:
    """Answers questions, or is not there."""

    def __init__(self, *answers: str, is_there: bool = True) -> None:
        self.answers, self.questions = list(answers), list[tuple[str, bool]]()
        self.secrets = Secrets(self._ask, lambda: is_there)

    def read(self, line: str) -> dict[str, str]:
        return self.secrets.read(parse_cell(line).options)

    def _ask(self, question: str, is_secret: bool) -> str:
        self.questions.append((question, is_secret))
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRST_KEY", "first value")
    monkeypatch.setenv("SECOND_KEY", "second value")
    user = User()
    assert user.read("--secret FIRST_KEY,SECOND_KEY") == {"FIRST_KEY": "first value", "SECOND_KEY": "second value"}
    assert user.read("--secret FIRST_KEY --secret SECOND_KEY") == user.read("--secret FIRST_KEY,SECOND_KEY")
    assert (user.read(""), user.questions) == ({}, [])


def test_what_is_not_there_is_asked_for_once_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    user = User("typed in")
    assert user.read("--secret NO_SUCH_KEY") == user.read("--secret NO_SUCH_KEY") == {"NO_SUCH_KEY": "typed in"}
    assert user.questions == [("NO_SUCH_KEY: ", True)]


@pytest.mark.parametrize("user", [User(), User(""), User(is_there=False)], ids=["gone", "nothing", "headless"])
def test_a_missing_one_is_one_sentence(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(RequestError) as caught:
        user.read("--secret NO_SUCH_KEY")
    assert caught.value.render() == (
        "--secret names NO_SUCH_KEY, which is not set here.\nSet it first: export NO_SUCH_KEY=..."
    )


def test_a_value_in_the_line_is_refused_and_not_repeated() -> None:
    with pytest.raises(RequestError) as caught:
        User().read("--secret HF_TOKEN=hf_verysecret")
    assert "hf_verysecret" not in caught.value.render()


def test_what_cannot_be_hidden_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIN_CODE", "123")
    user = User()
    assert user.read("--secret PIN_CODE") == user.read("--secret PIN_CODE") == {"PIN_CODE": "123"}
    assert capsys.readouterr().err == "choline: PIN_CODE has fewer than 4 characters: it is not hidden in output.\n"


def test_what_no_environment_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONG_KEY", "x" * 40_000)
    with pytest.raises(RequestError, match="too long"):
        User().read("--secret LONG_KEY")
