"""The provider `lambda`: virtual machines of Lambda Cloud, by its REST API.

Found through the registry. A machine there is launched, restarted or terminated, never stopped; it bills until it is
terminated, and nothing on it can do that without a key for the whole account: it needs this laptop. Its host key is set by
cloud-init before its sshd starts. Facts and limits: docs/providers.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import quote

from choline_jupyter.model.gpu import UnknownGpu, find_gpu
from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import ANYTHING, GIB, Offer, Price, Wish
from choline_jupyter.providers.api import expect
from choline_jupyter.providers.failure import Absent, Refused, Unreadable, Unsure
from choline_jupyter.providers.fit import fits
from choline_jupyter.providers.provider import LABEL, PRICE_LIVE, STARTUP, Order, Sighting
from choline_jupyter.providers.rest import RestProvider, reading

TAG = "choline"  # holds the label, which a user cannot change by renaming the machine
_LONGEST_NAME = 64
# Seconds: the documentation asks for 1 and 10, and not every call is equally long on its way.
_BETWEEN_CALLS, _BETWEEN_LAUNCHES = 1.1, 11.0
_STATES = {
    "booting": InstanceState.BOOTING,
    "active": InstanceState.READY,
    "unhealthy": InstanceState.UNKNOWN,
    "preempted": InstanceState.PREEMPTED,
    "terminating": InstanceState.DESTROYING,
    "terminated": InstanceState.GONE,
}


class LambdaProvider(RestProvider):
    """One account. Waits its turn before each call: one a second, one launch in ten."""

    name: ClassVar[str] = "lambda"
    capabilities: ClassVar[frozenset[str]] = frozenset({LABEL, STARTUP, PRICE_LIVE})
    user: ClassVar[str] = "ubuntu"  # of every image there
    boot: ClassVar[float] = 1200.0
    url: ClassVar[str] = "https://cloud.lambdalabs.com"
    url_variable: ClassVar[str] = "LAMBDA_CLOUD_BASE_URL"
    key_variables: ClassVar[tuple[str, ...]] = (
        "LAMBDA_API_KEY", "LAMBDA_CLOUD_API_TOKEN", "LAMBDA_CLOUD_TOKEN", "LAMBDA_API_TOKEN",
    )  # fmt: skip
    key_files: ClassVar[tuple[str, ...]] = ("~/.lambda_cloud/lambda_keys",)
    keys_at: ClassVar[str] = "https://cloud.lambda.ai/api-keys/cloud-api"

    async def list_offers(self, wish: Wish = ANYTHING) -> list[Offer]:
        rows = expect(dict, await self._get("instance-types", dict), "machines")
        with reading("machines"):
            offers = [offer for row in rows.values() for offer in _read_offers(row)]
        return sorted((offer for offer in offers if fits(offer, wish)), key=lambda offer: offer.price.hour)

    async def create(self, order: Order) -> str:
        if len(order.label) > _LONGEST_NAME:
            raise Refused(f"The label {order.label[:80]!r} is longer than {_LONGEST_NAME} characters.")
        body = {
            "region_name": order.offer.detail["region"],
            "instance_type_name": order.offer.detail["type"],
            "ssh_key_names": [await self._register(order.public_key)],
            "name": order.label,
            "tags": [{"key": TAG, "value": order.label}],
            "user_data": write_user_data(order),
            **({"image": {"family": order.image}} if order.image else {}),
        }
        await self.wait_turn("launch", _BETWEEN_LAUNCHES)
        answer = await self._call("POST", "instance-operations/launch", body)
        with reading("new machine"):
            [handle] = answer["data"]["instance_ids"]
            return str(expect(str, handle, "new machine"))

    async def list_mine(self) -> list[Sighting]:
        rows = await self._get("instances", list)
        with reading("list of machines"):
            sightings = [_read_instance(row) for row in rows]
        return [sighting for sighting in sightings if sighting.state is not InstanceState.GONE]

    async def describe(self, handle: str) -> Sighting | None:
        try:
            row = await self._get(f"instances/{quote(handle, safe='')}", dict)
        except Absent:
            return None
        with reading("machine"):
            sighting = _read_instance(row)
        if sighting.handle != handle:
            raise Unreadable(f"Asked for {handle}, {self.name} has told of another machine.")
        return None if sighting.state is InstanceState.GONE else sighting

    async def destroy(self, handle: str) -> None:
        try:
            await self._call("POST", "instance-operations/terminate", {"instance_ids": [handle]})
        except Absent:
            return

    async def _register(self, public_key: str) -> str:
        """The name of our key in the account, where it is put if it is not there. Nothing has been launched yet, so that
        no failure leaves anything in doubt.
        """
        try:
            return await self._find_key_name(public_key) or await self._add_key(public_key)
        except (Unsure, Unreadable) as error:
            raise Refused(f"The key for the new machine could not be registered. {error}", error.hint) from None

    async def _find_key_name(self, public_key: str) -> str:
        rows = await self._get("ssh-keys", list)
        with reading("keys"):
            return next(
                (str(row["name"]) for row in rows if row["public_key"].split()[:2] == public_key.split()[:2]), ""
            )

    async def _add_key(self, public_key: str) -> str:
        """Its name says which key it is: two clients that are the first at once mean the same."""
        name = f"choline-{hashlib.sha256(public_key.encode()).hexdigest()[:16]}"
        try:
            await self._call("POST", "ssh-keys", {"name": name, "public_key": public_key})
        except Refused:
            if await self._find_key_name(public_key) != name:
                raise
        return name

    async def _get(self, path: str, kind: type) -> Any:
        with reading(path):
            return expect(kind, expect(dict, await self._call("GET", path), path)["data"], path)

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        await self.wait_turn("call", _BETWEEN_CALLS)
        return await self.ask(method, f"/api/v1/{path}", body)


def write_user_data(order: Order) -> str:
    """cloud-init's configuration: the host key before sshd starts, our key for the user, then the startup script as root.
    It is JSON, which is YAML.
    """
    config: dict[str, Any] = {"ssh_deletekeys": True}
    if order.host_key:
        config["ssh_keys"] = {"ed25519_private": order.host_key}
    if order.public_key:
        config["ssh_authorized_keys"] = [order.public_key]
    if order.startup:
        config["runcmd"] = [["sh", "-c", order.startup]]
    return f"#cloud-config\n{json.dumps(config)}\n"


def _read_offers(row: dict[str, Any]) -> Iterator[Offer]:
    """One for each region that has the machine now."""
    kind, specs = row["instance_type"], row["instance_type"]["specs"]
    gpu, memory = _read_gpu(kind["gpu_description"]) if specs["gpus"] else ("", 0)
    for region in row["regions_with_capacity_available"]:
        yield Offer(
            "lambda",
            f"{kind['name']} in {region['name']}",
            gpu,
            int(specs["gpus"]),
            memory,
            int(specs["vcpus"]),
            int(specs["memory_gib"]) * GIB,
            int(specs["storage_gib"]) * GIB,
            Price(hour=int(kind["price_cents_per_hour"]) / 100, step=60.0),
            region=str(region["name"]),
            detail={"type": str(kind["name"]), "region": str(region["name"])},
        )


def _read_gpu(description: str) -> tuple[str, int]:
    """Its name, and its memory where that is known."""
    try:
        gpu = find_gpu(description)
    except UnknownGpu:
        return description, 0
    return gpu.name, gpu.memory


def _read_instance(row: dict[str, Any]) -> Sighting:
    tags = {tag["key"]: str(tag["value"]) for tag in row.get("tags") or ()}
    state = _STATES.get(row["status"], InstanceState.UNKNOWN)
    address = f"{LambdaProvider.user}@{row['ip']}" if row.get("ip") else ""
    if state is InstanceState.READY and not address:
        state = InstanceState.BOOTING
    return Sighting(
        str(expect(str, row["id"], "machine")),
        tags.get(TAG) or str(row.get("name") or ""),
        state,
        "" if state is InstanceState.READY else str(row["status"]),
        address,
        hour=int(row["instance_type"]["price_cents_per_hour"]) / 100,
    )
