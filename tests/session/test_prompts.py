"""Questions from the loop, answered by the thread that waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import pytest

from choline_jupyter.session.prompts import Prompts
from choline_jupyter.transport.askpass import Unanswered

PATIENCE = 60


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The engine's: it runs in a thread of its own."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join(PATIENCE)
    made.close()


def ask(loop: asyncio.AbstractEventLoop, prompts: Prompts, *questions: str) -> Future[list[str]]:
    """Put questions in the loop, the first once somebody waits for their answers."""

    async def put() -> list[str]:
        while not prompts.is_served:  # noqa: ASYNC110 - it tells nobody, and in the product nobody needs to know
            await asyncio.sleep(0)
        return [await prompts.ask(question, is_secret=True) for question in questions]

    return asyncio.run_coroutine_threadsafe(put(), loop)


def test_where_nobody_waits_nobody_answers(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(Unanswered):
        asyncio.run_coroutine_threadsafe(Prompts().ask("passphrase", is_secret=True), loop).result(PATIENCE)


def test_the_waiting_thread_answers_in_order(loop: asyncio.AbstractEventLoop) -> None:
    prompts, asked = Prompts(), []

    def answer(question: str, is_secret: bool) -> str:
        asked.append((question, is_secret, threading.current_thread()))
        return question.upper()

    awaited = ask(loop, prompts, "a", "b")
    prompts.serve(awaited, answer)
    assert awaited.result(0) == ["A", "B"]
    assert asked == [("a", True, threading.current_thread()), ("b", True, threading.current_thread())]


def test_a_front_end_without_input_answers_nothing(loop: asyncio.AbstractEventLoop) -> None:
    def decline(question: str, is_secret: bool) -> str:
        raise EOFError

    prompts = Prompts()
    awaited = ask(loop, prompts, "a")
    prompts.serve(awaited, decline)
    with pytest.raises(Unanswered):
        awaited.result(0)


def test_an_interrupt_ends_the_wait_and_the_question(loop: asyncio.AbstractEventLoop) -> None:
    def interrupt(question: str, is_secret: bool) -> str:
        raise KeyboardInterrupt

    prompts = Prompts()
    awaited = ask(loop, prompts, "a")
    with pytest.raises(KeyboardInterrupt):
        prompts.serve(awaited, interrupt)
    with pytest.raises(Unanswered):
        awaited.result(PATIENCE)
    assert not prompts.is_served


def test_what_is_done_already_is_not_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    awaited: Future[int] = Future()
    awaited.set_result(3)
    Prompts().serve(awaited, lambda question, is_secret: "")
    assert awaited.result(0) == 3


def test_who_was_interrupted_leaves_nothing_for_the_next(loop: asyncio.AbstractEventLoop) -> None:
    """Neither its end nor a question of its own reaches whoever waits after it."""
    prompts = Prompts()

    def interrupt(question: str, is_secret: bool) -> str:
        raise KeyboardInterrupt

    stale = ask(loop, prompts, "stale", "never asked")
    with pytest.raises(KeyboardInterrupt):
        prompts.serve(stale, interrupt)
    stale.cancel()
    with pytest.raises((Unanswered, CancelledError)):
        stale.result(PATIENCE)
    for number in range(3):
        awaited = ask(loop, prompts, f"fresh {number}")
        prompts.serve(awaited, lambda question, is_secret: f"{question}!")
        assert awaited.result(PATIENCE) == [f"fresh {number}!"]
