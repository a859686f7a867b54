"""What goes wrong around money, on the command line: one sentence what, one what to do, what still costs money; no stack.

All the while a machine of this ledger runs, which each of the errors has to name.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from choline_jupyter.ledger.event_store import EventStore
from choline_jupyter.ledger.ledger import FILE_NAME
from choline_jupyter.model.instance import InstanceRow, InstanceState
from choline_jupyter.model.offer import GIB, Offer, Price
from choline_jupyter.model.session import SessionRow, SessionState, Trust
from choline_jupyter.session.rent.fleet import Fleet
from tests.e2e.kernels.isolation import Isolation
from tests.fakes.cloud import Cloud
from tests.fakes.lambda_cloud import LambdaCloud
from tests.fakes.runpod import RunPodCloud
from tests.small_disk import fill, mount_disk

pytestmark = pytest.mark.e2e

LINE = ("--gpu", "a100", "--provider", "runpod", "--budget", "2", "--yes")
RUNS = "1x A100 on runpod, 1.20 USD/h"


class User:
    """Somebody with two fake providers and a machine that runs, who types commands."""

    def __init__(self, home: Isolation, clouds: dict[str, Cloud]) -> None:
        self.home, self.clouds = home, clouds
        self.data = Path(home.environment["CHOLINE_HOME"])
        self.fakes = home.folder / "fakes.json"
        self.offer(*clouds)
        (home.folder / "job.py").write_text("print('ran')\n")
        fleet = Fleet(self.data)
        row = InstanceRow(
            "i-1", "runpod", fleet.make_label(), "s-1", Offer("runpod", "x", "A100", 1, price=Price(1.2)).to_json(),
            "pod-1", InstanceState.READY, time.time(), budget=2.0, deadline_at=time.time() + 28_800, disk=GIB, absences=0,
        )  # fmt: skip
        fleet.ledger.record_intent(row)
        fleet.ledger.money.note_rate(row.id, fleet.clock(), 1.2, 0.0)
        fleet.close()
        store = EventStore(self.data)
        store.save_session(
            SessionRow("s-1", "book", "runpod", row.label, "/", 1, SessionState.READY, time.time(), Trust.RENTED)
        )
        store.close()

    def offer(self, *names: str) -> None:
        """These providers are there, and no others."""
        self.fakes.write_text(json.dumps({name: self.clouds[name].tell() for name in names}))
        self.home.environment["CHOLINE_FAKE_CLOUD"] = str(self.fakes)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "choline_jupyter", *arguments]
        return subprocess.run(
            command, cwd=self.home.folder, env=self.home.environment, capture_output=True, text=True, check=False
        )

    def fail(self, *arguments: str) -> list[str]:
        """The lines of an error, without those that say what is waited for."""
        ran = self.run("job.py", *arguments)
        assert ran.returncode != 0, ran.stdout
        assert "ran" not in ran.stdout
        assert "Traceback" not in ran.stderr
        return [line for line in ran.stderr.splitlines() if not line.startswith(("choline:", "\r"))]

    def close(self) -> None:
        """The keeper stays as long as a machine may run, and this one never ends."""
        for process in self.home.find_processes():
            process.kill()
        for cloud in self.clouds.values():
            cloud.close()
        self.home.close()


@pytest.fixture
def user() -> Iterator[User]:
    made = User(Isolation(), {"lambda": LambdaCloud(), "runpod": RunPodCloud()})
    yield made
    made.close()


@pytest.mark.parametrize(
    ("arguments", "what", "next_step"),
    [
        (("--gpu", "rtx3091", "--budget", "2"), "There is no GPU 'rtx3091'", "RTX 3090"),
        (("--gpu", "a100"), "A rented machine needs a budget.", "--budget USD"),
        (("--gpu", "a100", "--budget", "0"), "no amount of money", "Write USD like 5 or 0.50."),
        (("--gpu", "a100", "--budget=-3"), "no amount of money", "Write USD like 5 or 0.50."),
        (("--gpu", "a100", "--provider", "nobody", "--budget", "2"), "There is no provider 'nobody'.", "Installed are"),
        ((*LINE, "--max-price", "0.01"), "No offer fits.", "under 0.01 USD/h"),
    ],
)
def test_what_makes_no_sense(user: User, arguments: tuple[str, ...], what: str, next_step: str) -> None:
    lines = user.fail(*arguments)
    assert what in lines[0]
    assert next_step in lines[1]
    assert lines[2:] == [f"Still costing money: {RUNS}."]
    assert all(not cloud.rentals for cloud in user.clouds.values())


def test_no_provider_is_configured(user: User) -> None:
    user.offer()
    lines = user.fail("--gpu", "a100", "--budget", "2", "--yes")
    assert lines[0] == "No provider is configured."
    assert "choline login PROVIDER" in lines[1]
    assert lines[2:] == [f"Still costing money: {RUNS}."]


def test_the_provider_that_is_asked_for_has_no_key(user: User) -> None:
    user.offer()
    lines = user.fail("--gpu", "a100", "--budget", "2", "--yes", "--provider", "lambda")
    assert lines[0] == "The provider lambda is not ready."
    assert "set LAMBDA_API_KEY" in lines[1]


@pytest.mark.parametrize(("call", "kind"), [("offers", "401"), ("list", "401"), ("create", "401")])
def test_a_key_that_is_wrong_or_revoked_on_the_way(user: User, call: str, kind: str) -> None:
    user.clouds["runpod"].fail(call, kind, 99)
    text = "\n".join(user.fail(*LINE))
    assert "runpod" in text
    assert "key" in text
    assert f"Still costing money: {RUNS}" in text
    assert not user.clouds["runpod"].rentals


@pytest.mark.parametrize("kind", ["shape", "500"])
def test_a_listing_that_cannot_be_read_is_not_nothing(user: User, kind: str) -> None:
    user.clouds["runpod"].fail("list", kind, 99)
    text = "\n".join(user.fail(*LINE))
    assert "could not be listed" in text
    assert f"Still costing money: {RUNS}" in text
    assert not user.clouds["runpod"].rentals
    told = user.run("status").stdout
    assert "! runpod:" in told
    assert RUNS in told, "what was known last is shown"


def test_a_key_revoked_while_a_machine_runs(user: User) -> None:
    """It cannot be ended from here: that is said with the reason, and that it still costs money."""
    for call in ("list", "destroy", "describe"):
        user.clouds["runpod"].fail(call, "401", 99)
    told = user.run("stop", "--yes").stdout
    assert "a machine is not known to be gone yet" in told
    assert f"still costing money: {RUNS}." in told
    assert "! runpod: " in told
    assert "key" in told.partition("! runpod: ")[2]
    told = user.run("gc", "--yes").stdout
    assert "Nothing is known of what runs there" in told
    assert RUNS in told


def test_a_ledger_that_is_locked(user: User) -> None:
    connection = sqlite3.connect(user.data / FILE_NAME, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    lines = user.fail(*LINE)
    connection.close()
    assert "is locked by another program." in lines[0]
    assert lines[1] == "Close that program, then run this again."
    assert lines[2] == f"Still costing money: {RUNS}.", "a locked one can be read"
    assert not user.clouds["runpod"].rentals


def test_a_ledger_of_a_newer_choline(user: User) -> None:
    connection = sqlite3.connect(user.data / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    lines = user.fail(*LINE)
    assert "belongs to a newer choline" in lines[0]
    assert "pip install -U choline-jupyter" in lines[1]
    assert lines[2].startswith("Still costing money: what the ledger would tell, which cannot be read")
    assert not user.clouds["runpod"].rentals


@pytest.mark.kernel_feature
def test_a_full_disk(user: User) -> None:
    """The intent cannot be written down, so nobody is asked for a machine."""
    kept = (user.data / FILE_NAME).read_bytes()
    with mount_disk(user.data, 2) as disk:
        (disk / FILE_NAME).write_bytes(kept)
        fill(disk)
        lines = user.fail(*LINE)
        assert "is full" in lines[0]
        assert lines[1] == "Free some space there, then run this again."
        assert lines[2].startswith("Still costing money: ")
        assert not user.clouds["runpod"].rentals
