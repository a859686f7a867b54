"""A rank's end of the process group, in a process that has not imported torch, and the stack that is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from choline_jupyter.agent.journal import JournalReader, JournalWriter
from choline_jupyter.agent.kernel.process_group import ProcessGroup, make_environment
from choline_jupyter.agent.kernel.telemetry import Telemetry, _is_told
from choline_jupyter.agent.kernel.whereabouts import Whereabouts
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.wire.record import RecordDecoder

PLAIN = """
import json, sys
from pathlib import Path
from choline_jupyter.agent.kernel.process_group import ProcessGroup
group = ProcessGroup(0, 2, Path(sys.argv[1]), lambda: None)
code = group.prepare(1, True)
group.abort("nobody comes", 0.0)
print(json.dumps([code, group.describe()["sequence"], "torch" in sys.modules]))
"""


def test_ranks_without_torch_are_plain_python(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PLAIN, str(tmp_path)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(found) == ["", -1, False]


@pytest.mark.parametrize(("gpus", "backend"), [(0, "gloo"), (1, "gloo"), (2, "cpu:gloo,cuda:nccl")])
def test_more_ranks_than_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], gpus: int, backend: str
) -> None:
    """What torch says of GPUs stands in for GPUs."""
    cuda = SimpleNamespace(is_available=lambda: gpus > 0, device_count=lambda: gpus, set_device=lambda number: None)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    group = ProcessGroup(0, 2, tmp_path, lambda: None)
    assert group._choose_backend() == backend
    told = "choline: 2 ranks and GPUs for 1: NCCL wants one each, so their process group is gloo's.\n"
    assert capsys.readouterr().err == (told if gpus == 1 else "")


def test_launchers_variables() -> None:
    made = make_environment(3, 4, 29500)
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    assert [made[name] for name in names] == ["3", "3", "4", "127.0.0.1", "29500"]


def test_who_computes_does_not_wait() -> None:
    assert Whereabouts(dict).look() == {}


def test_line_of_the_cell_that_waits(tmp_path: Path) -> None:
    """A file below torch/distributed that waits, called from a cell's third line, as another thread sees it."""
    file = str(tmp_path / "torch" / "distributed" / "distributed_c10d.py")
    release, space = threading.Event(), dict[str, Any]()
    library: dict[str, Any] = {"acquire": _lock(release)}
    exec(compile("def all_reduce():\n    acquire()\n", file, "exec"), library)
    space["all_reduce"] = library["all_reduce"]
    where, seen = Whereabouts(lambda: space), list[dict[str, Any]]()

    def watch() -> None:
        while not (found := where.look()):
            pass
        seen.append(found)
        release.set()

    threading.Thread(target=watch).start()
    exec(compile("x = 1\n\nall_reduce()", "<cell>", "exec"), space)
    assert (seen[0]["call"], seen[0]["line"]) == ("all_reduce", 3)


def _lock(release: threading.Event) -> Callable[[], bool]:
    """Something that waits without a Python frame of its own, as torch's calls do."""
    lock = threading.Lock()
    lock.acquire()

    def unlock() -> None:
        release.wait()
        lock.release()

    threading.Thread(target=unlock).start()
    return lock.acquire


def read_metrics(folder: Path) -> list[Event]:
    reader, decoder = JournalReader(folder, 1, 0), RecordDecoder(Series("s-1", 1, 1))
    events = [event for event, _ in decoder.feed(reader.read(1 << 20))]
    reader.close()
    return [event for event in events if event.kind is Kind.METRIC]


def test_short_cell_leaves_no_telemetry(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, 1)
    telemetry = Telemetry(journal, 1)
    telemetry.begin("j-1", 1)
    telemetry.end()
    journal.close()
    assert read_metrics(tmp_path) == []


def test_telemetry_of_a_cell(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, 1)
    telemetry = Telemetry(journal, 1)
    telemetry.begin("j-1", 2)
    with telemetry._lock:
        telemetry._samples.take()
    telemetry.end()
    journal.close()
    (event,) = read_metrics(tmp_path)
    fact = event.read_content()["telemetry"]
    assert (event.job, event.attempt, fact["rank"], fact["is_end"]) == ("j-1", 2, 1, True)
    assert fact["memory"] > 1 << 20


def test_each_report_has_what_was_since_the_one_before(tmp_path: Path) -> None:
    """The whole of a cell is its average and its peak; a course is drawn of what is now."""
    journal = JournalWriter(tmp_path, 1)
    telemetry = Telemetry(journal, 1)
    telemetry.begin("j-1", 1)
    with telemetry._lock:
        telemetry._samples.take()
        telemetry._tell(is_end=False)
        sum(range(3_000_000))
        telemetry._samples.take()
    telemetry.end()
    journal.close()
    first, last = (event.read_content()["telemetry"] for event in read_metrics(tmp_path))
    assert not first["is_end"]
    assert last["now"]["cpu"] > 0
    assert last["now"]["memory"] > 1 << 20
    assert last["memory"] >= first["memory"]


def test_a_cell_is_reported_often_at_first() -> None:
    assert [count for count in range(1, 51) if _is_told(count)] == [*range(2, 21, 2), 30, 40, 50]
