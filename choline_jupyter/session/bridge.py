"""The one bridge from ordinary threads into the engine's event loop.

Called by `magic` and `cli`. The engine's thread is a daemon and starts with the first call; at the interpreter's exit
what waits to be stored is stored, and the channels are closed.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from choline_jupyter.session.engine import Engine
from choline_jupyter.session.prompts import Answer

Result = TypeVar("Result")

_PUTTING_AWAY = 30.0  # seconds; a second interrupt ends the wait

_lock = threading.Lock()
_bridge: Bridge | None = None


class Bridge:
    """Owns the thread `choline-engine` with the loop that the engine lives in; its workers are named `choline-...`, too."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="choline-worker"))
        self._pid = os.getpid()
        threading.Thread(target=self._loop.run_forever, name="choline-engine", daemon=True).start()
        self.engine = self._make()
        atexit.register(self.close)

    def call(self, coroutine: Coroutine[Any, Any, Result], answer: Answer | None = None) -> Result:
        """Run a coroutine in the engine's loop and wait for what it returns or raises.

        Meanwhile `answer(question, is_secret)` is called here for what the other machine asks of the user. An interrupt
        cancels it and waits until it has put away what it had begun.
        """
        has_ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(_run(coroutine, has_ended), self._loop)
        try:
            if answer:
                self.engine.prompts.serve(future, answer)
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            has_ended.wait(_PUTTING_AWAY)
            raise

    def post(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have a function called in the engine's loop; returns at once."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Have a coroutine run in the engine's loop; returns at once."""
        asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Let go of all sessions, once; at the end of the process at the latest."""
        atexit.unregister(self.close)
        if os.getpid() == self._pid:  # a fork of the notebook's kernel has none of this
            asyncio.run_coroutine_threadsafe(self.engine.close(), self._loop).result(10)
            self.engine.store.close()

    def _make(self) -> Engine:
        return Engine(self._loop)


class WorkerBridge(Bridge):
    """The engine as its own workers call it; it owns nothing."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self.engine, self._loop = engine, loop


async def _run(coroutine: Coroutine[Any, Any, Result], has_ended: threading.Event) -> Result:
    try:
        return await coroutine
    finally:
        has_ended.set()


def get_bridge() -> Bridge:
    """The bridge of this process."""
    global _bridge  # noqa: PLW0603 - one engine per process is the point
    with _lock:
        if _bridge is None:
            _bridge = Bridge()
        return _bridge
