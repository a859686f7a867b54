"""A connection that breaks: whatever was on its way, everything arrives once and in order, and nothing runs twice."""

from __future__ import annotations

import random
import time

import pytest

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.losses.agent_processes import wait_until
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


def wait_for_channel(tap: TappedTransport, opened: int) -> None:
    wait_until(lambda: tap.opened > opened)


def wait_for_events(tap: TappedTransport, came: int) -> None:
    wait_until(lambda: tap.list_types("received").count("EVENTS") > came)


@pytest.mark.parametrize("seed", [random.randrange(10**6)], ids=["any"])
def test_twenty_cuts_during_one_job(home: Isolation, tap: TappedTransport, client: EngineClient, seed: int) -> None:
    dice = random.Random(seed)
    session = client.open("cut")
    job = client.start(session, "random_length = lambda number: number * 7919 % 3000\n" + JOB)
    for number in range(CUTS):
        opened, came = tap.opened, tap.list_types("received").count("EVENTS")
        time.sleep(dice.uniform(0, 0.25))
        if number % 2:  # a channel that brings nothing makes the next one come later and later
            wait_for_events(tap, came)
        client.post(tap.cut)
        wait_for_channel(tap, opened)
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
