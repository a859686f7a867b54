"""Where packages come from: pip's configuration as pip reads it, and nothing secret on its way to another machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.index_settings import (
    read_settings,
    select_portable,
    strip_credentials,
    write_for_pip,
    write_for_uv,
)

WORDS = st.from_regex(r"[A-Za-z0-9]{4,12}", fullmatch=True)


def test_files_and_variables_count_as_with_pip(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://one.example/simple\nextra-index-url =\n    https://two.example/simple\n"
        "    https://three.example/simple\n[install]\nindex-url = https://four.example/simple\n[list]\nformat = columns\n"
    )
    environment = {"PIP_CONFIG_FILE": str(config), "PIP_TRUSTED_HOST": "one.example", "HOME": str(tmp_path)}
    found = read_settings(environment)
    assert found["index-url"] == ["https://four.example/simple"]
    assert found["extra-index-url"] == ["https://two.example/simple", "https://three.example/simple"]
    assert found["trusted-host"] == ["one.example"]
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "install.index-url='https://four.example/simple'" in told


def test_a_damaged_file_is_passed_over(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("index-url = nothing\n[")
    assert "index-url" not in read_settings({"PIP_CONFIG_FILE": str(config), "HOME": str(tmp_path)})


def test_no_configuration_at_all() -> None:
    assert read_settings({"PIP_CONFIG_FILE": os.devnull}) == {}


def test_only_what_means_the_same_elsewhere_goes() -> None:
    portable = select_portable({
        "index-url": ["https://anna:secret@private.example/simple"],
        "extra-index-url": ["file:///opt/simple", "http://localhost:3141/root", "http://127.0.0.1/simple", "https://b.example"],
        "find-links": ["/opt/wheels", "https://c.example/wheels"],
        "trusted-host": ["private.example", "localhost"],
        "cert": ["/etc/ssl/own.pem"],
        "no-index": ["1"],
    })  # fmt: skip
    assert portable == {
        "index-url": ["https://private.example/simple"],
        "extra-index-url": ["https://b.example"],
        "find-links": ["https://c.example/wheels"],
        "trusted-host": ["private.example"],
    }
    assert write_for_pip(portable)["PIP_INDEX_URL"] == "https://private.example/simple"
    assert write_for_uv(portable)["UV_DEFAULT_INDEX"] == "https://private.example/simple"


@given(
    WORDS, WORDS, st.sampled_from(["index-url", "extra-index-url", "find-links"]), st.sampled_from(["https", "http"])
)
def test_a_password_never_goes(user: str, password: str, key: str, scheme: str) -> None:
    url = f"{scheme}://{user}:{password}@{user}:{password}@host.example/simple"
    assert f"{user}:{password}" not in str(select_portable({key: [url]}))


def test_texts_are_cleaned_too() -> None:
    text = "a @ git+https://anna:token@host.example/a.git, b @ git+ssh://git@host.example/b.git"
    assert strip_credentials(text) == "a @ git+https://host.example/a.git, b @ git+ssh://git@host.example/b.git"


@given(st.lists(st.text()))
def test_any_words_are_taken(words: list[str]) -> None:
    select_portable({"index-url": words, "find-links": words})
