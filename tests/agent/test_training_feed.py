"""What a kernel says of checkpoints that it cannot notice."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from choline_jupyter.agent import training_feed
from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.agent.layout import Layout
from choline_jupyter.agent.training_feed import TrainingFeed
from choline_jupyter.agent.workspace import Workspace


def test_a_user_without_inotify_left_is_told_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(root: str, apart: str) -> None:
        raise OSError(errno.EMFILE, "inotify is not available")

    monkeypatch.setattr(training_feed, "FolderWatch", refuse)
    monkeypatch.setattr(TrainingFeed, "_start", lambda feed: None)
    root = tmp_path / "project"
    root.mkdir()
    workspace = Workspace(
        Layout(str(root), str(root), False, (), ()), tmp_path / "files.json", tmp_path / "blobs", tmp_path
    )
    feed = TrainingFeed(JournalWriter(tmp_path, 0), tmp_path, tmp_path / "blobs", workspace)
    for job in ("j-1", "j-2"):
        feed.begin(job, 1, {"name": job, "codecs": ["deflate"]})
    said = b"".join(path.read_bytes() for path in tmp_path.glob("*") if path.is_file())
    assert said.count(b"max_user_instances is used up here") == 1
