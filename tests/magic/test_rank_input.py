"""Who is asked when several ranks ask, whichever of them comes first."""

from __future__ import annotations

from choline_jupyter.magic.rank_input import RankInput
from choline_jupyter.model.event import Event, Kind, Series

JOB = "j-1"


def make_question(rank: int) -> Event:
    return Event(Series("s-1", 1, rank), 1, Kind.INPUT, JOB, 1, 0.0)


def ask(questions: RankInput, rank: int) -> bool | list[str]:
    """Whether the user is asked; else the answers that are known by then."""
    return questions.is_for_user(make_question(rank)) or [answer for _, answer in questions.take(JOB)]


def test_the_first_ranks_answer_is_everybodys() -> None:
    questions = RankInput()
    assert ask(questions, 1) == []
    assert ask(questions, 0) is True
    questions.note_answer(make_question(0), "ada")
    assert [answer for _, answer in questions.take(JOB)] == ["ada"]
    assert ask(questions, 2) == ["ada"]


def test_a_rank_that_asks_when_the_first_has_ended_has_its_answer_still() -> None:
    questions = RankInput()
    assert ask(questions, 0) is True
    questions.note_answer(make_question(0), "ada")
    assert questions.note_end(make_question(0)) == []
    assert ask(questions, 1) == ["ada"]
    assert ask(questions, 1) is True, "nobody has answered this one"


def test_what_only_others_ask_is_asked_when_the_first_has_ended() -> None:
    questions = RankInput()
    assert ask(questions, 1) == []
    assert questions.note_end(make_question(0)) == [make_question(1)]
    assert ask(questions, 2) is True
