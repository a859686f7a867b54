"""Modal as a fake cloud: sandboxes are its rentals, with their bill, their timeout and their end on command.

Used by tests through Modal's own package, which finds it by its address. The calls are in `control` and `router`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import shutil
import socket
import string
import tempfile
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from grpclib import GRPCError, Status
from grpclib.events import RecvRequest, listen
from grpclib.protocol import H2Protocol
from grpclib.server import Server
from modal_proto import api_pb2

from choline_jupyter.model.offer import Price
from tests.fakes.cloud import Cloud, Rental
from tests.fakes.modal_servicer.sandbox import Sandbox

TOKEN = ("ak-fake", "as-fake")
RATES = {"gpu_t4": 0.000164, "gpu_a100_40gb": 0.000583, "gpu_a100_80gb": 0.000694, "gpu_h100": 0.001097,
         "gpu_l4": 0.000222, "gpu_a10": 0.000306, "gpu_l40s": 0.000542, "gpu_h200": 0.001261, "gpu_b200": 0.001736,
         "sandbox_cpu": 0.00003942, "sandbox_memory": 0.00000672, "cpu": 0.0000131, "memory": 0.00000222}  # fmt: skip
_PATIENCE = 20.0
Result = TypeVar("Result")
Status_ = api_pb2.GenericResult


@dataclass
class Box:
    """What Modal knows of one sandbox beside its rental."""

    definition: api_pb2.Sandbox
    app: str
    tags: dict[str, str]
    task: str
    has_new_api: bool  # of a sandbox without GPU: other calls, other ids
    sandbox: Sandbox | None = None
    result: api_pb2.GenericResult | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class ModalCloud(Cloud):
    """Owns, beside what every fake cloud does, a thread with the loop in which the servicer and the sandboxes live."""

    def __init__(self, *, has_machines: bool = True) -> None:
        super().__init__(has_machines=has_machines, key=":".join(TOKEN))
        self.boot_looks = 0
        self.boxes: dict[str, Box] = {}
        self.apps: dict[str, str] = {}
        self.looked = threading.Event()  # somebody waits for a machine
        self.images: list[api_pb2.Image] = []  # layers that were asked for
        self.volumes: dict[str, str] = {}
        self.rates = {key: str(rate) for key, rate in RATES.items()}
        self.asked: dict[str, str] = {}  # sandbox ids by the key with which a call may be sent again
        self.folder = Path(tempfile.mkdtemp(prefix="chv-"))
        self.loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._loop_thread.start()
        self.port = self.call(self._serve_calls())
        self.url = f"http://127.0.0.1:{self.port}"

    def tell(self) -> dict[str, str]:
        """What the file of CHOLINE_FAKE_CLOUD says of it."""
        return {"url": self.url, "key": self.key}

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run it in the servicer's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(_PATIENCE)

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self.call(self.expire())

    def preempt(self, handle: str) -> None:
        """Take its machine away."""
        self.call(self.finish(handle, Status_.GENERIC_STATUS_TERMINATED, "preempted"))

    def copy(self, handle: str, name: str, label: str) -> None:
        """One more like another; Modal's listing goes back in time, so it is a little older."""
        with self.lock:
            rental = self.rentals[handle]
            earlier = rental.created_at - len(self.boxes) / 1000
            self.rentals[name] = dataclasses.replace(rental, handle=name, label=label, created_at=earlier, periods=[])
            self.boxes[name] = dataclasses.replace(self.boxes[handle], sandbox=None, tasks=[], ended=asyncio.Event())

    def list_alive(self) -> list[Rental]:
        self.call(self.expire())
        return super().list_alive()

    def close(self) -> None:
        for handle in list(self.boxes):
            self.call(self.finish(handle, Status_.GENERIC_STATUS_TERMINATED))
        self.call(self._stop_calls())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._loop_thread.join(_PATIENCE)
        self.loop.close()
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def find_volume(self, name: str) -> Path:
        """The folder of a volume; made with it."""
        folder = self.folder / self.volumes.setdefault(name, f"vo-{secrets.token_hex(8)}")
        folder.mkdir(exist_ok=True)
        return folder

    async def make(self, request: Any, *, has_new_api: bool, key: str) -> str:
        """A sandbox for this order, begun; its id. An order with a key that was seen makes no other."""
        if key in self.asked:
            return self.asked[key]
        definition = request.definition
        name = definition.name
        if name and any(box.definition.name == name and box.result is None for box in self.boxes.values()):
            raise GRPCError(Status.ALREADY_EXISTS, f"a sandbox named {name} runs")
        handle = "sb-" + "".join(secrets.choice(string.ascii_letters) for _ in range(26 if has_new_api else 22))
        task = f"ta-{secrets.token_hex(8)}{'V' if has_new_api else ''}"
        tags = {tag.tag_name: tag.tag_value for tag in request.tags}
        box = self.boxes[handle] = Box(definition, request.app_id, tags, task, has_new_api)
        self.asked[key] = handle
        price = Price(3600 * _find_rate(definition.resources))
        self.rent(
            Rental(
                handle, tags.get("choline-label", ""), definition.resources.gpu_config.gpu_type, price, 0, self.now()
            )
        )
        if self.has_machines:
            await self._start(handle, box)
        return handle

    async def finish(self, handle: str, status: Any, exception: str = "", code: int = 0) -> None:
        """It ends now, for this reason; the first one counts."""
        box = self.boxes[handle]
        if box.result is not None:
            return
        box.result = Status_(status=status, exception=exception, exitcode=code)
        self.end(handle)
        for task in box.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if box.sandbox:
            await box.sandbox.end()
        box.ended.set()

    async def expire(self) -> None:
        """End what is older than it may become."""
        for handle, box in self.boxes.items():
            if self.now() >= self.rentals[handle].created_at + box.definition.timeout_secs:
                await self.finish(handle, Status_.GENERIC_STATUS_TIMEOUT)

    async def _start(self, handle: str, box: Box) -> None:
        names = {identity: name for name, identity in self.volumes.items()}
        volumes = {mount.mount_path: self.find_volume(names[mount.volume_id]) for mount in box.definition.volume_mounts}
        box.sandbox = Sandbox(list(box.definition.entrypoint_args), volumes)
        await box.sandbox.start()
        box.tasks = [
            asyncio.create_task(self._watch(handle, box.sandbox)),
            asyncio.create_task(self._time(handle, box)),
        ]

    async def _watch(self, handle: str, sandbox: Sandbox) -> None:
        code = await sandbox.wait()
        status = Status_.GENERIC_STATUS_FAILURE if code else Status_.GENERIC_STATUS_SUCCESS
        await self.finish(handle, status, code=code)

    async def _time(self, handle: str, box: Box) -> None:
        await asyncio.sleep(box.definition.timeout_secs)
        await self.finish(handle, Status_.GENERIC_STATUS_TIMEOUT)

    async def _serve_calls(self) -> int:
        from tests.fakes.modal_servicer.control import ControlServicer
        from tests.fakes.modal_servicer.router import RouterServicer

        # the package's helper fills in what is abstract, which mypy cannot see
        services: list[Any] = [ControlServicer(self), RouterServicer(self)]  # type: ignore[abstract]
        self._calls = _Server(services)
        listen(self._calls, RecvRequest, self._check)
        bound = socket.socket(
            socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
        )  # by the last asyncio knows: no delay
        bound.bind(("127.0.0.1", 0))
        await self._calls.start(sock=bound)
        return int(bound.getsockname()[1])

    async def _stop_calls(self) -> None:
        self._calls.close()
        await self._calls.wait_closed()
        self._calls.cut()
        await asyncio.sleep(0)  # transports close in the loop's next step

    async def _check(self, event: RecvRequest) -> None:
        """Who calls: an account by its token, a sandbox's router by the key that was given out for it."""
        told = event.metadata
        if "TaskCommandRouter" in event.method_name:
            is_known = told.get("authorization") == f"Bearer {make_jwt()}"
        else:
            is_known = (told.get("x-modal-token-id"), told.get("x-modal-token-secret")) == tuple(self.key.split(":"))
        if not is_known:
            raise GRPCError(Status.UNAUTHENTICATED, "token not known")


class _Server(Server):
    """Remembers its connections: grpclib leaves them open when it is closed."""

    def __init__(self, services: list[Any]) -> None:
        super().__init__(services)
        self._accepted: list[H2Protocol] = []

    def cut(self) -> None:
        for protocol in self._accepted:
            protocol.connection.close()

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        self._accepted.append(protocol)
        return protocol


def make_jwt() -> str:
    """A key of the shape that Modal's package reads an end of validity from."""
    import base64
    import json

    def encode(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{encode({'alg': 'none'})}.{encode({'exp': 4_102_444_800})}.x"


def _find_rate(resources: api_pb2.Resources) -> float:
    """USD per second, as the limits say."""
    gpu = resources.gpu_config
    name = "gpu_" + gpu.gpu_type.lower().replace("-", "_")
    machine = RATES["sandbox_cpu"] * resources.milli_cpu / 1000 + RATES["sandbox_memory"] * resources.memory_mb / 1024
    return machine + (RATES.get(name, 0.0) * gpu.count if gpu.gpu_type else 0.0)
