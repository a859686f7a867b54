"""A program that is killed at its n-th system call: the child of a fork, traced by its parent (ptrace(2)).

Used by test_kills.py and tests/faults/test_checkpoint_kills.py.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_TRACEME, _SYSCALL, _SETOPTIONS = 0, 24, 0x4200
_KILL_WITH_ME = 0x00100000
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def count_stops(act: Callable[[], object]) -> int:
    """At how many places `act` can be stopped: each system call's beginning and end."""
    return _run(act, 0)


def kill_at(stop: int, act: Callable[[], object]) -> bool:
    """Run `act` in a child that is killed at this stop, counted from 1; False when it has ended before."""
    return _run(act, stop) == stop


def _run(act: Callable[[], object], last: int) -> int:
    child = os.fork()
    if child == 0:
        _become(act)
    os.waitpid(child, 0)
    _trace(_SETOPTIONS, child, _KILL_WITH_ME)
    count = 0
    while True:
        _trace(_SYSCALL, child, 0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            assert os.WEXITSTATUS(status) == 0, "the child has failed by itself"
            return count
        count += 1
        if count == last:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return count


def _become(act: Callable[[], object]) -> None:
    try:
        _libc.ptrace(_TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        act()
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the child must not run on as a second pytest
        print(error, file=sys.stderr)
    finally:
        os._exit(1)


def _trace(request: int, child: int, data: int) -> None:
    if _libc.ptrace(request, child, None, ctypes.c_void_p(data)) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
