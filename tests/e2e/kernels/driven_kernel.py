"""A real ipykernel, driven as a front end drives it; made by conftest.py and by tests that need one of their own."""

from __future__ import annotations

import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from tests.e2e.kernels.isolation import Isolation
from tests.e2e.kernels.kernelspec import write_kernelspec

Message = dict[str, Any]
PATIENCE = 120.0


@dataclass
class Run:
    """What one request has brought: its messages in order, its reply, and what it asked on the way."""

    msg_id: str
    messages: list[Message] = field(default_factory=list)
    reply: Message = field(default_factory=dict)
    questions: list[Message] = field(default_factory=list)
    is_idle: bool = False

    def find(self, *types: str) -> list[Message]:
        """The messages of these types."""
        return [message for message in self.messages if message["msg_type"] in types]

    def read(self, stream: str = "stdout") -> str:
        """All that was written to a stream."""
        return "".join(m["content"]["text"] for m in self.find("stream") if m["content"]["name"] == stream)

    def read_result(self) -> str:
        """The text of the cell's result."""
        results = self.find("execute_result")
        assert results, f"no result: {self.messages}"
        return str(results[0]["content"]["data"]["text/plain"])

    def read_error(self) -> str:
        """The lines that the one error shows."""
        (error,) = self.find("error")
        return "\n".join(error["content"]["traceback"])


class DrivenKernel:
    """Owns one kernel process and the client's sockets; used by one thread.

    Messages that belong to no request that is waited for gather in `others`.
    """

    def __init__(self, isolation: Isolation, python: str = sys.executable, patience: float = PATIENCE) -> None:
        self._patience = patience
        self.folder = isolation.folder
        folder = Path(isolation.environment["JUPYTER_RUNTIME_DIR"])
        self._manager = KernelManager(
            kernel_name=write_kernelspec(folder, python),
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder)]),
            transport="ipc",
            connection_file=str(folder / f"{uuid.uuid4().hex[:8]}.json"),
        )
        self._manager.start_kernel(env=isolation.environment, cwd=str(isolation.folder))
        self.client: BlockingKernelClient = self._manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=patience)
        self.others: list[Message] = []
        self._runs: dict[str, Run] = {}
        self._poller = zmq.Poller()
        for channel in (self.client.iopub_channel, self.client.stdin_channel, self.client.shell_channel):
            self._poller.register(channel.socket, zmq.POLLIN)

    def start(self, code: str, *, allow_stdin: bool = True) -> Run:
        """Send a cell and return at once; `finish` waits for it."""
        # One that fails does not take those with it that are sent behind it: here they are sent on purpose.
        msg_id = self.client.execute(code, allow_stdin=allow_stdin, stop_on_error=False)
        return self._runs.setdefault(msg_id, Run(msg_id))

    def run(self, code: str, answers: Iterable[str] = (), *, allow_stdin: bool = True) -> Run:
        """Run a cell to its end, typing `answers` as it asks."""
        return self.finish(self.start(code, allow_stdin=allow_stdin), answers)

    def start_comm(self, comm_id: str, data: dict[str, Any], buffers: Iterable[bytes] = (), **header: str) -> Run:
        """Send a comm message as a front end's widget does and return at once; `finish` waits until it is handled."""
        message = self.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        message["header"].update(header)
        run = self._runs[message["header"]["msg_id"]] = Run(message["header"]["msg_id"], reply={"status": "none"})
        self.client.session.send(self.client.shell_channel.socket, message, buffers=list(buffers))
        return run

    def create_subshell(self) -> str:
        """Have the kernel serve another row of messages next to its main one."""
        self.client.control_channel.send(self.client.session.msg("create_subshell_request", {}))
        return str(self.client.get_control_msg(timeout=self._patience)["content"]["subshell_id"])

    def list_comms(self) -> dict[str, dict[str, str]]:
        """What the kernel says of its open comms."""
        run = Run(self.client.comm_info())
        self._runs[run.msg_id] = run
        return dict(self.finish(run).reply["comms"])

    def finish(self, run: Run, answers: Iterable[str] = ()) -> Run:
        """Read until the request has its reply and the kernel is idle again."""
        remaining = iter(answers)
        asked = len(run.questions)
        deadline = time.monotonic() + self._patience
        while not (run.is_idle and run.reply):
            self._read(deadline)
            if len(run.questions) > asked:
                asked = len(run.questions)
                self.client.input(next(remaining))
        del self._runs[run.msg_id]
        return run

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Read messages until the condition holds."""
        deadline = time.monotonic() + self._patience
        while not condition():
            self._read(deadline)

    def read_others(self, run: Run) -> str:
        """Text and displays that a request has put out after its end."""
        contents = [m["content"] for m in self.others if m["parent_header"].get("msg_id") == run.msg_id]
        return "".join(content.get("text", "") or content.get("data", {}).get("text/plain", "") for content in contents)

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def kill(self) -> None:
        """End the process without asking, as a crash does."""
        self._manager.signal_kernel(signal.SIGKILL)
        self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def close(self) -> None:
        self.client.stop_channels()
        self._manager.shutdown_kernel()

    def _read(self, deadline: float) -> None:
        """Take one round of messages from the sockets; fails when nothing comes until the deadline."""
        left = deadline - time.monotonic()
        if left <= 0 or not self._manager.is_alive():
            state = "alive" if self._manager.is_alive() else "dead"
            raise AssertionError(f"the kernel is {state} and nothing came in time; waiting for {self._runs.values()}")
        ready = dict(self._poller.poll(int(min(left, 1.0) * 1000)))
        if self.client.iopub_channel.socket in ready:
            self._take_output(self.client.get_iopub_msg(timeout=0))
        if self.client.stdin_channel.socket in ready:
            question = self.client.get_stdin_msg(timeout=0)
            self._runs[question["parent_header"]["msg_id"]].questions.append(question)
        if self.client.shell_channel.socket in ready:
            self._take_reply(self.client.get_shell_msg(timeout=0))

    def _take_output(self, message: Message) -> None:
        run = self._runs.get(message["parent_header"].get("msg_id"))
        if run is None:
            self.others.append(message)
        elif message["msg_type"] == "status":
            run.is_idle = message["content"]["execution_state"] == "idle"
        elif message["msg_type"] != "execute_input":
            run.messages.append(message)

    def _take_reply(self, message: Message) -> None:
        """Replies to what nobody waits for any more (the client's first questions) say nothing."""
        run = self._runs.get(message["parent_header"]["msg_id"])
        if run:
            run.reply = message["content"]
