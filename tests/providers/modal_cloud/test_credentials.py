"""Where the token for Modal comes from, and that nobody sees it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from choline_jupyter.providers.failure import KeyRejected
from choline_jupyter.providers.modal_cloud import sdk
from choline_jupyter.providers.modal_cloud.provider import ModalProvider
from tests.fakes.modal_servicer.cloud import ModalCloud

_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any token."""
    for name in ("CHOLINE_FAKE_CLOUD", "MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / ".modal.toml"))
    return tmp_path


def ask_alone(home: Path) -> tuple[str, ...] | None:
    """The token as a fresh process finds it: Modal's package reads its file when it is imported."""
    code = (
        "import json\nfrom choline_jupyter.providers.modal_cloud.sdk import find_token\nprint(json.dumps(find_token()))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=_ROOT).stdout
    found = json.loads(said)
    return tuple(found) if found else None


def test_without_one_it_is_said_what_to_do(home: Path) -> None:
    assert ask_alone(home) is None
    assert "MODAL_TOKEN_ID" in ModalProvider().check_ready()
    with pytest.raises(KeyRejected) as caught:
        asyncio.run(ModalProvider().list_mine())
    assert "choline login modal" in caught.value.hint


def test_the_environment_has_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODAL_TOKEN_ID", "ak-1")
    monkeypatch.setenv("MODAL_TOKEN_SECRET", "as-1")
    assert sdk.find_token() == ("ak-1", "as-1")
    assert ModalProvider().check_ready() == ""
    assert "as-1" not in repr(sdk.find_token())


def test_modals_own_file_has_it(home: Path) -> None:
    (home / ".modal.toml").write_text('[me]\ntoken_id = "ak-2"\ntoken_secret = "as-2"\nactive = true\n')
    assert ask_alone(home) == ("ak-2", "as-2")


def test_a_login_of_ours_has_it(home: Path) -> None:
    keys = home / "config/choline/keys"
    keys.mkdir(parents=True)
    (keys / "modal").write_text("ak-3:as-3\n")
    assert ask_alone(home) == ("ak-3", "as-3")


def test_a_login_that_is_half_a_token_is_said(home: Path) -> None:
    keys = home / "config/choline/keys"
    keys.mkdir(parents=True)
    (keys / "modal").write_text("as-3\n")
    said = ModalProvider().check_ready()
    assert "ID:SECRET" in said
    assert "as-3" not in said


def test_a_token_that_modal_does_not_know_is_rejected_and_not_shown(cloud: ModalCloud) -> None:
    cloud.key = "ak-other:as-other"
    with pytest.raises(KeyRejected) as caught:
        asyncio.run(ModalProvider().list_mine())
    assert "as-fake" not in f"{caught.value!r} {caught.value.hint}"


def test_a_token_that_is_revoked_meanwhile_is_rejected(cloud: ModalCloud) -> None:
    provider = ModalProvider()
    assert asyncio.run(provider.list_mine()) == []
    cloud.key = "ak-other:as-other"
    with pytest.raises(KeyRejected):
        asyncio.run(provider.list_mine())


def test_the_package_is_not_imported_before_it_is_used() -> None:
    code = (
        "import sys\nfrom choline_jupyter.providers.modal_cloud.provider import ModalProvider as P\n"
        "from choline_jupyter.providers.provider import Contact\np = P()\np.check_ready()\np.connect(Contact('sb-1'))\n"
        "assert 'modal' not in sys.modules and 'grpclib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=_ROOT)


def test_a_login_is_tried_before_it_is_kept(cloud: ModalCloud) -> None:
    cloud.key = "ak-new:as-new"
    provider = ModalProvider()
    for wrong in ("ak-other:as-other", "as-new"):
        provider.take_key(wrong)
        with pytest.raises(KeyRejected):
            asyncio.run(provider.list_mine())
    provider.take_key("ak-new:as-new")
    assert asyncio.run(provider.list_mine()) == []
