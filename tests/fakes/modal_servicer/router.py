"""The calls that go to a sandbox's own machine: programs are started in it, written to, read from, waited for.

Made by `cloud`, on the service base in Modal's wheel.
"""

from __future__ import annotations

from typing import Any

from grpclib import GRPCError, Status
from modal._utils.grpc_testing import patch_mock_servicer
from modal_proto import task_command_router_pb2 as router_pb2
from modal_proto.task_command_router_grpc import TaskCommandRouterBase

from tests.fakes.modal_servicer.cloud import ModalCloud
from tests.fakes.modal_servicer.program import Program
from tests.fakes.modal_servicer.sandbox import Sandbox


@patch_mock_servicer
class RouterServicer(TaskCommandRouterBase):
    """One for each cloud; its methods are named by Modal."""

    def __init__(self, cloud: ModalCloud) -> None:
        self._cloud = cloud

    async def TaskExecStart(self, stream: Any) -> None:
        request = await stream.recv_message()
        environment = {}
        for source in request.secret_sources:
            environment.update(dict(source.inline.contents) if hasattr(source, "inline") else {})
        sandbox = self._find_sandbox(request.task_id)
        await sandbox.run(request.exec_id, list(request.command_args), environment, request.workdir)
        await stream.send_message(router_pb2.TaskExecStartResponse())

    async def TaskExecStdioRead(self, stream: Any) -> None:
        request = await stream.recv_message()
        is_error = request.file_descriptor == router_pb2.TASK_EXEC_STDIO_FILE_DESCRIPTOR_STDERR
        async for part in self._find(request).read(2 if is_error else 1, request.offset):
            await stream.send_message(router_pb2.TaskExecStdioReadResponse(data=part))

    async def TaskExecStdinWrite(self, stream: Any) -> None:
        request = await stream.recv_message()
        try:
            await self._find(request).write(request.offset, request.data, eof=request.eof)
        except ConnectionError:
            raise GRPCError(Status.FAILED_PRECONDITION, "the program takes no input any more") from None
        await stream.send_message(router_pb2.TaskExecStdinWriteResponse())

    async def TaskExecPoll(self, stream: Any) -> None:
        code = self._find(await stream.recv_message()).code
        await stream.send_message(router_pb2.TaskExecPollResponse(**({} if code is None else _say(code))))

    async def TaskExecWait(self, stream: Any) -> None:
        code = await self._find(await stream.recv_message()).wait()
        await stream.send_message(router_pb2.TaskExecWaitResponse(**_say(code)))

    def _find_sandbox(self, task: str) -> Sandbox:
        box = next((box for box in self._cloud.boxes.values() if box.task == task), None)
        if box is None or box.sandbox is None or box.result is not None:
            raise GRPCError(Status.NOT_FOUND, f"task {task} does not run")
        return box.sandbox

    def _find(self, request: Any) -> Program:
        program = self._find_sandbox(request.task_id).find(request.exec_id)
        if program is None:
            raise GRPCError(Status.NOT_FOUND, f"nothing was started as {request.exec_id}")
        return program


def _say(code: int) -> dict[str, int]:
    return {"code": code} if code >= 0 else {"signal": -code}
