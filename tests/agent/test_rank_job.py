"""A job on several ranks: what each is sent, when it is over, how it ended, and who waits in vain."""

from __future__ import annotations

from typing import Any

import pytest

from choline_jupyter.agent.rank_job import RankJob, is_bereft
from choline_jupyter.agent.rank_watch import judge, name_ranks
from choline_jupyter.wire.frame import Frame, Type

OK = {"status": "ok", "sequence": 4}
FAILED = {"status": "error", "ename": "ValueError", "evalue": "boom", "sequence": 4}
FREED = {"status": "error", "ename": "RuntimeError", "evalue": "gloo", "sequence": 5, "aborted": {"call": "barrier"}}


def make_job(size: int = 3, **header: Any) -> RankJob:
    return RankJob(Frame(Type.RUN, {"job": "j-1", **header}), size, 7)


def end(job: RankJob, *ends: dict[str, Any]) -> RankJob:
    for number, one in zip(job.on, ends, strict=False):
        job.note_end(number, one)
    return job


def test_all_ranks_begin_at_once() -> None:
    assert make_job().list_first() == [0, 1, 2]


def test_one_unpacks_files_before_the_others_begin() -> None:
    job = make_job(files=5)
    assert job.list_first() == [0]
    assert (job.make_frame(0).header["files"], job.make_frame(1).header["files"]) == (5, None)
    assert job.list_waiting() == [1, 2]
    assert job.list_waiting() == []


@pytest.mark.parametrize(("on", "found"), [([2, 0], [0, 2]), ([1, 9], [1]), ([9], [0]), (None, [0, 1, 2])])
def test_ranks_that_a_job_is_for(on: list[int] | None, found: list[int]) -> None:
    assert make_job(on=on).on == found


def test_results_are_the_first_ranks() -> None:
    job = make_job(out=["x"], on=[1, 2])
    assert (job.make_frame(1).header["out"], job.make_frame(2).header["out"]) == (["x"], None)


def test_over_when_all_have_ended() -> None:
    job = end(make_job(), OK, OK)
    assert (job.is_over, job.list_running()) == (False, [2])
    assert not job.note_end(1, FAILED), "an end is told once"
    job.note_end(2, OK)
    assert (job.is_over, job.make_reply()["status"], job.is_out_of_step) == (True, "ok", False)


def test_cause_comes_before_those_that_were_freed() -> None:
    job = make_job()
    for number, one in ((0, FREED), (2, FREED), (1, FAILED)):
        job.note_end(number, one)
    assert job.make_reply()["ename"] == "ValueError"
    assert job.is_out_of_step


def test_same_failure_on_all_ranks_keeps_their_group() -> None:
    assert not end(make_job(), FAILED, FAILED, FAILED).is_out_of_step


def test_failures_at_different_collectives_cost_the_group() -> None:
    assert end(make_job(), FAILED, {**FAILED, "sequence": 3}, FAILED).is_out_of_step


def test_death_costs_the_group() -> None:
    assert end(make_job(), OK, {**FAILED, "died": True}, OK).is_out_of_step


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("RuntimeError", "[gloo/transport/tcp/pair.cc] Connection closed by peer", True),
        ("DistBackendError", "NCCL error", True),
        ("ValueError", "gloo", False),
        ("RuntimeError", "shapes do not match", False),
    ],
)
def test_failure_for_want_of_another(name: str, text: str, found: bool) -> None:
    assert is_bereft({"ename": name, "evalue": text}) is found


def wait(job: RankJob, seconds: float, **places: str) -> RankJob:
    job.where = {int(rank[1:]): {"call": call, "line": 3, "for": seconds} for rank, call in places.items()}
    return job


def test_nobody_waits() -> None:
    assert judge(make_job(), 20.0).fact == {}


def test_straggler_after_a_time() -> None:
    assert judge(wait(make_job(), 19.0, r0="barrier", r1="barrier"), 20.0).fact == {}
    found = judge(wait(make_job(), 21.0, r0="barrier", r1="barrier"), 20.0)
    assert (found.fact["what"], found.fact["late"], found.is_deadlock) == ("straggler", [2], False)


def test_who_waits_for_one_that_has_ended_is_freed() -> None:
    job = wait(end(make_job(), OK), 3.0, r1="barrier", r2="barrier")
    found = judge(job, 20.0)
    assert (found.is_deadlock, found.reason) == (True, "rank 0 ended its cell")


def test_who_still_computes_may_yet_come() -> None:
    assert not judge(wait(end(make_job(), OK), 19.0, r1="barrier"), 20.0).is_deadlock


def test_who_waits_for_one_that_does_not_run_the_cell_is_freed() -> None:
    assert (
        judge(wait(make_job(on=[0, 1]), 3.0, r0="barrier", r1="barrier"), 20.0).reason
        == "rank 2 does not run this cell"
    )


def test_all_in_one_call_is_no_trouble() -> None:
    assert judge(wait(make_job(), 99.0, r0="barrier", r1="barrier", r2="barrier"), 20.0).fact == {}


def test_different_calls_are_told_but_not_ended() -> None:
    """A large transfer may take as long: one sends, the other receives."""
    found = judge(wait(make_job(2), 21.0, r0="send", r1="recv"), 20.0)
    assert (found.fact["what"], found.is_deadlock) == ("mismatch", False)


def test_ranks_in_words() -> None:
    assert [name_ranks([1]), name_ranks([0, 1, 2, 5])] == ["rank 1", "ranks 0-2, 5"]
