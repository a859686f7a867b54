"""The connector: what a transport starts on the machine; it gives its standard input and output to the supervisor.

If none runs, a child of this process becomes it, without another interpreter start. The connector then stays until the
supervisor lets go of the channel, because its own end is what sshd takes for the end of the connection. It imports
little: every connection waits for it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
from typing import Optional

from choline_jupyter.agent.place import Place, PlaceError

_PATIENCE = 15.0


def main(arguments: list[str]) -> None:
    """`connect [--no-start] [--home DIR] [--python FILE] [--linger SECONDS]`."""
    try:
        place = Place(_find_option(arguments, "--home"))
        while not _hand_over(_reach(place, arguments)):
            pass  # it was leaving: the next one takes it
    except (OSError, PlaceError) as error:
        sys.exit("choline: the agent cannot start on this machine: %s" % error)


def _hand_over(door: socket.socket) -> bool:
    """Return when the supervisor closes the channel or dies; False when it has not taken it.

    A supervisor that ends after it was knocked at leaves unread what it was sent, and that is what a reset says.
    """
    with door:
        try:
            socket.send_fds(door, [b"c"], [0, 1])  # where frames come from and go to; `agent.door` takes them
            door.recv(1)
        except (ConnectionResetError, BrokenPipeError):
            return False
    return True


def _reach(place: Place, arguments: list[str]) -> socket.socket:
    """A connection to the supervisor's door, after starting one if need be."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        door = _knock(place)
        if door:
            return door
        if "--no-start" in arguments:
            raise ConnectionRefusedError("none runs")
        _start(place, arguments)
    raise TimeoutError("the supervisor does not answer; see %s" % place.log)


def _knock(place: Place) -> Optional[socket.socket]:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.connect(str(place.door))
    except OSError:
        door.close()
        return None
    return door


def _start(place: Place, arguments: list[str]) -> None:
    """Fork a supervisor and wait until it serves, or until the one that has the lock does."""
    ready, readied = os.pipe()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # one that is not needed leaves no zombie behind while we stay
    if os.fork() == 0:
        os.close(ready)
        _become_supervisor(place, arguments, readied)
    os.close(readied)
    os.read(ready, 1)  # end of file: it serves, or it is not needed
    os.close(ready)
    if _is_locked(place):
        _wait_for_door(place)


def _become_supervisor(place: Place, arguments: list[str], ready: int) -> None:
    """In the child: leave the connection's session and streams, then be the supervisor until its end."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.chdir("/")
        from choline_jupyter.agent.supervisor import parse, run

        options = parse(arguments)
        run(place, options.python, options.linger, ready=ready)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - the child must not run on as a second connector
        import traceback

        traceback.print_exc()
        os._exit(1)


def _is_locked(place: Place) -> bool:
    """Whether a supervisor holds the lock; raises OSError when ours ended at once for another reason."""
    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(lock)


def _wait_for_door(place: Place) -> None:
    """Another connector's supervisor is starting: its door opens within moments."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        door = _knock(place)
        if door:
            door.close()
            return
        if not _is_locked(place):
            return
        time.sleep(0.01)


def _find_option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1] if name in arguments else ""
