"""Processes of this machine, as /proc shows them: which belong to a rank, and how to end them all.

Called by the supervisor, in an executor. A rank leads a kernel session (setsid), and what it starts carries a mark in
its environment (`CHOLINE_SESSION`) also after leaving that session, so nothing a cell has started outlives its
session. Never by name: by mark, session and pid.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

MARK = "CHOLINE_SESSION"
_GRACE = 1.0


def make_mark(session: str, rank: int) -> str:
    """The value of CHOLINE_SESSION in the environment of a rank."""
    return "%s/%d" % (session, rank)


def find_processes(mark: str, leader: int) -> list[int]:
    """The living processes that carry the mark or belong to the session that `leader` (0: none) leads."""
    wanted = ("%s=%s\0" % (MARK, mark)).encode()
    return [pid for pid in _list_pids() if _is_of_session(pid, leader) or wanted in _read_environment(pid)]


def end_processes(mark: str, leader: int) -> None:
    """End a rank's whole tree: SIGTERM, then after a second SIGKILL until none is left. Blocks."""
    deadline = time.monotonic() + _GRACE
    while True:
        left = find_processes(mark, leader)
        if not left:
            return
        number = signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL
        for pid in left:
            _signal(pid, number)
        time.sleep(0.02)


def read_oom_kills() -> int:
    """How many processes this machine has killed for memory since it started (0 where it does not tell)."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _list_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _is_of_session(pid: int, leader: int) -> bool:
    """Whether a process that is not a zombie belongs to a session (proc(5): state and session behind the name)."""
    if not leader:
        return False
    try:
        fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and int(fields[3]) == leader


def _read_environment(pid: int) -> bytes:
    """The environment a process was started with; empty for other users' and for zombies."""
    try:
        return Path("/proc/%d/environ" % pid).read_bytes() + b"\0"
    except OSError:
        return b""


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass
