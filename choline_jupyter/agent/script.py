"""The script host: runs one script as a session's only job and writes what it puts out into the journal.

Started by the supervisor (`python -m choline_jupyter.agent script`, the order as JSON on standard input); to it the host
is a rank like any other. The script writes into append-only files, never into pipes: it neither waits for anybody nor
dies with anybody. Its text becomes stream events in the order in which the two files grew.
"""

from __future__ import annotations

import codecs
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

from choline_jupyter.agent.doorbell import Ringer
from choline_jupyter.agent.file_polling import watch_files
from choline_jupyter.agent.layout import enter_layout, translate
from choline_jupyter.agent.masked_journal import MaskedJournal
from choline_jupyter.agent.node import Node
from choline_jupyter.agent.process import MARK, end_processes, make_mark
from choline_jupyter.agent.script_input import ScriptInput
from choline_jupyter.agent.script_usage import ScriptUsage
from choline_jupyter.agent.shim import mark_environment
from choline_jupyter.agent.small_files import open_data
from choline_jupyter.agent.torch_script import TorchScript
from choline_jupyter.agent.training_feed import TrainingFeed
from choline_jupyter.agent.workspace import announce, find_workspace, tell_unplaced
from choline_jupyter.model.event import Kind
from choline_jupyter.wire.frame import Frame, FrameDecoder, Type, encode_frame
from choline_jupyter.wire.record import WireError

_READ = 1 << 18
_HEADER = b'{"msg_type": "stream"}'


class _Output:
    """One of the script's two output files, read as it grows."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self.file = open(path, "ab", buffering=0)  # noqa: SIM115 - for the script's whole life
        self._reader = open(path, "rb", buffering=0)  # noqa: SIM115
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def read(self) -> str:
        """What has been written since the last call."""
        return self._decode(self._reader.read(_READ) or b"")


class ScriptHost:
    """Single-threaded: one poll over the supervisor, the output files, the script's input and its end."""

    def __init__(self, order: dict[str, Any], listener: socket.socket) -> None:
        self._order, self._listener = order, listener
        name = "%s/%d" % (order["session"], order["rank"])
        self._ringer = Ringer(Path(order["bell"]), Path(order["address"]), name)
        self._folder = Path(order["journal"])
        self._journal = MaskedJournal(self._folder, order["rank"], self._ringer.ring)
        self._outputs = [_Output("stdout", self._folder / "script.out"), _Output("stderr", self._folder / "script.err")]
        self._watch = watch_files()
        for output in self._outputs:
            self._watch.add(output.path)
        self._supervisor: Optional[socket.socket] = None
        self._decoder = FrameDecoder()
        self._script: Optional[subprocess.Popen[bytes]] = None
        self._end = -1
        self._job, self._attempt = "", 0
        self._input = ScriptInput()
        self._is_done = False
        self._workspace = find_workspace(order)
        size = int(order.get("ranks") or 1)
        self._torch = TorchScript(self._folder, size) if size > 1 else None
        self._training = TrainingFeed(self._journal, self._folder, Path(order["blobs"]), self._workspace)
        self._told: dict[str, str] = {}
        self._usage = ScriptUsage(self._folder)
        self._took: dict[str, Any] = {}
        self._is_pulled = True
        self._secrets: dict[str, str] = {}
        self._node: Optional[Node] = None  # of a script that runs on several machines

    def serve(self) -> None:
        """Until the script has ended and all it wrote is in the journal."""
        while not self._is_done:
            ready = self._wait()
            if self._listener.fileno() in ready:
                self._accept()
            if self._supervisor and self._supervisor.fileno() in ready:
                self._hear(self._supervisor)
            if self._input.fileno() in ready:
                self._input.write()
            if self._watch.fileno() in ready:
                self._take_output(self._watch.read())
            if self._end in ready:
                self._finish()
            if self._node and not self._script and not self._node.find_patience():
                self._conclude(self._node.last_code)

    def _wait(self) -> set[int]:
        poll = select.poll()
        sources = [self._listener.fileno(), self._watch.fileno()]
        sources += [self._supervisor.fileno()] if self._supervisor else []
        sources += [self._end] if self._end >= 0 else []
        for source in sources:
            poll.register(source, select.POLLIN)
        if self._input.fileno() >= 0:
            poll.register(self._input.fileno(), select.POLLOUT)
        patience = self._node.find_patience() * 1000 if self._node and not self._script else None
        return {descriptor for descriptor, _ in poll.poll(patience)}

    def _accept(self) -> None:
        """A new supervisor replaces the old one, whose last words are heard first."""
        while self._supervisor:
            self._supervisor.setblocking(False)
            self._hear(self._supervisor)
        self._supervisor, _ = self._listener.accept()
        self._decoder = FrameDecoder()
        self._tell_state(self._supervisor)

    def _tell_state(self, supervisor: socket.socket) -> None:
        state = {"pid": os.getpid(), "running": self._job, "done": []}
        supervisor.sendall(encode_frame(Type.HELLO, state))

    def _hear(self, supervisor: socket.socket) -> None:
        try:
            data = supervisor.recv(_READ)
            for frame in self._decoder.feed(data):
                self._serve(frame)
        except (OSError, WireError):
            data = b""
        if not data:
            supervisor.close()
            self._supervisor = None

    def _serve(self, frame: Frame) -> None:
        if frame.type is Type.RUN and not self._script:
            self._take_job(frame)
        elif frame.type is Type.COMM and self._node:
            self._obey(self._node, frame)
        elif frame.type is Type.INPUT:
            self._input.take(frame.header)
        elif frame.type is Type.INTERRUPT and self._script:
            os.killpg(self._script.pid, signal.SIGINT)
        elif frame.type is Type.STATUS and self._supervisor:
            self._tell_state(self._supervisor)
        elif frame.type is Type.STOP:
            self._is_done = True  # the supervisor ends the whole tree

    def _take_job(self, frame: Frame) -> None:
        """Start the script, or, where it runs on several machines, wait for the word."""
        self._unpack(frame)
        self._secrets = frame.header.get("secrets") or {}
        self._journal.mask.add(self._secrets.values())
        for output in self._outputs if self._secrets else ():
            output.path.unlink()  # what it writes may hold its secrets as they are, so its files lose their names
        if frame.header.get("node"):
            self._node = Node(self._tell)
            self._node.open(self._order["python"], self._make_environment())
        else:
            self._run()

    def _obey(self, node: Node, frame: Frame) -> None:
        """What home wants of this node."""
        order, word = frame.header, node.accept(frame.header)
        if word == "reach":
            node.reach(order)
        elif word == "place" and self._workspace and not self._script:
            node.clear(self._workspace, order)
            self._put_in_place(order, memoryview(frame.body))
            self._tell({"state": "placed"})
        elif word == "begin" and not self._script:
            self._torch = TorchScript(self._folder, int(self._order.get("ranks") or 1), order["group"])
            self._run()
        elif word == "halt" and self._script:
            end_processes(make_mark(self._order["session"], self._order["rank"]), self._script.pid)
        elif word == "finish" and not self._script:
            self._is_pulled = self._is_pulled and order.get("pull", True) is not False
            self._conclude(int(order["code"]))

    def _make_environment(self) -> dict[str, str]:
        environment = dict(os.environ if self._order["environment"] is None else self._order["environment"])
        environment.update(self._secrets)
        environment[MARK] = make_mark(self._order["session"], self._order["rank"])
        if self._order["files"]:
            mark_environment(environment, self._order["files"])
        environment.update(self._told)
        return environment

    def _run(self) -> None:
        environment = self._make_environment()
        script, *words = self._order["command"]
        whole = [translate(self._order["layout"], script), *words]
        environment["PYTHONUNBUFFERED"] = "1"  # into a file Python would hold lines back until there are 8 KiB
        command, errors = [self._order["python"], *whole], self._outputs[1].file
        if self._torch:
            command = self._torch.make_command(self._order["python"], whole)
            self._torch.mark_environment(environment)
            if self._node and self._torch.group:
                self._node.prepare(self._torch.group, environment)
            errors = open(self._torch.log, "ab", buffering=0)  # noqa: SIM115 - for the script's whole life
        try:
            self._script = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if self._node else subprocess.PIPE,
                stdout=self._outputs[0].file,
                stderr=errors,
                cwd=self._order["directory"],
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self._append("stderr", "%s: %s\n" % (self._order["python"], error.strerror))
            self._conclude(127)
            return
        self._end = os.pidfd_open(self._script.pid)
        self._usage.begin({**os.environ, MARK: environment[MARK]})
        if self._script.stdin:
            self._input.open(self._script.stdin)

    def _unpack(self, frame: Frame) -> None:
        """Put the files in place that came with the script."""
        head, file = frame.header, frame.header.get("file")
        self._job, self._attempt = head["job"], head["attempt"]
        data = open_data(Path(file)) if file else memoryview(frame.body)[head.get("code", len(frame.body)) :]
        self._put_in_place(head, data)
        if file:
            os.unlink(file)
        self._told = self._training.begin(self._job, self._attempt, head.get("training"))
        self._is_pulled = head.get("pull", True) is not False

    def _put_in_place(self, head: dict[str, Any], data: memoryview) -> None:
        """Datasets that this machine has downloaded, then what came; what cannot be is said."""
        if self._workspace:
            brought = self._workspace.receive(head.get("brought") or ())
            for sentence in (*brought, *self._workspace.unpack(head.get("files") or 0, data)):
                self._append("stderr", "choline: %s\n" % sentence)
            tell_unplaced(self._workspace, self._journal, self._job, self._attempt)

    def _take_output(self, grown: list[Path]) -> None:
        for path in grown:
            for output in self._outputs:
                if output.path == path:
                    self._drain(output)

    def _drain(self, output: _Output) -> bool:
        text = output.read()
        if text:
            self._append(output.name, text)
            self._training.hear(output.name, text)
        return bool(text)

    def _append(self, name: str, text: str) -> None:
        content = json.dumps({"name": name, "text": text}).encode()
        self._journal.append(Kind.STREAM, [_HEADER, b"{}", b"{}", content], self._job, self._attempt)

    def _finish(self) -> None:
        assert self._script
        code, said, self._took = self._script.wait(), "", self._usage.end()
        if self._torch and code:  # ranks of a torchrun that was killed go on without it
            end_processes(make_mark(self._order["session"], self._order["rank"]), self._script.pid)
        for output in self._outputs:
            while self._drain(output):
                pass
        if self._node and self._torch:
            self._finish_attempt(self._node, self._torch, code)
            return
        if self._torch:
            code, said = self._torch.conclude(code)
        if said:
            self._append("stderr", said)
        self._conclude(code)

    def _finish_attempt(self, node: Node, torch: TorchScript, code: int) -> None:
        """What an attempt has written is told before its end; whether there is another is said at home."""
        self._script, self._end = None, -1
        self._training.catch_up()
        code = 0 if torch.has_succeeded(code) else code
        node.note_end(torch.group or {}, code, torch.find_cause() if code else None, torch.read_last_words())

    def _conclude(self, code: int) -> None:
        """The job is over: what it has made is told, then its end."""
        if self._node:
            self._node.close()
        self._training.finish()
        fact = json.dumps({"telemetry": {"rank": self._order["rank"], "is_end": True, **self._took}}).encode()
        self._journal.append(Kind.METRIC, [b"{}", b"{}", b"{}", fact], self._job, self._attempt)
        if self._workspace:
            announce(self._workspace, self._journal, self._job, self._attempt, self._is_pulled)
        self._close(code)

    def _tell(self, fact: dict[str, Any]) -> None:
        self._journal.append(Kind.STATE, [b"{}", b"{}", b"{}", json.dumps(fact).encode()], self._job, self._attempt)
        self._ringer.tell("input")  # home waits for it

    def _close(self, code: int) -> None:
        status = "ok" if code == 0 else "error"
        reply = {"status": status, "exit": code, "ename": "" if code == 0 else "SystemExit", "evalue": str(code)}
        state = json.dumps({"state": "done", "reply": reply}).encode()
        self._journal.append(Kind.STATE, [b"{}", b"{}", b"{}", state], self._job, self._attempt)
        self._ringer.tell("done %s" % self._job)
        self._is_done = True


def main(arguments: list[str]) -> None:  # noqa: ARG001 - every part is called alike
    """Read the order, open the socket, say so by closing standard output, serve."""
    order = json.loads(sys.stdin.read())
    Path(order["socket"]).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(order["socket"])
    listener.listen(4)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    enter_layout(order)
    host = ScriptHost(order, listener)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    host.serve()
    exit_file = Path(order["journal"]) / ("r%d.exit" % order["rank"])
    exit_file.write_text(json.dumps({"pid": os.getpid(), "code": 0}))
