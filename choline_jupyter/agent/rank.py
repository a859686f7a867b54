"""The supervisor's end of one rank: its socket, its life and death.

Made by `agent.session`; runs in the supervisor's event loop. A rank is reached by its socket's path alone, so a
supervisor that has just been started takes over the ranks of the one before it.
"""

from __future__ import annotations

import asyncio
import json
import select
from pathlib import Path
from typing import Any, Callable, Optional

from choline_jupyter.agent.place import Place
from choline_jupyter.agent.process import end_processes, make_mark
from choline_jupyter.wire.frame import Frame, FrameDecoder, Type, encode_frame
from choline_jupyter.wire.record import WireError

_READ = 1 << 18
_EXIT_WAIT = 2.0
_STOP_WAIT = 3.0


OnState = Callable[["Rank"], None]
OnDeath = Callable[["Rank", Optional[int], str], None]


class Rank:
    """One rank process as the supervisor knows it.

    `on_state(rank)` is called when it has said what it runs and what is done: at its hello and when it is asked.
    `on_death(rank, exit code or None, reason)` is called once.
    """

    def __init__(self, place: Place, session: str, number: int, on_state: OnState, on_death: OnDeath) -> None:
        self.session, self.number = session, number
        self.directory = place.find_session(session)
        self.socket = place.find_rank_socket(session, number)
        self.pid = 0
        self.done: set[str] = set()
        self.running = ""
        self.state: dict[str, Any] = {}  # what it said of itself last
        self.is_alive = True
        self._on_state, self._on_death = on_state, on_death
        self._writer: Optional[asyncio.StreamWriter] = None
        self._waiting: list[bytes] = []
        self._gone = asyncio.Event()

    @property
    def members(self) -> list[Rank]:
        """Itself: a session treats one rank and a group of them alike."""
        return [self]

    @property
    def has_begun(self) -> bool:
        """Whether there is a process that was reached."""
        return self._writer is not None

    def replace_dead(self) -> list[Rank]:
        """Of one rank there is none to replace: its session makes another."""
        return []

    async def connect(self) -> bool:
        """Reach the process behind the socket; False when there is none."""
        try:
            reader, self._writer = await asyncio.open_unix_connection(str(self.socket), limit=_READ)
        except OSError:
            return False
        for data in self._waiting:
            self._writer.write(data)
        self._waiting.clear()
        self._watch = asyncio.ensure_future(self._read(reader))
        return True

    def send(self, frame: Frame) -> None:
        """Pass a frame to the rank; before the connection stands it waits for it."""
        data = encode_frame(*frame)
        if self._writer:
            self._writer.write(data)
        else:
            self._waiting.append(data)

    def recall(self) -> bool:
        """Take back what waits for the process to be made; False when there is one."""
        if self._writer:
            return False
        self._waiting.clear()
        return True

    def is_ending(self) -> bool:
        """Whether its process has gone but how it ended is not known yet; what is sent now would be lost."""
        if self._writer is None or not self.is_alive:
            return False
        poll = select.poll()
        poll.register(self._writer.get_extra_info("socket").fileno(), 0)  # POLLHUP is told unasked
        return bool(poll.poll(0))

    def fail(self, reason: str) -> None:
        """The process could not be made."""
        self.is_alive = False
        self._gone.set()
        self._on_death(self, None, reason)

    async def stop(self) -> None:
        """End the process, asked first, and then, without asking, all that is left of what it has started."""
        was_alive = self.is_alive
        if was_alive:
            self.send(Frame(Type.STOP, {}))
            try:
                await asyncio.wait_for(self._gone.wait(), _STOP_WAIT)
            except asyncio.TimeoutError:
                pass
        mark, leader = make_mark(self.session, self.number), self.pid if was_alive else 0  # known by now, if ever
        await asyncio.get_running_loop().run_in_executor(None, end_processes, mark, leader)
        await self._gone.wait()

    def close(self) -> None:
        """Forget the rank; its process, if it lives, goes on."""
        if self._writer:
            self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        decoder = FrameDecoder()
        try:
            while True:
                data = await reader.read(_READ)
                if not data:
                    break
                for frame in decoder.feed(data):
                    self._hear(frame.header)
        except (OSError, WireError):
            pass
        await self._bury()

    def _hear(self, state: dict[str, Any]) -> None:
        self.state = state
        self.pid = int(state.get("pid", self.pid))
        self.running = str(state.get("running", ""))
        self.done.update(state.get("done", ()))
        self._on_state(self)

    async def _bury(self) -> None:
        code = await self._find_exit()
        self.is_alive = False
        for suffix in ("", ".json", ".z-1", ".z-2", ".z-3", ".z-4", ".z-5"):  # its own and its kernel's sockets
            Path(str(self.socket) + suffix).unlink(missing_ok=True)
        self._gone.set()
        self._on_death(self, code, "")

    async def _find_exit(self) -> Optional[int]:
        """How the process ended, from the file its fork server writes when it has reaped it."""
        path = self.directory / ("r%d.exit" % self.number)
        deadline = asyncio.get_running_loop().time() + _EXIT_WAIT
        while asyncio.get_running_loop().time() < deadline:
            try:
                fact = json.loads(path.read_text())
            except (OSError, ValueError):
                fact = {}
            if fact.get("pid") == self.pid and self.pid:
                return int(fact["code"])
            await asyncio.sleep(0.02)
        return None
