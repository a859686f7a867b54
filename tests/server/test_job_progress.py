"""How far a job is: what its code logs counts more than what it prints; what is not known is not said."""

from __future__ import annotations

import json
from typing import Any

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.server.job_progress import describe_progress


def log(seq: int, **fact: Any) -> Event:
    return Event(Series("s", 1, 0), seq, Kind.METRIC, "j", 1, float(seq), content=json.dumps(fact).encode())


def test_logged_steps_give_place_course_and_time_left() -> None:
    logged = [log(seq, step=seq, total=10, metrics={"loss": 10 - seq, "mfu": 0.4}) for seq in range(1, 6)]
    told = describe_progress(logged, "step 9/9 loss 77\n")
    assert told["progress"] == {"done": 5, "total": 10, "left": 5.0, "rate": ""}
    assert told["losses"] == [9, 8, 7, 6, 5]
    assert told["mfu"] == 0.4


def test_without_logs_the_output_is_read() -> None:
    told = describe_progress([], "step 3/10 loss 2.5 mfu 41.3%\n")
    assert (told["progress"]["done"], told["losses"], told["mfu"]) == (3, [2.5], 0.413)


def test_nothing_is_guessed() -> None:
    assert describe_progress([], "hello\n") == {"progress": None, "losses": [], "mfu": None}
    assert describe_progress([log(1, metrics={"mfu": 7e9})], "mfu 900%")["mfu"] is None


def test_percent_is_a_share_and_a_long_course_is_thinned_to_its_end() -> None:
    logged = [log(seq, step=seq, metrics={"loss": float(seq), "mfu": 38.0}) for seq in range(1, 1001)]
    told = describe_progress(logged, "")
    assert told["mfu"] == 0.38
    assert len(told["losses"]) <= 120
    assert told["losses"][-1] == 1000
