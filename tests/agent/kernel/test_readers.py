"""Readers of all kinds find files that nobody foresaw: each in a process of its own, in a folder that is empty."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.file_pair import SHIM, FilePair
from tests.agent.kernel.reader_table import MAKE, READERS, Reader
from tests.source_tree import ROOT

pytestmark = pytest.mark.timeout(180)

HOST = Path(__file__).with_name("reader_host.py")
BY_HOOK = [reader for reader in READERS if reader.by_hook]


class ReaderHost:
    """Runs programs in forks of one process."""

    def __init__(self) -> None:
        quiet = {
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HF_HUB_OFFLINE": "1",
            "LD_PRELOAD": str(SHIM),
        }
        self._process = subprocess.Popen(
            [sys.executable, str(HOST)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **quiet},
        )

    def run(self, folder: Path, code: str, files: dict[str, Any] | None = None, *, hook: bool = False) -> str:
        """The last lines of what went wrong; empty when nothing did."""
        assert self._process.stdin
        assert self._process.stdout
        wish = {"folder": str(folder), "code": code, "files": files, "hook": hook}
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        answer: str = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def host() -> Iterator[ReaderHost]:
    made = ReaderHost()
    yield made
    made.close()


@pytest.fixture(scope="module")
def samples(host: ReaderHost, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    assert host.run(folder, MAKE) == ""
    return folder


@pytest.fixture
def pair(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FilePair]:
    made = FilePair(tmp_path)
    shutil.copytree(samples, made.here, dirs_exist_ok=True)
    yield made
    made.close()


def describe(pair: FilePair, preload: str) -> dict[str, Any]:
    return {
        "socket": str(pair.socket),
        "roots": [str(pair.there)],
        "except": [sys.prefix, sys.base_prefix],
        "preload": preload,
    }


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_the_shim_serves(reader: Reader, host: ReaderHost, pair: FilePair) -> None:
    assert host.run(pair.there, reader.code, describe(pair, str(SHIM))) == ""
    assert pair.asked


@pytest.mark.parametrize("reader", BY_HOOK, ids=lambda reader: reader.name)
def test_the_hook_serves(reader: Reader, host: ReaderHost, pair: FilePair) -> None:
    assert host.run(pair.there, reader.code, describe(pair, ""), hook=True) == ""
    assert pair.asked


def test_nothing_works_without(host: ReaderHost, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    works = [reader.name for reader in READERS if not host.run(tmp_path, reader.code)]
    assert works == []


def test_there_are_as_many_as_promised() -> None:
    assert len({reader.name for reader in READERS}) == len(READERS) >= 60
    assert len(BY_HOOK) >= 40
