"""The fork server of one environment: it has imported what every kernel needs and makes ranks in milliseconds.

Started by the supervisor (`python -m choline_jupyter.agent forkserver [modules]`) with a socket to it on descriptor 0.
One thread, no kernel, no CUDA: a process forked from it must find nothing half-initialised. It reaps its ranks and
writes how each ended to `r<rank>.exit` in the session's folder, where any supervisor, also a later one, finds it. When
its supervisor dies, or a rank of its own says that it has lost the one it had, it starts another; it ends with its last
rank.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from choline_jupyter.agent.kernel.application import RankSpec, import_kernel, run_rank

_READ = 1 << 16
_RETRY = 1.0


class ForkServer:
    """Single-threaded; owns the socket to the supervisor and every rank it has forked."""

    def __init__(self, supervisor: socket.socket, restart: list[str]) -> None:
        self._supervisor: Any = supervisor
        self._restart = restart
        self._ranks: dict[int, RankSpec] = {}
        self._pending = b""
        self._revived = 0
        self._is_missing = False  # the supervisor that was started has failed
        self._wake, wake = os.pipe()
        self._calls, self._call = os.pipe()  # ranks write here when their supervisor is gone
        for end in (self._wake, wake, self._calls, self._call):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Fork on request until the supervisor is gone and no rank is left."""
        self._tell({"ready": os.getpid()})
        while self._supervisor or self._ranks:
            sources = [self._wake, self._calls, *filter(None, [self._supervisor])]
            ready, _, _ = select.select(sources, [], [], _RETRY if self._is_missing else None)
            if self._is_missing and not ready:
                self._revive()
            if self._wake in ready:
                self._reap()
            if self._calls in ready and _drain(self._calls):
                self._revive()
            if self._supervisor in ready:
                self._read()

    def _read(self) -> None:
        try:
            data = self._supervisor.recv(_READ)
        except OSError:  # it died with something unread
            data = b""
        if not data:
            self._supervisor.close()
            self._supervisor = None
            self._revive()
            return
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._fork(RankSpec(**json.loads(line)))

    def _fork(self, spec: RankSpec) -> None:
        listener = _listen(spec.socket)
        pid = os.fork()
        if pid == 0:
            self._become(spec, listener)
        listener.close()
        self._ranks[pid] = spec
        self._tell({"session": spec.session, "rank": spec.rank, "pid": pid})

    def _become(self, spec: RankSpec, listener: socket.socket) -> None:
        """In the child: leave through `os._exit` whatever happens, so that nothing of the server runs twice."""
        status = 1
        try:
            if self._supervisor:
                self._supervisor.close()
            os.close(self._wake)
            os.close(self._calls)
            run_rank(spec, listener, self._call)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 - the child must not run on as a second server
            traceback.print_exc(file=sys.__stderr__)  # `sys.stderr` may be the kernel's already
        finally:
            os._exit(status)

    def _reap(self) -> None:
        while _drain(self._wake):
            pass
        while self._ranks:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid == self._revived:
                self._is_missing = status != 0  # else there was another already, or nothing was left to do
            spec = self._ranks.pop(pid, None)
            if spec:
                _write_exit(spec, pid, status)
                self._tell({"session": spec.session, "rank": spec.rank, "exit": pid})

    def _tell(self, fact: dict[str, Any]) -> None:
        try:
            if self._supervisor:
                self._supervisor.sendall(json.dumps(fact).encode() + b"\n")
        except OSError:
            pass  # the supervisor died: `_read` sees it next

    def _revive(self) -> None:
        """Ranks without a supervisor would outlive their lease: start another, which adopts them."""
        self._is_missing = False
        if not self._ranks:
            return
        self._revived = os.fork()
        if self._revived == 0:
            os.setsid()
            os.execv(self._restart[0], self._restart)


def main(arguments: list[str]) -> None:
    """`arguments`: the command that starts a supervisor as JSON, then modules to import before the first fork."""
    server = ForkServer(socket.socket(fileno=os.dup(0)), json.loads(arguments[0]))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.environ.pop("JPY_PARENT_PID", None)
    import_kernel()
    for name in arguments[1:]:
        importlib.import_module(name)
    sys.argv[:] = [""]
    server.serve()


def _listen(path: str) -> socket.socket:
    """The rank's socket; made before the fork so that the supervisor can connect at once."""
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(4)
    return listener


def _drain(fd: int) -> bool:
    try:
        return bool(os.read(fd, _READ))
    except BlockingIOError:
        return False


def _write_exit(spec: RankSpec, pid: int, status: int) -> None:
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    path = Path(spec.journal) / ("r%d.exit" % spec.rank)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"pid": pid, "code": code}))
    os.replace(temporary, path)
