"""`choline login`: a key that works is kept where it is found again, any other is not, and none is ever shown."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.errors import RequestError
from choline_jupyter.providers.local import LocalProvider
from choline_jupyter.providers.provider import Provider
from choline_jupyter.providers.runpod import RunPodProvider
from choline_jupyter.session import doctor, login
from choline_jupyter.session.login import log_in
from tests.fakes.runpod import RunPodCloud

KEY = "rpa_S3CRET_of_anna"
FILE = "choline/keys/runpod"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunPodCloud]:
    """An account that takes KEY, reached as the real one is, and a user who has no key of it yet."""
    cloud = RunPodCloud(key=KEY)
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("CHOLINE_FAKE_CLOUD", "RUNPOD_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNPOD_API_BASE_URL", cloud.url)
    monkeypatch.setattr("choline_jupyter.providers.credentials._ask_keyring", lambda provider: None)
    monkeypatch.setitem(sys.modules, "keyring", None)
    for module in (login, doctor):
        monkeypatch.setattr(module, "load_provider", load)
        monkeypatch.setattr(module, "list_names", lambda: ["local", "runpod"])
    yield cloud
    cloud.close()


def load(name: str) -> Provider:
    if name == "broken":
        raise ImportError("No module named 'acme'")
    kinds: dict[str, type[Provider]] = {"runpod": RunPodProvider, "local": LocalProvider}
    return kinds[name]()


def call(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


def test_a_key_that_works_is_kept_for_the_user_alone(cloud: RunPodCloud, tmp_path: Path) -> None:
    asked: list[tuple[str, bool]] = []

    def answer(question: str, is_secret: bool) -> str:
        asked.append((question, is_secret))
        return f" {KEY}\n"

    assert "choline login runpod" in load("runpod").check_ready()
    said = log_in("runpod", answer, call)
    [(question, is_secret)] = asked
    assert is_secret
    assert "https://console.runpod.io" in question
    assert KEY not in said
    assert (tmp_path / FILE).read_text().strip() == KEY
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert load("runpod").check_ready() == ""
    assert cloud.calls == ["list"]


@pytest.mark.parametrize(
    ("typed", "fault", "message"),
    [
        ("rpa_wrong_KEY", "", "does not take the key"),
        (KEY, "500", "could not be tried"),
        (KEY, "timeout", "could not be tried"),
        (KEY, "garbage", "could not be tried"),
        ("", "", "No key was typed"),
        ("two words", "", "no key"),
        ("sch\u00fcssel", "", "no key"),
        ("x" * 1001, "", "no key"),
    ],
)
def test_any_other_is_not_kept_and_not_shown(
    cloud: RunPodCloud, tmp_path: Path, typed: str, fault: str, message: str
) -> None:
    if fault:
        cloud.fail("list", fault)
    with pytest.raises(RequestError, match=message) as caught:
        log_in("runpod", lambda question, is_secret: typed, call)
    assert not typed or typed not in caught.value.render()
    assert not (tmp_path / FILE).exists()


def test_a_new_key_replaces_the_old_one_only_when_it_works(cloud: RunPodCloud, tmp_path: Path) -> None:
    log_in("runpod", lambda question, is_secret: KEY, call)
    with pytest.raises(RequestError):
        log_in("runpod", lambda question, is_secret: "rpa_wrong_KEY", call)
    assert (tmp_path / FILE).read_text().strip() == KEY


def test_a_variable_that_goes_before_it_is_named(cloud: RunPodCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNPOD_API_KEY", "another")
    said = log_in("runpod", lambda question, is_secret: KEY, call)
    assert "RUNPOD_API_KEY is set" in said
    assert "another" not in said.replace("another key", "")


def test_where_nobody_can_type_nothing_happens(cloud: RunPodCloud) -> None:
    def refuse(question: str, is_secret: bool) -> str:
        raise EOFError

    for answer in (None, refuse):
        with pytest.raises(RequestError, match="Nobody"):
            log_in("runpod", answer, call)
    assert cloud.calls == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("runpot", "There are: runpod"), ("local", "takes no key"), ("broken", "No module named 'acme'")],
)
def test_who_takes_no_key_says_so(cloud: RunPodCloud, name: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        log_in(name, lambda question, is_secret: KEY, call)
    assert message in caught.value.render()


def test_doctor_says_which_providers_are_ready_and_what_is_missing(
    cloud: RunPodCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    [line] = doctor.check_providers()
    assert line.startswith("  runpod: not set up. No key: set RUNPOD_API_KEY")
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)
    assert list(doctor.check_providers()) == ["  runpod: ready"]
    monkeypatch.setattr(doctor, "list_names", lambda: ["broken", "local"])
    assert list(doctor.check_providers()) == ["! broken: No module named 'acme'"]
    assert cloud.calls == []
