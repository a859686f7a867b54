"""The calls of Modal's control plane that its package makes for sandboxes, on the service base in its own wheel.

Made by `cloud`. What is not here is answered with UNIMPLEMENTED, as the package's own test helper does it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf import empty_pb2
from grpclib import GRPCError, Status
from modal._utils.grpc_testing import patch_mock_servicer
from modal_proto import api_pb2
from modal_proto.api_grpc import ModalClientBase

from tests.fakes.modal_servicer.cloud import Box, ModalCloud, make_jwt

_BUILDER = "2025.06"
_PAGE = 25
_WORKS = api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_SUCCESS)
_FAULTS = {"401": Status.UNAUTHENTICATED, "403": Status.PERMISSION_DENIED, "404": Status.NOT_FOUND,
           "410": Status.INVALID_ARGUMENT, "429": Status.RESOURCE_EXHAUSTED, "400": Status.INVALID_ARGUMENT}  # fmt: skip


@patch_mock_servicer
class ControlServicer(ModalClientBase):
    """One for each cloud; its methods are named by Modal."""

    def __init__(self, cloud: ModalCloud) -> None:
        self._cloud = cloud
        self._listed: list[api_pb2.SandboxInfo] = []

    async def ClientHello(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(api_pb2.ClientHelloResponse())

    async def AuthTokenGet(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(api_pb2.AuthTokenGetResponse(token=make_jwt()))

    async def EnvironmentGetOrCreate(self, stream: Any) -> None:
        request = await stream.recv_message()
        settings = api_pb2.EnvironmentSettings(image_builder_version=_BUILDER)
        metadata = api_pb2.EnvironmentMetadata(name=request.deployment_name or "main", settings=settings)
        await stream.send_message(api_pb2.EnvironmentGetOrCreateResponse(environment_id="en-fake", metadata=metadata))

    async def AppGetOrCreate(self, stream: Any) -> None:
        request = await stream.recv_message()
        app = self._cloud.apps.setdefault(request.app_name, f"ap-{len(self._cloud.apps)}")
        await stream.send_message(api_pb2.AppGetOrCreateResponse(app_id=app))

    async def ImageGetOrCreate(self, stream: Any) -> None:
        """It is there at once."""
        request = await stream.recv_message()
        self._cloud.images.append(request.image)
        metadata = api_pb2.ImageMetadata(image_builder_version=_BUILDER)
        await stream.send_message(
            api_pb2.ImageGetOrCreateResponse(image_id="im-fake", result=_WORKS, metadata=metadata)
        )

    async def VolumeGetOrCreate(self, stream: Any) -> None:
        request = await stream.recv_message()
        self._cloud.find_volume(request.deployment_name)
        metadata = api_pb2.VolumeMetadata(name=request.deployment_name)
        volume = self._cloud.volumes[request.deployment_name]
        await stream.send_message(api_pb2.VolumeGetOrCreateResponse(volume_id=volume, metadata=metadata))

    async def WorkspaceNameLookup(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(api_pb2.WorkspaceNameLookupResponse(workspace_name="fake", username="fake"))

    async def WorkspaceBillingRates(self, stream: Any) -> None:
        await stream.recv_message()
        self._note("offers")
        await stream.send_message(api_pb2.WorkspaceBillingRatesResponse(rates=self._cloud.rates))

    async def SandboxCreate(self, stream: Any) -> None:
        handle = await self._create(stream, has_new_api=False)
        await stream.send_message(api_pb2.SandboxCreateResponse(sandbox_id=handle))

    async def SandboxCreateV2(self, stream: Any) -> None:
        handle = await self._create(stream, has_new_api=True)
        await stream.send_message(
            api_pb2.SandboxCreateV2Response(sandbox_id=handle, task_id=self._cloud.boxes[handle].task)
        )

    async def SandboxGetTaskId(self, stream: Any) -> None:
        """It has one when a machine was found for it."""
        request = await stream.recv_message()
        box = self._find(request.sandbox_id)
        if box.result is not None:
            await stream.send_message(api_pb2.SandboxGetTaskIdResponse(task_result=box.result))
            return
        self._cloud.looked.set()
        is_up = self._cloud.look(self._cloud.rentals[request.sandbox_id]) == "running"
        await stream.send_message(api_pb2.SandboxGetTaskIdResponse(task_id=box.task if is_up else ""))

    async def TaskGetCommandRouterAccess(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(api_pb2.TaskGetCommandRouterAccessResponse(url=self._cloud.url, jwt=make_jwt()))

    async def SandboxGetCommandRouterAccess(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(api_pb2.SandboxGetCommandRouterAccessResponse(url=self._cloud.url, jwt=make_jwt()))

    async def SandboxWait(self, stream: Any) -> None:
        """At most so long as the call asks for."""
        request = await stream.recv_message()
        self._note("describe")
        await self._cloud.expire()
        box = self._find(request.sandbox_id)
        try:
            await asyncio.wait_for(box.ended.wait(), request.timeout or 0.001)
        except asyncio.TimeoutError:
            pass
        await stream.send_message(api_pb2.SandboxWaitResponse(result=box.result))

    async def SandboxTerminate(self, stream: Any) -> None:
        request = await stream.recv_message()
        self._find(request.sandbox_id)
        fault = self._note("destroy", later=True)
        await self._cloud.finish(request.sandbox_id, api_pb2.GenericResult.GENERIC_STATUS_TERMINATED)
        _raise(fault)
        await stream.send_message(api_pb2.SandboxTerminateResponse())

    async def SandboxList(self, stream: Any) -> None:
        """Newest first; what is asked for next is older than the last one of these."""
        request = await stream.recv_message()
        self._note("list")
        await self._cloud.expire()
        before = request.before_timestamp or float("inf")
        if not request.before_timestamp:
            self._listed = self._list(request)
        page = [info for info in self._listed if info.created_at < before][:_PAGE]
        await stream.send_message(api_pb2.SandboxListResponse(sandboxes=page))

    async def SandboxTagsGet(self, stream: Any) -> None:
        request = await stream.recv_message()
        label = self._cloud.rentals[request.sandbox_id].label
        tags = {**self._find(request.sandbox_id).tags, **({"choline-label": label} if label else {})}.items()
        listed = [api_pb2.SandboxTag(tag_name=name, tag_value=value) for name, value in tags]
        await stream.send_message(api_pb2.SandboxTagsGetResponse(tags=listed))

    async def SandboxTagsSet(self, stream: Any) -> None:
        request = await stream.recv_message()
        self._find(request.sandbox_id).tags = {tag.tag_name: tag.tag_value for tag in request.tags}
        await stream.send_message(empty_pb2.Empty())

    SandboxWaitV2, SandboxTerminateV2, SandboxListV2 = SandboxWait, SandboxTerminate, SandboxList
    SandboxTagsGetV2, SandboxTagsSetV2, SandboxGetTaskIdV2 = SandboxTagsGet, SandboxTagsSet, SandboxGetTaskId

    def _find(self, handle: str) -> Box:
        if handle not in self._cloud.boxes:
            raise GRPCError(Status.NOT_FOUND, f"Sandbox {handle} not found")
        return self._cloud.boxes[handle]

    async def _create(self, stream: Any, *, has_new_api: bool) -> str:
        request = await stream.recv_message()
        fault = self._note("create", later=True)
        making = self._cloud.make(request, has_new_api=has_new_api, key=stream.metadata["x-idempotency-key"])
        handle = await asyncio.shield(asyncio.ensure_future(making))  # whoever asked may go away
        _raise(fault)
        return handle

    def _list(self, request: api_pb2.SandboxListRequest) -> list[api_pb2.SandboxInfo]:
        wanted = {tag.tag_name: tag.tag_value for tag in request.tags}.items()
        shown = []
        for rental in sorted(self._cloud.list_visible(), key=lambda rental: -rental.created_at):
            box = self._cloud.boxes[rental.handle]
            if box.app == request.app_id and wanted <= box.tags.items():
                task = api_pb2.TaskInfo(id=box.task, result=box.result if rental.state != "gone" else None)
                shown.append(api_pb2.SandboxInfo(id=rental.handle, created_at=rental.created_at, task_info=task))
        return shown

    def _note(self, call: str, *, later: bool = False) -> str:
        """Count the call, and fail as ordered; a fault that comes after the act is returned when `later` is possible."""
        self._cloud.calls.append(call)
        fault = next((fault for fault in self._cloud.faults if fault.call == call and fault.count > 0), None)
        if fault is None:
            return ""
        fault.count -= 1
        if later and fault.kind in ("500-created", "timeout"):
            return fault.kind
        _raise(fault.kind)
        return ""


def _raise(kind: str) -> None:
    """The fault as the package sees it: a status of gRPC."""
    if kind:
        raise GRPCError(_FAULTS.get(kind, Status.INTERNAL), f"made to fail: {kind}")
