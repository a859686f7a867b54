"""A fake of version 2 of RunPod's API: pods that come up, run their start command, stop, and end themselves.

Its answers and our requests are checked against the published OpenAPI where that is at hand
(tests/providers/test_runpod_openapi.py). The image of its machines is this machine, with a /start.sh like the official
images' in /run.
"""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timezone
from typing import Any

from choline_jupyter.model.offer import GIB, Price
from tests.fakes.cloud import Answer, Cloud, Rental

# id: name, GB, price secure and community, most in one pod secure and community, data centres with their stock
GPUS: dict[str, tuple[str, int, float, float, int, int, dict[str, str]]] = {
    "NVIDIA GeForce RTX 4090": ("RTX 4090", 24, 0.69, 0.34, 8, 4, {"US-KS-2": "HIGH", "EU-RO-1": "LOW"}),
    "NVIDIA A100 80GB PCIe": ("A100 PCIe", 80, 1.64, 1.19, 8, 8, {"CA-MTL-1": "MEDIUM", "US-KS-2": "NONE"}),
    "NVIDIA A100-SXM4-80GB": ("A100 SXM", 80, 1.89, 1.39, 8, 0, {"US-MO-1": "HIGH"}),
    "NVIDIA H100 80GB HBM3": ("H100 SXM", 80, 2.99, 2.69, 8, 8, {}),
    "AMD Instinct MI300X OAM": ("MI300X", 192, 2.49, 0.0, 8, 0, {"EU-RO-1": "LOW"}),
}
CONNECTED = {"US-KS-2", "EU-RO-1"}  # they have global networking
_FIELDS = {
    "name", "image", "cloud", "cpu", "dataCenterIds", "globalNetworking", "gpu", "mounts", "startJupyter", "startSsh",
    "templateId", "args", "disk", "env", "ports", "registry",
}  # fmt: skip
_GPU_FIELDS = {"id", "count", "allowedCudaVersions", "minCudaVersion"}
_STATUS = {
    "creating": "PROVISIONING",
    "starting": "STARTING",
    "running": "RUNNING",
    "stopped": "EXITED",
    "gone": "TERMINATED",
}
_IMAGE_START = "while [ ! -s /run/sshd.pid ]; do sleep 0.02; done\nmkdir -p ~/.ssh\n"
_IMAGE_SSH = 'echo "$PUBLIC_KEY" >> ~/.ssh/authorized_keys; env > /run/rp_environment; exec sleep infinity'


class RunPodCloud(Cloud):
    """An account with `credit` USD and registered ssh `keys`. The next `lost` pods are created and never seen again."""

    def __init__(self, *, has_machines: bool = False, key: str = "fake-runpod-key") -> None:
        super().__init__(has_machines=has_machines, key=key)
        self.gpus = dict(GPUS)
        self.credit = 25.0
        self.keys: list[str] = []
        self.lost = 0
        self._next = 0
        for method, path, call, serve in (
            ("GET", "/v2/catalog/gpus", "offers", self._list_gpus),
            ("GET", "/v2/catalog/gpus#COMMUNITY", "offers of the community", self._list_gpus),
            ("GET", "/v2/catalog/datacenters", "data centres", self._list_centres),
            ("GET", "/v2/account/ssh-keys", "keys", self._list_keys),
            ("PUT", "/v2/account/ssh-keys", "set keys", self._set_keys),
            ("POST", "/v2/pods", "create", self._create),
            ("GET", "/v2/pods", "list", self._list),
            ("GET", r"/v2/pods/([^/]+)", "describe", self._describe),
            ("DELETE", r"/v2/pods/([^/]+)", "destroy", self._delete),
            ("POST", r"/v2/pods/([^/]+)/action", "action", self._act),
            ("GET", "/v2/billing/pods", "billed", self._show_bill),
        ):
            self.route(method, path, call, serve)

    def serve(self, method: str, path: str, headers: Any, body: Any, query: dict[str, list[str]]) -> Answer | None:
        """A pod's own key opens that pod's own doors alone; the two clouds' catalogues are two calls."""
        scope = re.fullmatch(r"Bearer pod-key-(.+)", headers.get("Authorization") or "")
        if scope and not re.fullmatch(rf"/v2/pods/{re.escape(scope[1])}(/action)?", path):
            return _refuse(403, "Forbidden", "access denied")
        cloud = query.get("cloud", [])
        return super().serve(method, path + "#COMMUNITY" * (cloud == ["COMMUNITY"]), headers, body, query)

    def allows(self, headers: Any) -> bool:
        told = headers.get("Authorization") or ""
        return super().allows(headers) or told.removeprefix("Bearer pod-key-") in self.rentals

    def deny(self) -> Answer:
        return _refuse(401, "Unauthorized", "invalid bearer token")

    def _list_gpus(self, body: Any, query: dict[str, list[str]]) -> Answer:
        if "include" in query and "product" not in query:
            return _refuse(400, "Bad Request", "product is required with include=AVAILABILITY")
        cloud, count = query.get("cloud", ["SECURE"])[0], int(query.get("count", ["1"])[0])
        return 200, {"gpus": [self._show_gpu(name, cloud, count) for name in self.gpus]}

    def _show_gpu(self, name: str, cloud: str, count: int) -> dict[str, Any]:
        short, memory, secure, community, most, most_community, centres = self.gpus[name]
        ceiling = most if cloud == "SECURE" else most_community
        stocked = {centre: stock for centre, stock in centres.items() if count <= ceiling}
        levels = ("NONE", "LOW", "MEDIUM", "HIGH")
        shown = {
            "id": name, "name": short, "pool": None, "manufacturer": name.split(maxsplit=1)[0], "memory": memory,
            "secure": most > 0, "community": most_community > 0,
            "price": {"secure": secure, "community": community},
            "maxCount": {"secure": most, "community": most_community},
            "availability": max(stocked.values(), key=levels.index, default="NONE"),
        }  # fmt: skip
        places = [{"id": centre, "name": f"Place {centre}", "availability": stock} for centre, stock in stocked.items()]
        return {**shown, "dataCenters": places} if places else shown

    def _list_centres(self, body: Any, query: dict[str, list[str]]) -> Answer:
        wanted = query.get("globalNetwork", [""])[0]
        names = sorted({centre for gpu in self.gpus.values() for centre in gpu[6]})
        rows = [
            {"id": name, "name": f"Place {name}", "region": "UNKNOWN", "globalNetwork": name in CONNECTED,
             "networkVolumeTypes": [], "compliance": []}
            for name in names
            if wanted in ("", str(name in CONNECTED).lower())
        ]  # fmt: skip
        return 200, {"dataCenters": rows}

    def _list_keys(self, body: Any, query: Any) -> Answer:
        return 200, {"keys": self.keys}

    def _set_keys(self, body: Any, query: Any) -> Answer:
        self.keys = list(body["keys"])
        return 200, {"keys": self.keys}

    def _create(self, body: Any, query: Any) -> Answer:
        problems = _find_problems(body)
        if problems:
            return 422, {"title": "Unprocessable Entity", "status": 422, "detail": "Invalid.", "errors": problems}
        gpu, tier = self.gpus.get(body["gpu"]["id"]), body.get("cloud", "SECURE").lower()
        count = body["gpu"].get("count", 1)
        wanted = body.get("dataCenterIds") or []
        if gpu is None or not self._has(gpu, tier, count, wanted):
            return _refuse(400, "Bad Request", "There are no longer any instances available with these specifications.")
        if body.get("globalNetworking") and not (wanted and set(wanted) <= CONNECTED and "NVIDIA" in body["gpu"]["id"]):
            return _refuse(400, "Bad Request", "Global networking is not available there.")
        hour = gpu[2 if tier == "secure" else 3] * count
        if self.credit < hour:
            return _refuse(402, "Payment Required", "Your balance is too low for an hour of this.")
        self._next += 1
        rental = Rental(
            f"pod{self._next}", body["name"], body["gpu"]["id"], Price(hour, 0.10), body["disk"] * GIB, self.now(),
            detail=dict(body),
        )  # fmt: skip
        shown = self._show(rental)
        if self.lost:
            self.lost -= 1
            return 201, shown
        self.rent(rental, write_startup(body["args"]), self._list_variables(rental))
        return 201, shown

    def _has(self, gpu: tuple[Any, ...], tier: str, count: int, wanted: list[str]) -> bool:
        centres = {centre for centre, stock in gpu[6].items() if stock != "NONE"}
        return count <= gpu[4 if tier == "secure" else 5] and bool(centres & set(wanted) if wanted else centres)

    def _list_variables(self, rental: Rental) -> dict[str, str]:
        """What every pod finds in its environment, and what it was given."""
        own = {"RUNPOD_POD_ID": rental.handle, "RUNPOD_API_KEY": f"pod-key-{rental.handle}"}
        if rental.detail.get("startSsh") and self.keys:
            own["PUBLIC_KEY"] = "\n".join(self.keys)
        return {**own, **rental.detail.get("env", {})}

    def _list(self, body: Any, query: Any) -> Answer:
        return 200, {"pods": [self._show(rental) for rental in self.list_visible()]}

    def _find(self, handle: str) -> Rental | None:
        rental = self.rentals.get(handle)
        return rental if rental and rental.lives else None

    def _describe(self, handle: str, body: Any, query: Any) -> Answer:
        rental = self._find(handle)
        if rental is None:
            return _refuse(404, "Not Found", "pod not found")
        self.look(rental)
        return 200, self._show(rental)

    def _delete(self, handle: str, body: Any, query: Any) -> Answer:
        if self._find(handle) is None:
            return _refuse(404, "Not Found", "pod not found")
        self.end(handle)
        return 204, b""

    def _act(self, handle: str, body: Any, query: Any) -> Answer:
        rental = self._find(handle)
        if rental is None:
            return _refuse(404, "Not Found", "pod not found")
        if body["action"] == "terminate":
            return self._delete(handle, body, query)
        if body["action"] != "stop" or rental.state == "stopped":
            return _refuse(409, "Conflict", f"{body['action']} is not valid for {_STATUS[rental.state]}")
        self.stop(handle)
        return 200, self._show(rental)

    def stop(self, handle: str) -> None:
        """Its container disk is erased and no longer paid for."""
        rental = self.rentals[handle]
        rental.state = "stopped"
        self.charge(rental, 0.0)
        if rental.machine:
            rental.machine.freeze()

    def _show_bill(self, body: Any, query: dict[str, list[str]]) -> Answer:
        handles = [handle for handle in self.rentals if handle in query.get("podId", [handle])]
        begin, end = _write_time(self.now() - 86400 * 30), _write_time(self.now())
        records = [
            {"startTime": begin, "endTime": end, "podId": handle, **_show_amounts(self.bill(handle))} for handle in handles
        ]  # fmt: skip
        told = {"startTime": begin, "endTime": end, "bucketSize": "day"}
        totals = _show_amounts(sum(map(self.bill, handles)))
        metadata = {"query": told, "recordCount": len(records), "totals": totals, "uniquePodCount": len(records)}
        return 200, {"records": records, "metadata": metadata}

    def _show(self, rental: Rental) -> dict[str, Any]:
        body, runs = rental.detail, rental.state == "running"
        port = rental.machine.port if rental.machine else 40022
        direct = {"host": "127.0.0.1", "port": port, "username": "root", "command": f"ssh root@127.0.0.1 -p {port}"}
        actions = {"running": ["stop", "restart", "terminate"], "stopped": ["start", "terminate"]}
        return {
            "id": rental.handle, "name": rental.label, "status": _STATUS[rental.state],
            "actions": actions.get(rental.state, ["stop", "terminate"]),
            "image": body["image"], "args": body.get("args", ""), "disk": body["disk"], "mounts": {},
            "ports": body.get("ports", []), "env": body.get("env", {}), "registry": None,
            "gpu": {"id": body["gpu"]["id"], "count": body["gpu"].get("count", 1)},
            "cloud": body.get("cloud", "SECURE"), "dataCenterId": None, "cudaVersion": None,
            "ssh": {"proxy": None, "direct": direct if runs and "22/tcp" in body.get("ports", []) else None},
            "template": None, "cost": rental.price.hour if rental.state != "stopped" else 0.0, "locked": False,
            "globalNetworking": _show_network(rental), "runtime": None,
            "createdAt": _write_time(rental.created_at),
            "startedAt": _write_time(rental.created_at) if runs else None,
        }  # fmt: skip


def write_startup(arguments: str) -> str:
    """The start command as the container's first process runs it, with the image's own /start.sh, and /tmp, which machines of
    the fake have in common, in /run.
    """
    start = f"#!/bin/bash\n{_IMAGE_SSH}\n"
    words = shlex.split(arguments.replace("/start.sh", "/run/start.sh").replace("/tmp/", "/run/"))
    prepare = f"printf %s {shlex.quote(start)} > /run/start.sh; chmod 755 /run/start.sh\n"
    return f"{_IMAGE_START}{prepare}exec {shlex.join(words) if words else '/run/start.sh'}\n"


def _find_problems(body: Any) -> list[str]:
    """What its published schema would not allow."""
    found = [f"$: additional properties '{name}' not allowed" for name in sorted(set(body) - _FIELDS)]
    found += [f"$.gpu: '{name}' not allowed" for name in sorted(set(body.get("gpu", {})) - _GPU_FIELDS)]
    found += [f"$: missing property '{name}'" for name in ("name", "image") if not body.get(name)]
    if not isinstance(body.get("disk", 1), int) or not all(
        isinstance(text, str) for text in body.get("env", {}).values()
    ):
        found.append("$: disk is an integer, env has strings")
    return found


def _show_network(rental: Rental) -> dict[str, Any]:
    if not rental.detail.get("globalNetworking"):
        return {"enabled": False}
    number = int(rental.handle.removeprefix("pod"))
    return {"enabled": True, "ip": f"10.65.0.{number}", "internalDns": f"{rental.handle}.runpod.internal"}


def _show_amounts(total: float) -> dict[str, float]:
    return {"totalAmount": total, "gpuAmount": total, "cpuAmount": 0.0, "diskAmount": 0.0}


def _write_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refuse(status: int, title: str, detail: str) -> Answer:
    return status, {"title": title, "status": status, "detail": detail}
