"""The ledger: what was asked for is known, whatever dies when."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.ledger.ledger import Ledger
from choline_jupyter.ledger.trouble import StoreError
from choline_jupyter.model.instance import InstanceState
from tests.ledger.samples import kill_and_read, make_instance, start_program

RECORD = """
import sys, pathlib, time
from choline_jupyter.ledger.ledger import Ledger
from tests.ledger.samples import make_instance
ledger = Ledger(pathlib.Path(sys.argv[1]))
for number in range(1_000_000):
    ledger.record_intent(make_instance(f"i-{sys.argv[2]}-{number}"))
    print(number, flush=True)
    time.sleep(0.001)  # SQLite's locks are not fair: without a pause the other writer would starve
"""


def test_an_intent_is_kept(tmp_path: Path) -> None:
    instance = make_instance()
    ledger = Ledger(tmp_path)
    ledger.record_intent(instance)
    ledger.close()
    again = Ledger(tmp_path)
    assert again.list_instances() == [instance]
    assert again.notice == ""
    again.close()


def test_a_commit_is_on_the_disk(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger._database.fetch("PRAGMA synchronous") == [(2,)]  # FULL: a power cut takes nothing back
    ledger.close()


def test_an_instance_lives_and_ends(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record_intent(make_instance())
    ledger.update_instance("i-one", InstanceState.CREATING)
    ledger.update_instance("i-one", InstanceState.BOOTING, handle="4711")
    ledger.update_instance("i-one", InstanceState.READY)
    (ready,) = ledger.list_instances(open_only=True)
    assert (ready.state, ready.handle, ready.ended_at) == (InstanceState.READY, "4711", None)
    ledger.update_instance("i-one", InstanceState.GONE)
    assert ledger.list_instances(open_only=True) == []
    (gone,) = ledger.list_instances()
    assert gone.ended_at is not None
    assert gone.ended_at >= gone.created_at
    ledger.close()


def test_what_is_gone_stays_gone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record_intent(make_instance())
    ledger.update_instance("i-one", InstanceState.GONE)
    ended_at = ledger.list_instances()[0].ended_at
    ledger.update_instance("i-one", InstanceState.GONE)
    with pytest.raises(StoreError, match="gone"):
        ledger.update_instance("i-one", InstanceState.READY)
    assert ledger.list_instances()[0].state is InstanceState.GONE
    assert ledger.list_instances()[0].ended_at == ended_at
    ledger.close()


def test_an_unknown_instance_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with pytest.raises(StoreError, match="i-none"):
        ledger.update_instance("i-none", InstanceState.READY)
    ledger.close()


def test_a_label_is_never_used_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record_intent(make_instance())
    ledger.update_instance("i-one", InstanceState.GONE)
    with pytest.raises(StoreError, match="choline-i-one"):
        ledger.record_intent(make_instance())
    assert len(ledger.list_instances()) == 1
    ledger.close()


def test_every_recorded_intent_outlives_its_killed_writers(tmp_path: Path) -> None:
    """Two writers at a time, killed in mid-work: what either was told is committed is there."""
    promised = set()
    for names in (("a", "b"), ("c", "d"), ("e", "f")):
        writers = {name: start_program(RECORD, tmp_path, name) for name in names}
        for name, writer in writers.items():
            promised |= {f"i-{name}-{line.strip()}" for line in kill_and_read(writer, lines=20)}
    ledger = Ledger(tmp_path)
    recorded = {instance.id for instance in ledger.list_instances(open_only=True)}
    assert len(promised) >= 120
    assert promised <= recorded
    assert len(recorded) <= len(promised) + 6  # what was committed and could not be told any more
    assert ledger.notice == ""
    ledger.close()
