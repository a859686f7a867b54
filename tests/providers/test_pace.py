"""The limit on calls: turns lie as far apart as they must, whoever asks for them and when."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.providers.pace import Pace, find_pace


@given(st.lists(st.floats(0, 30), max_size=20), st.floats(0.1, 20))
def test_turns_lie_apart_and_nobody_waits_longer_than_needed(gaps: list[float], interval: float) -> None:
    now, turns = [0.0], []

    async def sleep(seconds: float) -> None:
        turns.append(now[0] + seconds)

    pace = Pace(interval, lambda: now[0], sleep)
    last = float("-inf")
    for gap in gaps:
        now[0] += gap
        before = len(turns)
        asyncio.run(pace.wait())
        turn = turns[-1] if len(turns) > before else now[0]
        assert turn >= last + interval - 1e-6
        assert turn <= max(now[0], last + interval) + 1e-6
        last = turn


def test_there_is_one_for_each_kind_of_call_to_an_address() -> None:
    assert find_pace("http://a", "launch", 10) is find_pace("http://a", "launch", 10)
    assert find_pace("http://a", "launch", 10) is not find_pace("http://a", "call", 10)
    assert find_pace("http://b", "launch", 10) is not find_pace("http://a", "launch", 10)
