"""The jobs that are not over outlive the process that took them."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.agent.job_folder import JobFolder
from choline_jupyter.wire.frame import Frame, Type


def make_frame(job: str, body: bytes = b"1+1") -> Frame:
    return Frame(Type.RUN, {"id": 3, "session": "s-one", "job": job, "attempt": 1}, body)


def test_the_next_owner_finds_them_in_order(tmp_path: Path) -> None:
    first = JobFolder(tmp_path / "jobs")
    frames = [make_frame(f"j-{number}", b"x" * number) for number in (3, 1, 2)]
    for frame in frames:
        first.put(frame)
    assert JobFolder(tmp_path / "jobs").load() == frames


def test_secrets_are_not_on_the_disk_only_that_there_were_some(tmp_path: Path) -> None:
    frame = make_frame("j-1")._replace(header={**make_frame("j-1").header, "secrets": {"MY_KEY": "very secret"}})
    JobFolder(tmp_path / "jobs").put(frame)
    assert frame.header["secrets"] == {"MY_KEY": "very secret"}
    [path] = (tmp_path / "jobs").iterdir()
    assert b"very secret" not in path.read_bytes()
    [found] = JobFolder(tmp_path / "jobs").load()
    assert found.header["secrets"] == {"MY_KEY": None}


def test_what_is_over_is_forgotten_by_either(tmp_path: Path) -> None:
    first = JobFolder(tmp_path / "jobs")
    for job in ("j-1", "j-2", "j-3"):
        first.put(make_frame(job))
    first.remove("j-1")
    second = JobFolder(tmp_path / "jobs")
    second.load()
    second.remove("j-2")
    second.remove("j-2")
    assert JobFolder(tmp_path / "jobs").load() == [make_frame("j-3")]


@pytest.mark.parametrize("kept", [0, 1, 10, 40])
def test_a_torn_file_is_no_job(tmp_path: Path, kept: int) -> None:
    first = JobFolder(tmp_path / "jobs")
    first.put(make_frame("j-1"))
    [path] = (tmp_path / "jobs").iterdir()
    path.write_bytes(path.read_bytes()[:kept])
    assert JobFolder(tmp_path / "jobs").load() == []
    assert list((tmp_path / "jobs").iterdir()) == []


def test_without_a_folder_there_is_nothing(tmp_path: Path) -> None:
    assert JobFolder(tmp_path / "jobs").load() == []


def test_where_it_cannot_be_written_the_job_is_not_stopped(tmp_path: Path) -> None:
    (tmp_path / "jobs").touch()
    folder = JobFolder(tmp_path / "jobs")
    folder.put(make_frame("j-1"))
    folder.remove("j-1")


@pytest.mark.parametrize("job", ["../x", "", "J", "a/b", 3, None])
def test_only_an_identifier_becomes_a_file_name(tmp_path: Path, job: object) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        JobFolder(tmp_path / "jobs").put(Frame(Type.RUN, {"job": job}))
