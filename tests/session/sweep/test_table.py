"""The table of a sweep, its summary and its names."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.event import Event, Kind, Series
from choline_jupyter.model.job import JobState
from choline_jupyter.session.sweep.grid import describe, read_description
from choline_jupyter.session.sweep.job import SweepJob, find_best
from choline_jupyter.session.sweep.table import render_html, render_text, summarize


def make_event(kind: Kind, content: dict[str, Any]) -> Event:
    return Event(Series("s-1", 1, 0), 1, kind, "j-1", 1, 1.0, content=json.dumps(content).encode())


def make_jobs() -> list[SweepJob]:
    jobs = [SweepJob(number, {"lr": 0.1 * number}, "", f"j-{number}") for number in (1, 2, 3)]
    for job, loss in zip(jobs, (0.5, 0.25, None), strict=True):
        if loss:
            job.read(make_event(Kind.METRIC, {"step": 7, "metrics": {"loss": loss, "acc": 1 - loss}}))
            job.end(JobState.DONE)
    jobs[2].end(JobState.FAILED, "<b>ValueError: boom")
    return jobs


def test_summary_names_the_best() -> None:
    assert summarize(make_jobs()) == "2 done, 1 failed; best loss 0.25 with lr=0.2"


def test_best_by_another_metric() -> None:
    jobs = make_jobs()
    assert find_best(jobs, "acc", largest=True) is jobs[1]
    assert find_best(jobs, "acc") is jobs[0]
    assert find_best(jobs, "psnr") is None


def test_result_counts_where_there_is_no_loss() -> None:
    job = SweepJob(1, {"lr": 1}, "")
    job.read(make_event(Kind.RESULT, {"data": {"text/plain": "0.75"}}))
    assert (job.find_best(), job.name_metric()) == (0.75, "result")


def test_result_that_is_no_number_is_none() -> None:
    job = SweepJob(1, {"lr": 1}, "")
    for text in ("True", "'a'", "<object>", "[1]", ""):
        job.read(make_event(Kind.RESULT, {"data": {"text/plain": text}}))
        assert job.find_best() is None


def test_what_a_job_says_is_escaped() -> None:
    assert "<b>ValueError" not in render_html("w-1", make_jobs())
    assert "&lt;b&gt;ValueError: boom" in render_html("w-1", make_jobs())


def test_text_has_a_line_for_each() -> None:
    lines = render_text("w-1", make_jobs()).splitlines()
    assert lines[1].split() == ["#", "lr", "state", "where", "took", "step", "best", "loss", "job"]
    assert len(lines) == 5


@given(st.dictionaries(st.sampled_from(["lr", "act", "n"]), st.one_of(st.integers(), st.text(), st.tuples(st.text()))))
def test_parameters_are_read_back_from_a_name(parameters: dict[str, Any]) -> None:
    assert read_description(describe(parameters)) == parameters
