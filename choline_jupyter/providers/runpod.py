"""The provider `runpod`: pods (containers) of RunPod, by version 2 of its REST API.

Found through the registry. A pod's start command runs our startup script and then the image's own: the host key is ours
before its sshd starts, and the watchdog ends the pod with the key that RunPod gives each pod for itself. Only container disk
is rented: it is erased, and free, when a pod stops, so a stopped pod is as good as none. Facts and limits: docs/providers.md.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from choline_jupyter.model.gpu import UnknownGpu, find_gpu
from choline_jupyter.model.instance import InstanceState
from choline_jupyter.model.offer import ANYTHING, GIB, Offer, Price, Wish
from choline_jupyter.providers.api import expect
from choline_jupyter.providers.failure import Absent, ProviderFailure, Unreadable
from choline_jupyter.providers.fit import fits
from choline_jupyter.providers.provider import (
    BILLED,
    LABEL,
    MULTI_NODE,
    PRICE_LIVE,
    SELF_DESTROY,
    STARTUP,
    Order,
    Sighting,
)
from choline_jupyter.providers.rest import RestProvider, reading

IMAGE = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"
CLOUDS = ("SECURE", "COMMUNITY")
NETWORK = "global"  # RunPod's private network of all pods of an account that ask for it
_DISK = 0.10  # USD per GB and month of container disk, while a pod runs
_STATES = {
    "PROVISIONING": InstanceState.CREATING,
    "STARTING": InstanceState.BOOTING,
    "RUNNING": InstanceState.READY,
    "EXITED": InstanceState.DEAD,
    "ERROR": InstanceState.DEAD,
    "TERMINATED": InstanceState.GONE,
}
_REASONS = {
    "PROVISIONING": "no machine has been found for it yet",
    "EXITED": "its container has ended, and its disk is erased",
    "ERROR": "its container cannot run",
}
# The script goes through a variable, which user code need not see: the image's own start hands on what it finds.
_START = (
    "bash -c 'printf %s $CHOLINE_STARTUP | base64 -d > /tmp/choline-startup; unset CHOLINE_STARTUP;"
    " sh /tmp/choline-startup; rm -f /tmp/choline-startup; [ -x /start.sh ] && exec /start.sh;"
    " command -v sshd > /dev/null || { apt-get update && apt-get install -y openssh-server; };"
    " mkdir -p /run/sshd; exec $(command -v sshd) -D'"
)
# Which of them a pod has and may do is RunPod's: each ends what is paid for, because only container disk is rented.
_END = """\
curl -fsS -m 30 -X DELETE -H "Authorization: Bearer $RUNPOD_API_KEY" {url}/v2/pods/$RUNPOD_POD_ID ||
curl -fsS -m 30 -H "Authorization: Bearer $RUNPOD_API_KEY" -H "Content-Type: application/json" \\
    -d '{{"action":"stop"}}' {url}/v2/pods/$RUNPOD_POD_ID/action ||
runpodctl pod delete $RUNPOD_POD_ID || runpodctl remove pod $RUNPOD_POD_ID || runpodctl stop pod $RUNPOD_POD_ID"""


class RunPodProvider(RestProvider):
    """One account. Its registered ssh keys are left alone: each pod is given ours."""

    name: ClassVar[str] = "runpod"
    capabilities: ClassVar[frozenset[str]] = frozenset({LABEL, STARTUP, SELF_DESTROY, PRICE_LIVE, BILLED, MULTI_NODE})
    url: ClassVar[str] = "https://api.runpod.io"
    url_variable: ClassVar[str] = "RUNPOD_API_BASE_URL"
    key_variables: ClassVar[tuple[str, ...]] = ("RUNPOD_API_KEY",)
    key_files: ClassVar[tuple[str, ...]] = ("~/.runpod/config.toml",)
    keys_at: ClassVar[str] = "https://console.runpod.io/user/settings"

    async def list_offers(self, wish: Wish = ANYTHING) -> list[Offer]:
        clouds, connected = (CLOUDS[:1], await self._list_connected()) if wish.network else (CLOUDS, None)
        lists = await asyncio.gather(*(self._list_offers(wish, cloud, connected) for cloud in clouds))
        return sorted((offer for offers in lists for offer in offers), key=lambda offer: offer.price.hour)

    async def create(self, order: Order) -> str:
        answer = await self.ask("POST", "/v2/pods", write_body(order))
        with reading("new pod"):
            handle = str(expect(str, answer["id"], "new pod"))
            if answer["name"] != order.label:
                raise Unreadable(f"{self.name} has answered with another pod than the one asked for.")
        return handle

    async def list_mine(self) -> list[Sighting]:
        answer = await self.ask("GET", "/v2/pods")
        with reading("list of pods"):
            sightings = [_read_pod(row) for row in expect(list, answer["pods"], "list of pods")]
        return [sighting for sighting in sightings if sighting.state is not InstanceState.GONE]

    async def describe(self, handle: str) -> Sighting | None:
        try:
            pod = await self.ask("GET", f"/v2/pods/{quote(handle, safe='')}")
        except Absent:
            return None
        has_run = isinstance(pod, dict) and pod.get("startedAt")
        billed = await self._find_billed(handle) if has_run else None
        with reading("pod"):
            sighting = _read_pod(pod, billed)
        if sighting.handle != handle:
            raise Unreadable(f"Asked for {handle}, {self.name} has told of another pod.")
        return None if sighting.state is InstanceState.GONE else sighting

    async def destroy(self, handle: str) -> None:
        try:
            await self.ask("DELETE", f"/v2/pods/{quote(handle, safe='')}")
        except Absent:
            return

    def find_end(self) -> str:
        return _END.format(url=self._endpoint.url)

    async def _list_connected(self) -> set[str]:
        """The data centres that have the private network."""
        answer = await self.ask("GET", "/v2/catalog/datacenters", query={"globalNetwork": "true"})
        with reading("list of data centres"):
            return {str(row["id"]) for row in answer["dataCenters"] if row["globalNetwork"] is True}

    async def _list_offers(self, wish: Wish, cloud: str, connected: set[str] | None) -> list[Offer]:
        """Stock is told for so many GPUs in one of the two clouds at a time."""
        count = wish.count or 1
        query = {"include": "AVAILABILITY", "product": "POD", "count": count, "cloud": cloud}
        cuda = {"minCudaVersion": wish.cuda} if wish.cuda else {}
        answer = await self.ask("GET", "/v2/catalog/gpus", query={**query, **cuda})
        with reading("list of GPUs"):
            offers = [
                offer for row in answer["gpus"] for offer in _read_offers(row, count, cloud, wish.region, cuda, connected)
            ]  # fmt: skip
        return [offer for offer in offers if fits(offer, wish)]

    async def _find_billed(self, handle: str) -> float | None:
        """What RunPod says that a pod has cost in the last 30 days; None when it does not say."""
        try:
            answer = await self.ask("GET", "/v2/billing/pods", query={"podId": handle})
            with reading("bill"):
                return float(answer["metadata"]["totals"]["totalAmount"])
        except ProviderFailure:
            return None


def write_body(order: Order) -> dict[str, Any]:
    """The request for a new pod (`CreatePodRequest` of the published OpenAPI); fields that it does not know are refused."""
    detail = order.offer.detail
    cuda = {"minCudaVersion": detail["minCudaVersion"]} if "minCudaVersion" in detail else {}
    script = base64.b64encode(order.startup.encode()).decode()
    return {
        "name": order.label,
        "image": order.image or IMAGE,
        "cloud": detail["cloud"],
        "gpu": {"id": detail["gpu"], "count": order.offer.count, **cuda},
        "disk": max(1, -(-order.disk // GIB)),
        "ports": ["22/tcp"],
        "startSsh": True,
        "env": {"PUBLIC_KEY": order.public_key, "CHOLINE_STARTUP": script},
        "args": _START,
        **({"dataCenterIds": detail["places"]} if detail.get("places") else {}),
        **({"globalNetworking": True} if order.offer.network else {}),
    }


def _read_offers(
    row: dict[str, Any], count: int, cloud: str, region: str, cuda: dict[str, str], connected: set[str] | None
) -> Iterator[Offer]:
    """At most one: so many GPUs of a kind in a cloud, wherever it has them, or in the region that was wished for, and where
    pods are `connected` if they are to be; only those with a GPU of NVIDIA's can.
    """
    tier = cloud.lower()
    hour, memory = float(row["price"][tier]) * count, int(row["memory"]) * GIB
    centres = [centre for centre in row.get("dataCenters") or () if centre["availability"] != "NONE"]
    there = [centre["id"] for centre in centres if region.casefold() in f"{centre['id']} {centre['name']}".casefold()]
    if connected is not None:
        there = [centre for centre in there if centre in connected and str(row["manufacturer"]).upper() == "NVIDIA"]
    is_anywhere = not region and connected is None
    is_stocked = row.get("availability", "NONE") != "NONE" and bool(there or is_anywhere)
    if not (row[tier] and hour > 0 and int(row["maxCount"][tier]) >= count and is_stocked):
        return
    yield Offer(
        "runpod",
        f"{row['id']} in the {tier} cloud",
        _name_gpu(row["id"], memory),
        count,
        memory,
        price=Price(hour=hour, disk=_DISK),
        region=", ".join(there),
        cuda=cuda.get("minCudaVersion", ""),
        network="" if connected is None else NETWORK,
        detail={"gpu": row["id"], "cloud": cloud, **cuda, **({} if is_anywhere else {"places": there})},
    )


def _name_gpu(name: str, memory: int) -> str:
    try:
        return find_gpu(name, memory).name
    except UnknownGpu:
        return name


def _read_pod(row: dict[str, Any], billed: float | None = None) -> Sighting:
    status = row["status"]
    state = _STATES.get(status, InstanceState.UNKNOWN)
    direct = (row.get("ssh") or {}).get("direct")
    reason = _REASONS.get(status, "" if state is InstanceState.READY else str(status))
    if state is InstanceState.READY and not direct:
        state, reason = InstanceState.BOOTING, "its ssh port is not open yet"
    return Sighting(
        str(expect(str, row["id"], "pod")),
        str(expect(str, row["name"], "pod")),
        state,
        reason,
        f"{direct['username']}@{direct['host']}:{int(direct['port'])}" if direct else "",
        float(row["cost"]),
        billed,
        datetime.fromisoformat(row["startedAt"].replace("Z", "+00:00")).timestamp() if row.get("startedAt") else None,
    )
