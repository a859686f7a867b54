"""The registry: the project's own providers from a table, others' by an entry point that the user has enabled."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from choline_jupyter.providers import registry
from choline_jupyter.providers.config import ConfigError, read_enabled
from choline_jupyter.providers.local import LocalProvider
from choline_jupyter.providers.registry import BUILT_IN, GROUP, list_names, list_others, load_provider

OTHERS = [
    EntryPoint("acme", "choline_jupyter.providers.local:LocalProvider", GROUP),
    EntryPoint("broken", "no_such_module:Provider", GROUP),
    EntryPoint("ssh", "no_such_module:Thief", GROUP),
]


@pytest.fixture(autouse=True)
def others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Packages that bring providers, and the place of the configuration."""
    monkeypatch.setattr(registry, "entry_points", lambda group: OTHERS if group == GROUP else [])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "choline").mkdir()
    return tmp_path / "choline/config.toml"


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_each_of_our_own_is_there_under_its_name(name: str) -> None:
    assert load_provider(name).name == name
    assert name in list_names()


def test_another_package_s_provider_is_used_when_it_is_enabled(others: Path) -> None:
    assert list_names() == sorted(BUILT_IN)
    assert list_others() == ["acme", "broken"]
    with pytest.raises(KeyError):
        load_provider("acme")
    others.write_text('[providers]\nenabled = ["acme", "not installed"]\n')
    assert list_names() == sorted([*BUILT_IN, "acme"])
    assert isinstance(load_provider("acme"), LocalProvider)
    for name in ("broken", "not installed"):
        with pytest.raises(KeyError):
            load_provider(name)


def test_nobody_takes_a_name_of_ours(others: Path) -> None:
    others.write_text('[providers]\nenabled = ["ssh"]\n')
    assert load_provider("ssh").name == "ssh"


@pytest.mark.parametrize("text", ["providers = 1", '[providers]\nenabled = "acme"', "[providers]\nenabled = [1]"])
def test_a_table_of_another_shape_is_an_error(others: Path, text: str) -> None:
    others.write_text(text)
    with pytest.raises(ConfigError, match="providers"):
        read_enabled()
