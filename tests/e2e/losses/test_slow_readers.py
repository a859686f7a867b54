"""A reader that is slow, asleep or gone: not a line is lost, and the cell that prints does not wait for it."""

from __future__ import annotations

import time

import pytest

from tests.e2e.losses.engine_client import EngineClient, read_text

pytestmark = pytest.mark.e2e

LINES = 20_000
PRINT = f"for i in range({LINES}): print(f'{{i:06d}}' + 'x' * 2000, flush=True)"
EXPECTED = [f"{number:06d}" for number in range(LINES)]


def test_every_line_is_there_when_nobody_read_for_a_while(client: EngineClient) -> None:
    session = client.open("slow")
    job = client.start(session, PRINT)
    time.sleep(8)  # what is tested: nothing is taken out for as long
    lines = read_text(client.finish(session, job)).splitlines()
    assert [line[:6] for line in lines] == EXPECTED
    assert all(line[6:] == "x" * 2000 for line in lines)
