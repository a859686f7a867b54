"""A connection that breaks: whatever was on its way, everything arrives once and in order, and nothing runs twice."""

from __future__ import annotations

import random
import time

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.engine_client import EngineClient, read_reply, read_text
from tests.e2e.losses.tapped_transport import TappedTransport

pytestmark = pytest.mark.e2e

CUTS = 20
JOB = """
import pathlib, time
started = pathlib.Path('started')
started.write_text(started.read_text() + 'x' if started.exists() else 'x')
stop, number = pathlib.Path('stop'), 0
while not stop.exists():
    print(f'{number:06d}' + 'x' * random_length(number), flush=number % 3 == 0)
    number += 1
    time.sleep(0.0005)
print('the end', number)
"""


@pytest.mark.parametrize("seed", [random.randrange(10**6)], ids=["any"])
def test_twenty_cuts_during_one_job(home: Isolation, tap: TappedTransport, client: EngineClient, seed: int) -> None:
    dice = random.Random(seed)
    session = client.open("cut")
    job = client.start(session, "random_length = lambda number: number * 7919 % 3000\n" + JOB)
    for _ in range(CUTS):
        opened = tap.opened
        time.sleep(dice.uniform(0, 0.25))
        client.post(tap.cut)
        deadline = time.monotonic() + 30
        while tap.opened == opened and time.monotonic() < deadline:
            time.sleep(0.001)
    (home.folder / "stop").touch()
    events = client.finish(session, job)
    lines = read_text(events).splitlines()
    assert read_reply(events)["status"] == "ok"
    assert lines[-1] == f"the end {len(lines) - 1}"
    assert [line[:6] for line in lines[:-1]] == [f"{number:06d}" for number in range(len(lines) - 1)]
    assert all(len(line) == 6 + number * 7919 % 3000 for number, line in enumerate(lines[:-1]))
    assert tap.opened == CUTS + 1


@pytest.mark.parametrize("seed", [random.randrange(10**6)], ids=["any"])
def test_a_job_that_is_cut_off_as_it_is_sent_runs_once(tap: TappedTransport, client: EngineClient, seed: int) -> None:
    """Also when the next channel breaks before the agent has said a word on it."""
    dice = random.Random(seed)
    session = client.open("sent")
    client.run(session, "ran = []")
    for number in range(15):
        job = client.start(session, f"ran.append({number})")
        for _ in range(dice.randint(1, 3)):
            time.sleep(dice.choice([0, 0.001, 0.01, 0.06]))
            client.post(tap.cut)
        assert read_reply(client.finish(session, job))["status"] == "ok"
    assert client.evaluate(session, "ran == list(range(15))") == "True"
