"""The supervisor's end of the fork servers: which are running, which one makes the next rank.

Called by `agent.session` through the supervisor; runs in its event loop. Per environment (interpreter) first a server
without extras, so that the first kernel does not wait, then, behind the first job, one that has imported torch, if the
environment has it; once that is ready it makes all further ranks and the first one ends with its last.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from choline_jupyter.agent.shim import add_preload

ROOT = Path(__file__).resolve().parents[2]
_PRELOADS: tuple[tuple[str, ...], ...] = ((), ("torch",))
_PATIENCE = 30.0  # seconds that importing for further kernels waits for the end of the first job
_PROBE = "import importlib.util as u, sys; sys.exit(any(u.find_spec(n) is None for n in sys.argv[1:]))"


def make_command(*arguments: str, python: str = sys.executable) -> list[str]:
    """The command that runs a part of the agent, wherever it was unpacked or installed."""
    main = ROOT / "choline_jupyter" / "agent" / "__main__.py"
    # as in ipykernel's own kernelspec: debugpy warns into the first cell about frozen modules otherwise
    return [python, "-Xfrozen_modules=off", str(main), *arguments]


class NurseryError(Exception):
    """An environment's fork server does not start; the message is what it said last."""


class _Server:
    """One fork server process. `ready` is set when it has imported what it should, `failed` when it ended."""

    def __init__(self, python: str, preloads: tuple[str, ...], log: Path, home: str, shim: str) -> None:
        ours, theirs = socket.socketpair()
        arguments = ["forkserver", json.dumps(make_command("supervise", "--home", home)), *preloads]
        environment = {key: value for key, value in os.environ.items() if key != "JPY_PARENT_PID"}
        add_preload(environment, shim)
        with theirs, open(log, "ab") as out:
            self.process = subprocess.Popen(
                make_command(*arguments, python=python), stdin=theirs.fileno(), stdout=out, stderr=out,
                start_new_session=True, env=environment, cwd="/",
            )  # fmt: skip
        self.socket = ours
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self._made: dict[tuple[str, int], asyncio.Future[int]] = {}

    async def serve(self) -> None:
        """Read what the server tells until it ends."""
        reader, self.writer = await asyncio.open_connection(sock=self.socket)
        async for line in reader:
            fact = json.loads(line)
            self.ready.set()
            made = self._made.pop((fact.get("session"), fact.get("rank")), None)
            if made and "pid" in fact:
                made.set_result(fact["pid"])
        self.ended.set()
        self.ready.set()
        for made in self._made.values():
            made.set_result(0)
        await asyncio.get_running_loop().run_in_executor(None, self.process.wait)

    async def fork(self, spec: dict[str, Any]) -> int:
        """The pid of the rank it has made, 0 when it ended instead."""
        made = self._made[spec["session"], spec["rank"]] = asyncio.get_running_loop().create_future()
        self.writer.write(json.dumps(spec).encode() + b"\n")
        pid: int = await made
        return pid


class Nursery:
    """All fork servers of one supervisor, by interpreter and preload shim (empty for sessions without)."""

    def __init__(self, home: Path, log: Path) -> None:
        self._home, self._log = str(home), log
        self._servers: dict[tuple[str, str], list[_Server]] = {}
        self._tasks: set[asyncio.Future[Any]] = set()
        self._preloads: dict[tuple[str, str], asyncio.Future[Any]] = {}
        self._has_worked = asyncio.Event()

    def prepare(self, python: str, shim: str = "") -> None:
        """Start the servers of an environment, unless they run."""
        servers = [server for server in self._servers.get((python, shim), ()) if not server.ended.is_set()]
        if not servers:
            servers = [self._start(python, (), shim)]
            self._preloads[python, shim] = self._keep(self._preload(python, shim))
        self._servers[python, shim] = servers

    def note_job(self) -> None:
        """A job is over: what further kernels need may be imported now."""
        self._has_worked.set()

    async def start(self, session: dict[str, Any], order: dict[str, Any]) -> int:
        """Have a rank made, a kernel by a fork server or a script by a process of its own, and return its pid.

        Its socket can be connected to then. Raises NurseryError.
        """
        if session.get("kind") == "script":
            return await self._start_script(session, order)
        return await self._fork(session["python"], order, (order.get("files") or {}).get("preload", ""))

    async def _start_script(self, session: dict[str, Any], order: dict[str, Any]) -> int:
        """The script host says when its socket can be reached by closing its standard output."""
        keys = ("python", "command", "ranks")
        wish = json.dumps({**order, **{key: session.get(key) for key in keys}})
        with open(self._log, "ab") as log:
            host = await asyncio.create_subprocess_exec(
                *make_command("script"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True, cwd="/",
            )  # fmt: skip
        assert host.stdin
        assert host.stdout
        host.stdin.write(wish.encode())
        host.stdin.close()
        await host.stdout.read()
        self._keep(host.wait())
        return host.pid

    async def _fork(self, python: str, spec: dict[str, Any], shim: str) -> int:
        self.prepare(python, shim)
        if spec.get("size", 1) > 1:
            await self._preload_now(python, shim)
        server = self._choose(self._servers[python, shim])
        await server.ready.wait()
        pid = 0 if server.ended.is_set() else await server.fork(spec)
        if not pid:
            raise NurseryError("the kernels' server ended: " + _read_tail(self._log))
        return pid

    def close(self) -> None:
        """Let the servers go: one without ranks ends, one with ranks stays until they end."""
        for server in (server for servers in self._servers.values() for server in servers):
            if not server.ready.is_set():
                server.process.terminate()  # it is importing and would not notice for seconds
            server.writer.close()
        for task in self._tasks:
            task.cancel()

    async def _preload_now(self, python: str, shim: str) -> None:
        """Several ranks are made of a server that has imported torch: each of them would import it otherwise."""
        self._has_worked.set()
        await asyncio.wait([self._preloads[python, shim]])
        await self._servers[python, shim][-1].ready.wait()

    def _choose(self, known: list[_Server]) -> _Server:
        """The one that has imported most, among those that are ready; else the first."""
        servers = [server for server in known if not server.ended.is_set()] or known
        ready = [server for server in servers if server.ready.is_set()]
        return (ready or servers)[-1] if ready else servers[0]

    def _start(self, python: str, preloads: tuple[str, ...], shim: str) -> _Server:
        server = _Server(python, preloads, self._log, self._home, shim)
        self._keep(server.serve())
        return server

    async def _preload(self, python: str, shim: str) -> None:
        """Start the server with everything this environment has of `_PRELOADS`, when the first job has had the machine."""
        first = self._servers[python, shim][0]
        await first.ready.wait()
        try:
            await asyncio.wait_for(self._has_worked.wait(), _PATIENCE)
        except asyncio.TimeoutError:
            pass
        for preloads in () if first.ended.is_set() else _PRELOADS[1:]:
            probe = await asyncio.create_subprocess_exec(python, "-c", _PROBE, *preloads)
            if await probe.wait() == 0:
                self._servers[python, shim].append(self._start(python, preloads, shim))

    def _keep(self, coroutine: Any) -> asyncio.Future[Any]:
        task: asyncio.Future[Any] = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _read_tail(path: Path) -> str:
    """The last line that says something."""
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:400] if lines else "it said nothing"
