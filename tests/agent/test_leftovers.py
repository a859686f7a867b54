"""What a session's earlier epoch has left on a machine that was started anew gives way; what was there before it stays."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from choline_jupyter.agent.contents import Contents
from choline_jupyter.agent.layout import Layout, Layouts
from choline_jupyter.agent.leftovers import clear_leftovers, note_ended
from choline_jupyter.agent.place import Place
from choline_jupyter.agent.retention import Retention
from choline_jupyter.agent.supervisor import Supervisor
from choline_jupyter.agent.workspace import INDEX, Workspace


class Agent(SimpleNamespace):
    """As much of a supervisor as is asked for."""

    def __init__(self, folder: Path) -> None:
        place = Place(str(folder / "home"))
        layouts = Layouts(place.home / "workspaces")
        super().__init__(
            place=place, layouts=layouts, retention=Retention(place.home / "sessions"), sessions={},
            directory=place.find_session("s-1"), project=folder / "project",
        )  # fmt: skip
        self.directory.mkdir(parents=True)
        self.project.mkdir()

    def end(self, layout: Layout | None, epoch: int = 1) -> None:
        (self.directory / "r0.1.seg").write_bytes(b"what was put out")
        note_ended(self.directory, {"epoch": epoch, "layout": layout._asdict() if layout else None})

    def clear(self, epoch: int) -> None:
        clear_leftovers(cast("Supervisor", self), {"session": "s-1", "epoch": epoch})


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def test_a_later_epoch_finds_nothing_of_it(agent: Agent) -> None:
    root = agent.layouts.find("s-1") / "root"
    root.mkdir(parents=True)
    (root / "made").write_text("by a job")
    agent.retention.acknowledge("s-1", 0, 7)
    agent.end(Layout(str(agent.project), str(root), True))
    (agent.project / "mine").write_text("of the machine: it is only hidden by the workspace")
    agent.clear(2)
    assert not agent.directory.exists()
    assert not root.exists()
    assert (agent.project / "mine").exists()
    assert agent.retention._load("s-1") == {}


@pytest.mark.parametrize("epoch", [1, 2])
def test_what_has_ended_in_this_epoch_or_a_later_one_stays_ended(agent: Agent, epoch: int) -> None:
    agent.end(None, epoch=2)
    agent.clear(epoch)
    assert (agent.directory / "r0.1.seg").exists()


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"epoch": "x", "layout": null}'])
def test_where_nothing_is_known_nothing_is_touched(agent: Agent, text: str | None) -> None:
    if text is not None:
        (agent.directory / "ended.json").write_text(text)
    agent.clear(9)
    assert agent.directory.exists()


def test_one_that_lives_is_not_touched(agent: Agent) -> None:
    agent.end(None)
    agent.sessions["s-1"] = object()
    agent.clear(2)
    assert agent.directory.exists()


def test_at_a_path_of_the_machine_s_own_only_what_was_there_before_stays(agent: Agent) -> None:
    """Where a machine allows no mounts the project is at its path: files of before, sent ones, some made by jobs."""
    (agent.project / "before").write_text("us")
    layout = Layout(str(agent.project), str(agent.project))
    workspace = Workspace(layout, agent.directory / INDEX, agent.place.home / "blobs", agent.layouts.find("s-1"))
    (agent.project / "collected").write_text("made by a job that has ended")
    workspace.collect()
    (agent.project / "data").mkdir()
    large = agent.project / "data/large"
    large.write_bytes(b"sent")
    digest = hashlib.sha256(b"sent").hexdigest()
    Contents(agent.place.home).note(digest, str(large))
    (agent.project / "half").write_text("made by the job that was running")
    index: dict[str, Any] = json.loads((agent.directory / INDEX).read_text())
    assert set(index[str(agent.project)]) == {"before", "collected"}
    agent.end(layout)
    agent.clear(2)
    assert [path.name for path in agent.project.rglob("*") if path.is_file()] == ["before"]
    assert Contents(agent.place.home).has(digest)  # it is not sent again
