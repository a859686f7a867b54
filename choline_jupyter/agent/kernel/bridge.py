"""The bridge: the thread in a rank that takes the supervisor's frames and speaks Jupyter's protocol to the kernel.

Started by `application`. It owns one Unix socket, on which one supervisor at a time is connected, and the kernel's
client ends of shell, stdin and control; no other thread touches them. It is in the kernel's own process because a
process of its own would cost a hop per cell and be one more thing to die.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from datetime import datetime, timezone
from typing import Any, Optional

import zmq

from choline_jupyter.agent.doorbell import Ringer
from choline_jupyter.agent.journal import JournalWriter
from choline_jupyter.agent.kernel.jobs import Jobs
from choline_jupyter.agent.kernel.membership import Membership
from choline_jupyter.agent.kernel.secrets import Secrets
from choline_jupyter.model.event import Kind
from choline_jupyter.wire.frame import Frame, FrameDecoder, Type, encode_frame
from choline_jupyter.wire.record import WireError

_DELIMITER = b"<IDS|MSG>"
_READ = 1 << 20


class Bridge:
    """Owns the thread `choline-bridge`; everything below `run` happens in it.

    `call` is a pipe to the fork server: a byte in it asks for another supervisor. `membership` is for one of several ranks.
    """

    def __init__(
        self,
        listener: socket.socket,
        journal: JournalWriter,
        ringer: Ringer,
        jobs: Jobs,
        secrets: Secrets,
        call: int,
        membership: Optional[Membership] = None,
    ) -> None:
        self._listener, self._journal, self._ringer, self._jobs = listener, journal, ringer, jobs
        self._secrets, self._membership = secrets, membership
        self._call = call
        self._supervisor: Optional[socket.socket] = None
        self._decoder = FrameDecoder()
        self._poller = zmq.Poller()
        self._subshell = ""
        self._answered = 0
        self._asking = ("", 0)
        self._waiting: list[Frame] = []

    def start(self, app: Any) -> None:
        """Begin to serve; `app` is the initialised kernel application whose endpoints are connected to."""
        self._session = app.session
        self._kernel = app.kernel
        context = zmq.Context()
        identity = b"choline-%d" % os.getpid()
        self._shell, self._stdin, self._control = (
            _connect(context, identity, "ipc://%s-%d" % (app.ip, port))
            for port in (app.shell_port, app.stdin_port, app.control_port)
        )
        threading.Thread(target=self.run, name="choline-bridge", daemon=True).start()

    def run(self) -> None:
        """Serve until the process ends."""
        for source in (self._listener, self._shell, self._stdin, self._control):
            self._poller.register(source, zmq.POLLIN)
        while True:
            ready = dict(self._poller.poll())
            if self._listener.fileno() in ready:
                self._accept()
            if self._supervisor and self._supervisor.fileno() in ready:
                self._read_supervisor(self._supervisor)
            if self._shell in ready:
                self._take_reply()
            if self._stdin in ready:
                self._take_input_request()
            if self._control in ready:
                self._take_control_reply()

    def _accept(self) -> None:
        """A new supervisor replaces the old one, whose last words are heard first."""
        while self._supervisor:
            self._supervisor.setblocking(False)
            self._read_supervisor(self._supervisor)
        self._supervisor, _ = self._listener.accept()
        self._decoder = FrameDecoder()
        self._poller.register(self._supervisor, zmq.POLLIN)
        self._tell_state(self._supervisor)

    def _tell_state(self, supervisor: socket.socket, wish: Optional[dict[str, Any]] = None) -> None:
        state = {"pid": os.getpid(), "running": self._jobs.running, "done": list(self._jobs.done)}
        if self._membership:
            state.update(self._membership.describe(wish or {}))
        supervisor.sendall(encode_frame(Type.HELLO, state))

    def _drop(self) -> None:
        if self._supervisor:
            self._poller.unregister(self._supervisor)
            self._supervisor.close()
        self._supervisor = None

    def _read_supervisor(self, supervisor: socket.socket) -> None:
        try:
            data = supervisor.recv(_READ)
            for frame in self._decoder.feed(data):
                self._serve(frame)
        except (OSError, WireError):
            data = b""
        if not data:
            self._drop()
            self._call_for_supervisor()

    def _call_for_supervisor(self) -> None:
        try:
            os.write(self._call, b"!")
        except OSError:
            pass  # the fork server is dead, too: the next client starts a supervisor

    def _serve(self, frame: Frame) -> None:
        if frame.type is Type.RUN:
            self._run_cell(frame)
        elif frame.type is Type.INPUT:
            self._answer(frame)
        elif frame.type is Type.INTERRUPT:
            self._take_interrupt(frame.header)
        elif frame.type is Type.COMM:
            self._pass_comm(frame)
        elif frame.type is Type.STATUS and self._supervisor:
            self._tell_state(self._supervisor, frame.header)
        elif frame.type is Type.STOP:
            self._interrupt("")  # as jupyter_client does: a kernel that is busy could not act on it
            self._send(self._control, "shutdown_request", {"restart": False})

    def _run_cell(self, frame: Frame) -> None:
        head = frame.header
        self._jobs.add(head["msg_id"], head["job"], head["attempt"])
        self._secrets.expect(head["msg_id"], head.get("secrets") or {})
        end = head.get("code", len(frame.body))
        content = {
            "code": frame.body[:end].decode(),
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": head.get("allow_stdin", True),
            "stop_on_error": False,
        }
        keys = (
            "count",
            "cwd",
            "names",
            "file",
            "files",
            "brought",
            "pull",
            "out",
            "move",
            "layer",
            "training",
            "on",
            "is_whole",
            "generation",
        )
        metadata = {"choline": {key: head.get(key) for key in keys}}
        self._send(self._shell, "execute_request", content, head["msg_id"], metadata, [frame.body[end:]])

    def _answer(self, frame: Frame) -> None:
        """An answer that comes again after a cut is not typed twice; whoever attaches later is not asked any more."""
        if frame.header["seq"] > self._answered:
            self._answered = frame.header["seq"]
            self._send(self._stdin, "input_reply", {"value": frame.header["value"]})
            self._journal.append(Kind.STATE, [b"{}", b"{}", b"{}", b'{"state": "answered"}'], *self._asking)

    def _take_interrupt(self, head: dict[str, Any]) -> None:
        """The user's, or the supervisor's for a rank that waits for another in vain."""
        job = str(head.get("job", ""))
        if self._membership and "abort" in head:
            self._membership.abort(job, str(head["abort"]))
            return
        if self._membership:
            self._membership.abort_later(job)
        self._interrupt(job)

    def _interrupt(self, job: str) -> None:
        """Signal the whole group, as jupyter_client does, so that `!commands` of the cell end too.

        The kernel's handler for a cell that awaits only queues its cancellation: the loop has to be woken to see it.
        """
        if self._jobs.cancel(job):
            os.killpg(os.getpgid(0), signal.SIGINT)
            self._kernel.io_loop.add_callback(_do_nothing)  # a loop it has from its own start on only

    def _pass_comm(self, frame: Frame) -> None:
        """A front end's comm message; on a subshell when it came on one, so that it works while a cell runs."""
        if frame.header.get("subshell") and not self._subshell:
            self._waiting.append(frame)
            if len(self._waiting) == 1:
                self._send(self._control, "create_subshell_request", {})
            return
        buffers, position = [], 0
        for size in frame.header.get("sizes", ()):
            buffers.append(frame.body[position : position + size])
            position += size
        head = frame.header
        subshell = self._subshell if head.get("subshell") else ""
        self._send(
            self._shell, head["type"], head["content"], head["msg_id"], head.get("metadata", {}), buffers, subshell
        )

    def _send(
        self,
        target: zmq.Socket[bytes],
        type: str,
        content: dict[str, Any],
        msg_id: str = "",
        metadata: Optional[dict[str, Any]] = None,
        buffers: Optional[list[bytes]] = None,
        subshell: str = "",
    ) -> None:
        header = {
            "msg_id": msg_id or os.urandom(16).hex(),
            "msg_type": type,
            "username": "choline",
            "session": self._session.session,
            "date": datetime.now(timezone.utc).isoformat(),
            "version": "5.4",
        }
        if subshell:
            header["subshell_id"] = subshell
        parts = [json.dumps(part).encode() for part in (header, {}, metadata or {}, content)]
        target.send_multipart([_DELIMITER, self._session.sign(parts), *parts, *(buffers or [])])

    def _take_reply(self) -> None:
        parts = _receive(self._shell)
        if json.loads(parts[0])["msg_type"] == "execute_reply":
            self._jobs.see_reply(parts[:4])

    def _take_input_request(self) -> None:
        parts = _receive(self._stdin)
        self._asking = self._jobs.find(parts[1])
        self._journal.append(Kind.INPUT, parts[:4], *self._asking)
        self._ringer.tell("input")

    def _take_control_reply(self) -> None:
        parts = _receive(self._control)
        if json.loads(parts[0])["msg_type"] == "create_subshell_reply":
            self._subshell = json.loads(parts[3]).get("subshell_id", "")
            waiting, self._waiting = self._waiting, []
            for frame in waiting:
                frame.header["subshell"] = bool(self._subshell)  # an ipykernel without subshells: on the main shell
                self._pass_comm(frame)


def _do_nothing() -> None:
    """What wakes the kernel's loop and leaves it at that."""


def _connect(context: zmq.Context[Any], identity: bytes, endpoint: str) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, identity)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    return socket


def _receive(source: zmq.Socket[bytes]) -> list[bytes]:
    """The parts of one message behind its signature."""
    message = source.recv_multipart()
    return message[message.index(_DELIMITER) + 2 :]
