"""Wheels for other machines: what a machine may say of itself, and what is asked of the indexes for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.errors import EnvironmentFailed
from choline_jupyter.model.environment import Target
from choline_jupyter.session.wheels import fetch_wheels, list_platforms, name_platform, read_target

OLD = Target("3.9", "x86_64", ("glibc", "2.31"))


def test_what_a_machine_says_is_read() -> None:
    assert read_target(OLD.to_json()) == OLD


@pytest.mark.parametrize(
    "change",
    [
        {"python": "3.9; rm -rf /"},
        {"python": "2.7"},
        {"python": None},
        {"machine": "--index-url=http://elsewhere"},
        {"machine": "riscv"},
        {"libc": ["glibc", "2.31 --extra"]},
        {"libc": ["glibc"]},
        {"libc": []},
    ],
)
def test_nonsense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(EnvironmentFailed) as caught:
        read_target({**OLD.to_json(), **change})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("libc", "name"),
    [
        (("glibc", "2.31"), "x86_64-manylinux_2_31"),
        (("glibc", "2.30"), "x86_64-manylinux_2_28"),
        (("glibc", "2.12"), "x86_64-manylinux_2_17"),
        (("glibc", "2.99"), "x86_64-manylinux_2_40"),
        (("musl", "1.2"), "x86_64-unknown-linux-musl"),
    ],
)
def test_the_platform_is_the_newest_that_it_can_run(libc: tuple[str, str], name: str) -> None:
    assert name_platform(OLD._replace(libc=libc)) == name


def test_a_machine_takes_every_older_tag() -> None:
    tags = list(list_platforms(OLD))
    assert tags[0] == "manylinux_2_31_x86_64"
    assert {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64", "linux_x86_64"} < set(tags)
    assert "manylinux_2_32_x86_64" not in tags


@pytest.mark.e2e
def test_markers_are_those_of_the_other_python(tmp_path: Path) -> None:
    """Python 3.9 needs what this one has built in, and an ipykernel that still runs on it."""
    names = [wheel.name for wheel in asyncio.run(fetch_wheels(OLD, (), tmp_path)).wheels]
    distributions = {name.partition("-")[0] for name in names}
    assert {"ipykernel", "ipython", "pip", "installer", "exceptiongroup", "importlib_metadata"} <= distributions
    assert any("cp39" in name or "abi3" in name for name in names if name.startswith("pyzmq-"))


@pytest.mark.e2e
def test_a_package_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="could not be fetched here") as caught:
        asyncio.run(fetch_wheels(OLD, ("choline-has-no-such-package==1.0",), tmp_path))
    assert "choline-has-no-such-package" in str(caught.value)
