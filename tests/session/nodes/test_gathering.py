"""Parts of checkpoints from several machines: what is whole, what a machine lacks, what is kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from choline_jupyter.errors import CorruptBlob
from choline_jupyter.session.nodes import gathering
from choline_jupyter.session.nodes.gathering import Gathering, read_names


class Bulk:
    """Where `connection` is a machine's files by path, as they are when they are asked for."""

    def __init__(self, connection: dict[str, bytes]) -> None:
        self._files = connection

    async def get_file(self, place: dict[str, str], digest: str, size: int, path: Path) -> None:
        data = self._files[place["path"]]
        if (len(data), hashlib.sha256(data).hexdigest()) != (size, digest):
            raise CorruptBlob("It is another one.", "Ask again.")
        path.write_bytes(data)


class Machine:
    """A node as far as the gathering sees it."""

    def __init__(self, name: str) -> None:
        self.machine, self.files = name, dict[str, str]()
        self.disk: dict[str, bytes] = {}
        self.session: Any = type("Session", (), {"connection": self.disk, "row": type("Row", (), {"id": f"s-{name}"})})

    def write(self, path: str, data: bytes) -> dict[str, Any]:
        self.disk[path] = data
        return {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


class World:
    """Two machines and a gathering."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        self.gathering = Gathering(self.root, folder / "inbox", "j-1", "last=2", lambda: {"code_digest": "c"})
        self.one, self.two = Machine("one"), Machine("two")
        self.loop = asyncio.new_event_loop()

    def tell(self, *told: tuple[Machine, dict[str, Any]]) -> None:
        """Have parts announced, and wait until they are here."""

        async def take() -> None:
            for machine, fact in told:
                self.gathering.take(machine, fact)  # type: ignore[arg-type]
            await self.gathering.settle([self.one, self.two])  # type: ignore[list-item]

        self.loop.run_until_complete(take())

    def save(self, step: int, text: str = "") -> list[tuple[Machine, dict[str, Any]]]:
        """A checkpoint of both: what each tells of it, in the order in which it is written."""
        names = ["__0_0.distcp", "__1_0.distcp"]
        return [
            (self.one, self.one.write(f"saved/{step}/{names[0]}", f"a{step}{text}".encode())),
            (self.two, self.two.write(f"saved/{step}/{names[1]}", f"b{step}{text}".encode())),
            (self.one, self.one.write(f"saved/{step}/.metadata", pickle.dumps({"files": names, "step": step}))),
        ]

    def list_whole(self) -> list[str]:
        return sorted(self.gathering.list_files())

    def find_lack(self, machine: Machine) -> tuple[list[str], list[str]]:
        remove, lacking = self.gathering.find_lack(machine)  # type: ignore[arg-type]
        return remove, sorted(lacking)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(gathering, "Bulk", Bulk)
    made = World(tmp_path)
    yield made
    made.loop.run_until_complete(made.loop.shutdown_default_executor())
    made.loop.close()


def list_parts(step: int) -> list[str]:
    return [f"saved/{step}/.metadata", f"saved/{step}/__0_0.distcp", f"saved/{step}/__1_0.distcp"]


def test_it_is_whole_when_the_last_part_is_here_in_any_order(world: World) -> None:
    for last in range(3):
        told = world.save(last)
        before = world.list_whole()
        world.tell(*told[:last], *told[last + 1 :])
        assert world.list_whole() == before
        world.tell(told[last])
        assert world.list_whole()[-3:] == list_parts(last)


def test_what_did_not_become_whole_goes_and_the_last_whole_one_comes(world: World) -> None:
    world.tell(*world.save(1))
    world.tell(*world.save(3)[:1])
    assert world.find_lack(world.one) == (["saved/3/__0_0.distcp"], ["saved/1/__1_0.distcp"])
    assert world.find_lack(Machine("new")) == ([], list_parts(1))


def test_who_has_all_lacks_nothing(world: World) -> None:
    world.tell(*world.save(1))
    for path, part in world.gathering.list_files().items():
        world.one.files[path] = part.digest
    assert world.find_lack(world.one) == ([], [])


def test_directory_that_is_written_again_is_whole_only_in_one_version(world: World) -> None:
    world.tell(*world.save(1, "first"))
    again = world.save(1, "again")
    world.tell(*again[:1])
    assert world.find_lack(world.one) == (["saved/1/__0_0.distcp"], ["saved/1/__0_0.distcp", "saved/1/__1_0.distcp"])
    first = world.gathering.list_files()["saved/1/__0_0.distcp"]
    assert world.gathering.find_piece(first).read_bytes() == b"a1first"
    world.tell(*again[1:])
    parts = world.gathering.list_files()
    assert [world.gathering.find_piece(parts[path]).read_bytes() for path in list_parts(1)[1:]] == [
        b"a1again",
        b"b1again",
    ]


def test_kept_at_home_with_a_record(world: World) -> None:
    for step in (1, 3, 5):
        world.tell(*world.save(step))
    folder = world.root / "checkpoints/j-1"
    assert sorted(path.name for path in (folder / "000003-5").iterdir()) == [
        ".metadata",
        "__0_0.distcp",
        "__1_0.distcp",
    ]
    record = json.loads((folder / "000003-5.json").read_text())
    assert (record["source"], record["job"], record["code_digest"]) == ("saved/5", "j-1", "c")


def test_only_what_may_be_needed_stays_in_the_inbox(world: World, tmp_path: Path) -> None:
    for step in range(6):
        world.tell(*world.save(step))
    assert len(list((tmp_path / "inbox").iterdir())) == 2 * 3
    assert world.list_whole() == [*list_parts(4), *list_parts(5)]


def test_single_files_are_whole_by_themselves(world: World) -> None:
    world.tell((world.one, world.one.write("model.pt", b"one")))
    world.tell((world.one, world.one.write("model.pt", b"two")))
    assert world.gathering.find_piece(world.gathering.list_files()["model.pt"]).read_bytes() == b"two"
    assert world.find_lack(Machine("new")) == ([], ["model.pt"])
    world.two.files["model.pt"] = "another one"
    assert world.find_lack(world.two) == (["model.pt"], ["model.pt"])


def test_file_that_changes_before_it_is_fetched_is_left_to_the_next_announcement(world: World) -> None:
    told = world.one.write("model.pt", b"one")
    world.one.write("model.pt", b"two")
    world.tell((world.one, told))
    assert world.list_whole() == []
    assert world.gathering.notices == []


@pytest.mark.parametrize(
    "fact", [{}, {"path": "../x", "size": 1, "sha256": "0" * 64}, {"path": "x.pt", "size": -1, "sha256": "0" * 64},
             {"path": "x.pt", "size": 1, "sha256": "no"}],
)  # fmt: skip
def test_what_cannot_be_read_is_not_taken(world: World, fact: dict[str, Any]) -> None:
    world.tell((world.one, fact))
    assert world.list_whole() == []
    assert world.gathering.notices == ["one told of a checkpoint in a way that cannot be read"]


def test_names_in_a_pickle_are_read_without_running_it(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path(tmp_path / "touched").touch, ()

    path = tmp_path / ".metadata"
    path.write_bytes(pickle.dumps(["__0_0.distcp", Evil(), "../__1_0.distcp", "__2_0.distcp"]))
    assert list(read_names(path)) == ["__0_0.distcp", "__2_0.distcp"]
    assert not (tmp_path / "touched").exists()
    path.write_bytes(b"no pickle")
    assert list(read_names(path)) == []


def test_names_that_a_kept_checkpoint_cannot_have(world: World) -> None:
    world.tell((world.one, world.one.write("out/my model (1).pt", b"one")))
    assert world.gathering.notices == []
    assert [path.name for path in (world.root / "checkpoints/j-1").glob("*.json")] == ["000001-my_model__1_.pt.json"]
