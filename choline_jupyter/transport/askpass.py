"""What ssh asks its user (host keys, passphrases, one-time codes), asked in the cell instead of on a terminal.

Used by `transport.openssh` for the time of one connection: ssh runs the program that SSH_ASKPASS names for each question
(ssh(1), SSH_ASKPASS_REQUIRE=force, OpenSSH 8.4 and newer), and that program brings the question here over a socket in a
0700 folder. An unknown host key is never accepted without the user's word or the fingerprint they gave beforehand.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType

Ask = Callable[[str, bool], Awaitable[str]]

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_PROGRAM = """#!{python} -IS
import socket, sys
door = socket.socket(socket.AF_UNIX)
door.connect({path!r})
door.sendall(" ".join(sys.argv[1:]).encode() + b"\\0")
answer = b""
while part := door.recv(4096):
    answer += part
if not answer:
    sys.exit(1)
sys.stdout.write(answer[1:].decode())
"""


class Unanswered(Exception):
    """Nobody is there to answer; the connection cannot be made now."""


class Askpass:
    """An asynchronous context manager: while it is open, ssh's questions go to `ask(question, is_secret)`.

    `accept_key` (SHA256:...) is given to ssh as the answer to an unknown host key; ssh itself compares.
    """

    def __init__(self, ask: Ask | None, accept_key: str = "") -> None:
        self.fingerprint = ""
        self.is_waiting = False
        self._ask, self._accept_key = ask, accept_key

    async def __aenter__(self) -> Askpass:  # noqa: PYI034 - Self is new in Python 3.11
        self._folder = Path(tempfile.mkdtemp(prefix="choline-ask-"))
        door = self._folder / "door"
        self._server = await asyncio.start_unix_server(self._serve, door)
        program = self._folder / "ask"
        program.write_text(_PROGRAM.format(python=sys.executable, path=str(door)))
        program.chmod(0o700)
        self.environment = {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}
        self.environment["DISPLAY"] = os.environ.get("DISPLAY") or ":0"  # ssh before 8.4 asks nobody without it
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question; no answer at all makes ssh give the method up."""
        question = (await reader.readuntil(b"\0"))[:-1].decode(errors="replace")
        try:
            answer = await self._answer(question)
            writer.write(b"+" + answer.encode() + b"\n")
        except Unanswered:
            pass
        writer.close()

    async def _answer(self, question: str) -> str:
        found = _FINGERPRINT.search(question)
        if found:
            self.fingerprint = found.group()
            return self._accept_key or await self._put(question, is_secret=False)
        if "yes" in question and "fingerprint" in question:
            return "no"  # the key is not the one that was accepted: ssh asks again, and we do not give in
        return await self._put(question, is_secret=True)

    async def _put(self, question: str, is_secret: bool) -> str:
        if self._ask is None:
            raise Unanswered
        self.is_waiting = True
        try:
            return await self._ask(question.rstrip() + " ", is_secret)
        finally:
            self.is_waiting = False
