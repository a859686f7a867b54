"""The peer: a plain ipykernel, driven by jupyter_client's own blocking client.

With choline's extension loaded in it, it is also what a whole `%%choline` cell goes through.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Mapping
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from jupyter_client.session import Session

from tests.benchmarks.timing import Timing
from tests.source_tree import ROOT

PATIENCE = 120.0
LOST_AFTER = 2.0  # seconds without a message behind the reply: what has not come by then was dropped
OUTPUTS = {"stream", "display_data", "execute_result", "error"}


class PlainKernel:
    """One kernel process and one client of it, used by one thread."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._manager = KernelManager(kernel_name="python3")
        variables = {**os.environ, **(environment or {}), "PYTHONPATH": str(ROOT)}
        self._manager.start_kernel(env=variables)
        self.client: BlockingKernelClient = self._manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(self, code: str) -> Timing:
        """Run a cell and read all that it puts out, up to its `idle` and its reply."""
        start = time.perf_counter()
        request = self.client.execute(code)
        timing = Timing()
        while (message := self._read()) is not None:
            if message["parent_header"].get("msg_id") != request:
                continue
            if _is_idle(message):
                break
            _count(message, timing, start)
        else:
            timing.is_complete = False
        self.client.get_shell_msg(timeout=PATIENCE)
        timing.done = time.perf_counter() - start
        if not timing.is_complete:
            timing.done -= LOST_AFTER
        return timing

    def evaluate(self, code: str) -> str:
        """The text of a cell's result, empty for a cell without one; raises RuntimeError when it fails."""
        shown: list[dict[str, Any]] = []
        reply = self.client.execute_interactive(code, timeout=PATIENCE, output_hook=shown.append)
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"]["traceback"]))
        results = [message["content"] for message in shown if message["msg_type"] == "execute_result"]
        return str(results[-1]["data"]["text/plain"]) if results else ""

    def close(self) -> None:
        self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def _read(self) -> dict[str, Any] | None:
        """The next message; None when the cell's reply has come and nothing follows it any more."""
        waited = 0.0
        while waited < PATIENCE:
            try:
                message: dict[str, Any] = self.client.get_iopub_msg(timeout=LOST_AFTER)
                return message
            except queue.Empty:
                waited += LOST_AFTER
            if self.client.shell_channel.msg_ready():
                return None
        raise TimeoutError("a plain kernel has been silent for too long")


class RawClient:
    """The floor: the same kernel's sockets, read by pyzmq alone, without jupyter_client's channels."""

    def __init__(self, kernel: PlainKernel) -> None:
        self._context = zmq.Context()
        self._session = Session(key=kernel.client.session.key)  # of its own: one refuses what it has seen before
        info = kernel.client.get_connection_info()
        self._shell = self._connect(zmq.DEALER, info["shell_port"])
        self._iopub = self._connect(zmq.SUB, info["iopub_port"])
        self._iopub.setsockopt(zmq.SUBSCRIBE, b"")
        while not self._iopub.poll(100):  # the kernel learns of a subscription some time after it was made
            kernel.run("None")

    def run(self, code: str) -> Timing:
        start = time.perf_counter()
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        sent: Any = self._session.send(self._shell, "execute_request", content)
        request = sent["header"]["msg_id"]
        timing = Timing()
        while True:
            _, parts = self._session.feed_identities(self._iopub.recv_multipart())
            message = self._session.deserialize(parts)
            if message["parent_header"].get("msg_id") == request:
                if _is_idle(message):
                    break
                _count(message, timing, start)
        self._shell.recv_multipart()
        timing.done = time.perf_counter() - start
        return timing

    def close(self) -> None:
        self._context.destroy(linger=0)

    def _connect(self, kind: int, port: int) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.connect(f"tcp://127.0.0.1:{port}")
        return socket


def _is_idle(message: dict[str, Any]) -> bool:
    return bool(message["msg_type"] == "status" and message["content"]["execution_state"] == "idle")


def _count(message: dict[str, Any], timing: Timing, start: float) -> None:
    if message["msg_type"] not in OUTPUTS:
        return
    if not timing.messages:
        timing.first = time.perf_counter() - start
    timing.messages += 1
    if message["msg_type"] == "stream":
        timing.lines += message["content"]["text"].count("\n")
    elif message["msg_type"] == "error":
        raise RuntimeError("\n".join(message["content"]["traceback"]))
