"""Notice: a rented machine is about to be taken away, and its jobs are told so that they can save what they have.

Made by `agent.supervisor`; runs in its loop. Notice is a SIGTERM to the supervisor or to the machine's first process, or a file
`notice` in the watchdog's folder, which whatever knows of the end may make. Each session's folder then has a file `notice`, which
`choline_jupyter.training` looks for: the next `checkpoint()` is made at once. On machines that are not rented a SIGTERM ends the
supervisor, as it ends any program.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from choline_jupyter.agent.session import HostedSession
    from choline_jupyter.agent.watch import Watch

_EVERY = 0.5  # seconds between two looks
_SENTENCE = "this machine is about to be taken away: a job that uses checkpoint() saves at its next call"


class Notice:
    """`list_sessions` gives the sessions that are hosted now; `end` ends the supervisor."""

    def __init__(self, watch: Watch, list_sessions: Callable[[], list[HostedSession]], end: Callable[[], None]) -> None:
        self._watch, self._list_sessions, self._end = watch, list_sessions, end
        self._seen = 0.0

    def take_signal(self) -> None:
        """A SIGTERM has come."""
        sessions = self._list_sessions() if self._watch.is_armed else []
        if not any(session.running for session in sessions):
            self._end()
        self._give(sessions)

    async def watch(self) -> None:
        """Look for the file, for ever; where no watchdog runs nothing is to be expected."""
        while True:
            await asyncio.sleep(_EVERY)
            with suppress(OSError):  # there is none
                made = self._watch.notice.stat().st_mtime
                if made != self._seen:
                    self._seen = made
                    self._give(self._list_sessions())

    def _give(self, sessions: list[HostedSession]) -> None:
        for session in sessions:
            with suppress(OSError):  # a full disk
                (session.directory / "notice").write_text("")
            if session.running:
                session.tell({"state": "notice", "stage": _SENTENCE}, session.running)
