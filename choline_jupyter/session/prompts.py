"""Questions from the engine's loop to the user (a host key, a passphrase), answered by the thread that waits for it.

Asked by transports while a connection is made; answered in `session.bridge` by whoever waits there, with the means of
their own (a cell's input box, a terminal). Where nobody waits, nobody can answer.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from choline_jupyter.transport.askpass import Unanswered

Answer = Callable[[str, bool], str]


class Prompts:
    """One queue; `ask` in the engine's loop, `serve` in one waiting thread at a time."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[tuple[str, bool, Future[str]] | Future[Any]] = queue.SimpleQueue()
        self._servers = 0

    @property
    def is_served(self) -> bool:
        """Whether somebody waits who could answer."""
        return self._servers > 0

    async def ask(self, question: str, is_secret: bool) -> str:
        """Put a question; raises Unanswered when nobody is there or the user declines."""
        if not self.is_served:
            raise Unanswered
        answer: Future[str] = Future()
        self._questions.put((question, is_secret, answer))
        return await asyncio.wrap_future(answer)

    def serve(self, awaited: Future[Any], answer: Answer) -> None:
        """Answer questions until what is waited for is done.

        One that was interrupted leaves its end in the queue, and perhaps a question: neither is for whoever comes next.
        """
        awaited.add_done_callback(self._questions.put)
        self._servers += 1
        try:
            while (item := self._questions.get()) is not awaited:
                if isinstance(item, tuple) and item[2].set_running_or_notify_cancel():
                    self._settle(*item, answer)
        finally:
            self._servers -= 1

    def _settle(self, question: str, is_secret: bool, reply: Future[str], answer: Answer) -> None:
        try:
            reply.set_result(answer(question, is_secret))
        except KeyboardInterrupt:
            reply.set_exception(Unanswered())
            raise
        except Exception:  # noqa: BLE001 - a front end without input: its own error says less than the connection's
            reply.set_exception(Unanswered())
