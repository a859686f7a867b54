"""The user's file of machines: read as it is, refused in one sentence that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choline_jupyter.providers.config import (
    ConfigError,
    Host,
    find_config,
    read_cache_limit,
    read_file_wait,
    read_hosts,
)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "choline").mkdir()
    assert find_config() == tmp_path / "choline/config.toml"
    return find_config()


def test_without_the_file_there_are_no_hosts(config: Path) -> None:
    assert read_hosts() == {}


def test_without_xdg_it_is_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_config() == tmp_path / ".config/choline/config.toml"


def test_hosts(config: Path) -> None:
    config.write_text(
        '[hosts.lab]\nhost = "anna@lab:2222"\ngpus = "2x3090"\npython = "/opt/python"\n[hosts."b c"]\nhost = "other"\n'
    )
    assert read_hosts() == {
        "lab": Host("lab", "anna@lab:2222", "2x3090", "/opt/python"),
        "b c": Host("b c", "other"),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hosts = 3", "`hosts` is not a table"),
        ("hosts = ['lab']", "`hosts` is not a table"),
        ("[hosts]\nlab = 'lab'", r"\[hosts.lab\] needs host"),
        ("[hosts.lab]", r"\[hosts.lab\] needs host"),
        ("[hosts.lab]\nhost = 3", r"\[hosts.lab\] needs host"),
        ("[hosts.lab]\nhost = 'lab'\nport = 3\ngpu = 'x'", "has gpu, port, which means nothing"),
        ("[hosts.lab\n", "cannot be read"),
    ],
)
def test_wrong_tables_are_named(config: Path, text: str, reason: str) -> None:
    config.write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        read_hosts()
    assert str(config) in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(config: Path) -> None:
    config.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_hosts()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_any_bytes_are_hosts_or_an_error_of_ours(config: Path, data: bytes) -> None:
    config.write_bytes(b"[hosts.lab]\n" + data)
    try:
        assert all(isinstance(host, Host) for host in read_hosts().values())
    except ConfigError:
        pass


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("", None),
        ("[files]", None),
        ('[files]\ncache = "50 GB"\nwait = 3', 50 * 10**9),
        ('[files]\ncache = "1.5tb"', 1_500 * 10**9),
        ("[files]\ncache = 0", 0),
    ],
)
def test_the_cache_has_the_size_that_is_said(config: Path, text: str, limit: int | None) -> None:
    config.write_text(text)
    assert read_cache_limit() == limit


@pytest.mark.parametrize("text", ["files = 3", "[files]\ncache = 'much'", "[files]\ncache = -1", "[files]\nroom = 1"])
def test_a_size_that_is_none_is_refused(config: Path, text: str) -> None:
    config.write_text(text)
    with pytest.raises(ConfigError, match="files") as caught:
        read_cache_limit()
    assert str(config) in str(caught.value)


def test_how_long_a_job_waits_for_a_file(config: Path) -> None:
    assert read_file_wait() == 30.0
    config.write_text('[files]\nwait = 0.5\ncache = "1 GB"\n')
    assert read_file_wait() == 0.5


@pytest.mark.parametrize(
    "text", ["files = 3", "[files]\nwait = -1", "[files]\nwait = '2m'", "[files]\nwate = 3", "[files]\nwait = 1e9"]
)
def test_what_is_no_such_time_is_refused(config: Path, text: str) -> None:
    config.write_text(text)
    with pytest.raises(ConfigError, match="files"):
        read_file_wait()
