"""What a job prints of its progress, read while it runs."""

from __future__ import annotations

import json
import select

from choline_jupyter.agent.progress_feed import ProgressFeed
from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.session.progress_record import read_progress


def message(text: str) -> bytes:
    return json.dumps({"name": "stdout", "text": text}).encode()


def is_readable(feed: ProgressFeed) -> bool:
    return bool(select.select([feed.fileno()], [], [], 0)[0])


def test_lines_become_points_and_the_next_ones_wait() -> None:
    feed = ProgressFeed()
    assert not is_readable(feed)
    feed.hear("", message("step 1/9 loss 0.5 lr 1e-3\nstep 2/9 "))
    feed.hear("", message("loss nan\nand other things\n"))
    assert is_readable(feed)
    points = feed.collect()
    assert [point[:4] for point in points] == [[1, 9, None, None], [2, 9, None, None]]
    assert points[0][4] == {"loss": 0.5, "lr": 0.001}
    assert points[1][4] == {"loss": "nan"}
    json.loads(json.dumps(points, allow_nan=False))
    assert 0.0 < feed.find_pause() <= 1.0
    assert not is_readable(feed)


def test_nothing_told_is_no_pause() -> None:
    feed = ProgressFeed()
    feed.hear("stdout", "hello\n")
    assert feed.collect() == []
    assert feed.find_pause() == 0.0


def test_the_last_line_needs_no_end() -> None:
    feed = ProgressFeed()
    feed.hear("stdout", "epoch 3 loss 0.25")
    assert feed.collect() == []
    assert feed.close()[0][2:5] == [3.0, None, {"loss": 0.25}]


def test_more_than_can_be_read_passes_over_the_oldest_and_joins_nothing() -> None:
    feed = ProgressFeed()
    feed.hear("stdout", "step 7")
    for step in range(20_000):
        feed.hear("stdout", f"step {step} loss 1.0\n")
    points = feed.collect()
    assert len(points) == 20
    assert points[-1][0] == 19_999
    assert points[0][0] > 10_000


def test_another_job_begins_anew() -> None:
    feed = ProgressFeed()
    feed.hear("stdout", "step 7 loss 1.0\n")
    feed.begin()
    assert feed.collect() == []


def test_home_reads_what_was_told() -> None:
    feed = ProgressFeed()
    for step in range(3):
        feed.hear("stdout", f"epoch 1/2 step {step}/3 loss {1.0 - step / 10}\n")
    content = json.dumps({"points": feed.close()}).encode()
    event = Event(Series("s-1", 1, 0), 1, Kind.PROGRESS, "j-1", 1, 5.0, content=content)
    progress = read_progress([event])
    assert (progress.find_last("step"), progress.find_last("epochs")) == (2, 2)
    assert progress.list_values() == [1.0, 0.9, 0.8]
